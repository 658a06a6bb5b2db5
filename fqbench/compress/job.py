"""One model on its way: checked first, then made for one backend after the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.artifacts import Artifact, Store
from fqbench.backends import BACKENDS
from fqbench.cells import Cell, Device
from fqbench.compress import Way
from fqbench.compress.config import Given
from fqbench.compress.deliver import deliver, withdraw
from fqbench.compress.layers import Layers, kept_float, nodes, unknown
from fqbench.compress.translate import METHODS, source, translated
from fqbench.data import EvaluationSet
from fqbench.data.calibration import calibration_paths
from fqbench.data.digests import Digests
from fqbench.errors import StepError, UsageError
from fqbench.margins import Margins
from fqbench.pipeline.build import PAYING, Build
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Progress, Steps
from fqbench.quantize import AVAILABLE
from fqbench.quantize.calibrate import ASKED
from fqbench.spec import ModelSpec, PPYoloe
from fqbench.spec.check import facts_of, read_file
from fqbench.tune.error import points_lost
from fqbench.vision.image import read_image

SHOWN = 5


class Unevaluated(Images):
    """Images of a model that is only made: they calibrate, and none is evaluated."""

    @cached_property
    def data(self) -> EvaluationSet:
        """None."""
        return EvaluationSet(())


@dataclass(frozen=True)
class Job:
    """A model that can be made. ``asked``: layers that the config keeps in float, and why.

    ``build`` keeps in float what is faster so on this machine; ``anywhere`` does not.
    ``nms``: settings of the non-maximum suppression that its file ends in.
    """

    spec: ModelSpec
    way: Way
    build: Build
    anywhere: Build
    images: int
    layers: Layers
    asked: Mapping[str, str]
    nms: PPYoloe | None


@dataclass(frozen=True)
class Made:
    """What became of one backend's model. Sizes in 10^6 bytes.

    ``points``: about how many are lost, by the error on calibration images. ``ratio``: how many
    times as fast as FP32 it is here. ``reason``: why there is none.
    """

    backend: str
    reason: str | None = None
    layers: int = 0
    int8_layers: int = 0
    float_layers: Mapping[str, str] | None = None
    error: float | None = None
    points: float | None = None
    fp32_mb: float | None = None
    int8_mb: float | None = None
    ratio: float | None = None
    files: tuple[Path, ...] = ()

    @property
    def pays(self) -> bool:
        """Whether it is faster than FP32 here, by more than noise."""
        return self.ratio is None or 1.0 / self.ratio < PAYING


def backends_on(device: Device) -> tuple[str, ...]:
    """Those that run INT8 on ``device``. Raises UsageError, with each one's reason, for none."""
    reasons = {name: Cell("any", name, device, "int8").unsupported for name in BACKENDS}
    found = tuple(name for name, reason in reasons.items() if reason is None)
    if not found:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise UsageError(f"--devices {device}: no backend runs there: {told}")
    return found


def prepare(given: Given, way: Way, base: Path, store: Store, progress: Progress) -> Job:
    """Compare config, model and images before anything is quantized. Raises UsageError."""
    if METHODS[way] not in AVAILABLE:
        raise UsageError(f"--method {way}: this version of fqbench has no distillation training")
    config = given.config
    progress("read the model", 0, 0)
    files = source(config.general, base)
    contents = read_file(files.model, files.params)
    spec = translated(config, way, files, contents, base)
    facts = facts_of(spec, contents)
    count = _check_images(spec, way, progress)
    steps = Steps(spec.name, store, progress)
    images = Unevaluated(spec, Digests(store.root))

    def build(spec: ModelSpec) -> Build:
        return Build(spec, facts.inputs, images, steps, Margins(), METHODS[way])

    skipped = config.ptq.skip_tensor_list if way == "PTQ" else ()
    compared = config.distillation.node if way == "QAT" else ()
    layers = _layers(build(spec), spec, steps, skipped, compared)
    asked = kept_float(layers, config.quant_aware, skipped)
    offline = spec.offline.model_copy(update={"keep_float": tuple(asked)})
    taught = {"nodes": nodes(layers, compared)}
    distillation = spec.distillation.model_copy(update=taught)
    spec = spec.model_copy(update={"offline": offline, "distillation": distillation})
    anywhere = spec.model_copy(update={"speed": "assumed"})
    return Job(spec, way, build(spec), build(anywhere), count, layers, asked, facts.decode)


