"""What is known of a model's forms."""

from __future__ import annotations

from dataclasses import dataclass

from fqbench.measure.stats import Interval
from tools.peers.forms import Form
from tools.peers.verdict import Comparison, ahead_of_fqbench


@dataclass(frozen=True)
class Row:
    """What is known of a form. Values that do not apply, or were not reached, are None.

    ``ms``: median; ``fastest_ms``: in the fastest rounds. ``seconds``: to quantize, with images in
    memory; ``seconds_with_images``: and to read them. ``drop``: points lost against FP32 on the
    same runtime; ``agreement`` with that FP32, where images have no labels. ``reason``: why the
    form, or a part of this, failed. ``fell_back``: fqbench keeps FP32, as INT8 is not faster.
    """

    form: Form
    ms: Interval | None = None
    fastest_ms: float | None = None
    accuracy: float | None = None
    drop: Interval | None = None
    agreement: float | None = None
    seconds: float | None = None
    seconds_with_images: float | None = None
    size_mb: float | None = None
    reason: str | None = None
    fell_back: bool = False


@dataclass(frozen=True)
class ModelReport:
    """A model's rows, every form of fqbench beside every peer, and the peers that beat fqbench."""

    model: str
    metric: str
    images: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def ahead(self) -> tuple[str, ...]:
        """Peers better in both time and accuracy than fqbench on every runtime."""
        return ahead_of_fqbench(self.comparisons)

    @property
    def failed(self) -> bool:
        """Whether a form of fqbench failed, or FP32 it is compared with."""
        return any(row.reason is not None and row.form.kind != "peer" for row in self.rows)
