"""The step that counts the layers of a file that saturate."""

from __future__ import annotations

import json
from pathlib import Path

from fqbench.isolate import Report
from fqbench.pipeline.steps.common import Arguments, read_feeds


def saturation(arguments: Arguments, report: Report) -> None:
    """Count, by the layer of ``model``, what saturates on ``images``; write it into ``folder``."""
    import onnx

    from fqbench.saturation.counting import saturated_sums

    model = onnx.load(str(Path(arguments["model"]) / "model.onnx"))
    counts = saturated_sums(model, read_feeds(arguments, report))
    (Path(arguments["folder"]) / "saturation.json").write_text(json.dumps(counts))