def make(job: Job, backend: str, folder: Path) -> Made:
    """Make the model for ``backend`` and write it into ``folder``. A failure is told, not raised.

    Raises UsageError where nothing can be written.
    """
    fp32, cell = (Cell(job.spec.name, backend, "cpu", each) for each in ("fp32", "int8"))
    try:
        build = job.build
        if _int8_layers(build, cell) == 0:
            # INT8 was asked for, be it for a machine on which it is faster.
            build = job.anywhere
        choice, lowered = build.choice(cell), build.lowered(cell)
        if (int8_layers := _int8_layers(build, cell)) == 0:
            raise StepError(f"no layer is left to run in INT8: {_commonest(choice.float_layers)}")
        slowdown = build.slowdown(cell)
        before = build.artifact(fp32).path
    except StepError as error:
        withdraw(backend, folder)
        return Made(backend, reason=str(error))
    files = deliver(lowered.path, backend, folder)
    reasons = {
        name: job.asked.get(name, reason) if reason == ASKED else reason
        for name, reason in choice.float_layers.items()
    }
    return Made(
        backend,
        layers=_plan(lowered)["convolutions"],
        int8_layers=int8_layers,
        float_layers=reasons,
        error=choice.error,
        points=points_lost(choice.error, job.spec.metric),
        fp32_mb=_megabytes([before / file.name for file in files]),
        int8_mb=_megabytes(files),
        ratio=1.0 / slowdown,
        files=files,
    )


def _int8_layers(build: Build, cell: Cell) -> int:
    return _plan(build.lowered(cell))["quantized"]


def _plan(lowered: Artifact) -> dict[str, int]:
    plan: dict[str, int] = json.loads(lowered.file("plan.json").read_text())
    return plan


def _layers(
    build: Build, spec: ModelSpec, steps: Steps, skipped: Sequence[str], compared: Sequence[str]
) -> Layers:
    """The layers of the canonical graph; with Paddle's names where only those are left."""
    of_paddle = spec.source_format == "paddle"
    arguments = {
        "canonical": str(build.canonical.path),
        "program": "",
        "model": str(spec.model) if of_paddle and compared else "",
        "params": str(spec.params),
    }
    layers = _read_names(arguments, steps)
    if not of_paddle and unknown(layers, skipped):
        program = build.artifact(Cell(spec.name, "paddle", "cpu", "fp32")).path
        layers = _read_names({**arguments, "program": str(program)}, steps)
    return layers


def _read_names(arguments: Mapping[str, str], steps: Steps) -> Layers:
    found: Any = steps.call(
        "fqbench.compress.names:read_names", arguments, text="read names", threads=1
    )
    return Layers.of(found)


def _check_images(spec: ModelSpec, way: Way, progress: Progress) -> int:
    """How many images calibrate. Raises UsageError naming those that cannot be read."""
    key = f"Global.{way.lower()}_image_path"
    calibrating = calibration_paths(spec.calibration)
    training = spec.distillation.images
    paths = calibrating
    if way == "QAT" and training is not None:
        paths = max(calibrating, calibration_paths(training), key=len)
    broken = []
    for done, path in enumerate(paths, start=1):
        try:
            read_image(path)
        except UsageError as error:
            broken.append(str(error))
        progress("read images", done, len(paths))
    if broken:
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise UsageError(
            f"{key}: {len(broken)} of {len(paths)} images are unusable:"
            f" {'; '.join(broken[:SHOWN])}{more}"
        )
    return len(calibrating)


def _commonest(reasons: Mapping[str, str]) -> str:
    counted = Counter(reasons.values()).most_common(1)
    return counted[0][0] if counted else "the backend has no integer kernel for them"


def _megabytes(files: Sequence[Path]) -> float:
    return round(sum(path.stat().st_size for path in files) / 1e6, 3)
