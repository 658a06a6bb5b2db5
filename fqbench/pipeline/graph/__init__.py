"""The steps of one model, from its file to what is measured of its cells. Nothing here runs them.

    source ─► canonical ─► calibrate ─► choose ─► lower ─► select ─► predict ─► score
                 │                      (distill, choose)    ▲  │
                 └─► Paddle program, float16 ────────────────┘  └──► time

A choice between INT8 and FP32 is a selection; whatever follows it is planned for both, and run for
the one that is taken. Each module adds the nodes of one part of that way to those before it:
``inputs``, ``conversion``, ``quantization``, ``networks``, ``findings``.
"""

from __future__ import annotations

from fqbench.pipeline.graph.findings import ModelGraph
from fqbench.pipeline.graph.networks import unsupported

__all__ = ["ModelGraph", "unsupported"]
