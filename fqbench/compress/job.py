"""One model on its way: its config compared with its file and its images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fqbench.artifacts import Store
from fqbench.cells import Cell, Device
from fqbench.compress import Way
from fqbench.compress.config import Config, Given
from fqbench.compress.layers import Layers, kept_float, nodes, unknown
from fqbench.compress.translate import METHODS, source, translated
from fqbench.data import EvaluationSet
from fqbench.data.calibration import calibration_paths
from fqbench.data.digests import Digests
from fqbench.errors import UsageError
from fqbench.margins import Margins
from fqbench.pipeline.build import Build
from fqbench.pipeline.images import Images
from fqbench.pipeline.step import Progress, Steps
from fqbench.quantize import AVAILABLE
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts, facts_of, read_file
from fqbench.spec.model import Cpu
from fqbench.vision.image import read_image

SHOWN = 5

NMS = {"score", "iou", "max_boxes"}
"""Settings of non-maximum suppression."""


class Unevaluated(Images):
    """Images of a model that is only made: they calibrate, and none is evaluated."""

    @cached_property
    def data(self) -> EvaluationSet:
        """None."""
        return EvaluationSet(())


@dataclass(frozen=True)
class Job:
    """A model that can be made. ``asked``: layers that the config keeps in float, and why.

    ``builds``: the first of them that leaves a layer in INT8 is taken. ``images`` calibrate,
    ``training`` train. ``nms``: settings of the non-maximum
    suppression that the model's file ends in, by name; empty where it ends in none.
    """

    spec: ModelSpec
    way: Way
    builds: tuple[Build, ...]
    images: int
    training: int
    layers: Layers
    asked: Mapping[str, str]
    nms: Mapping[str, float]

    @property
    def counts(self) -> str:
        """How many images calibrate and train, in words."""
        text = f"{self.images} images calibrate"
        return f"{text}, {self.training} train" if self.training else text


def backends_on(device: Device) -> tuple[str, ...]:
    """Those whose models are made for ``device``.

    On a GPU that is TensorRT, whose model does not depend on the GPU: none is needed to make it.
    """
    return ("tensorrt",) if device == "gpu" else ("onnxruntime", "paddle")


def prepare(
    given: Given, way: Way, base: Path, store: Store, progress: Progress, cpu: Cpu = "any"
) -> Job:
    """Compare config, model and images before anything is quantized. Raises UsageError.

    ``cpu``: which CPUs the model is made for.
    """
    if METHODS[way] not in AVAILABLE:
        raise UsageError(f"--method {way}: this version of fqbench has no distillation training")
    config = given.config
    progress("read the model", 0, 0)
    files = source(config.general, base)
    contents = read_file(files.model, files.params)
    spec = translated(config, way, files, contents, base).model_copy(update={"cpu": cpu})
    facts = facts_of(spec, contents)
    counts = _check_images(spec, way, progress)
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
    builds = tuple(build(spec.model_copy(update=given_up)) for given_up in _given_up(config))
    return Job(spec, way, builds, *counts, layers, asked, _nms(facts))


def _nms(facts: ModelFacts) -> Mapping[str, float]:
    """Settings of the model's own non-maximum suppression, whole; empty where it has none."""
    return {} if facts.decode is None else facts.decode.model_dump(include=NMS)


def _given_up(config: Config) -> Iterator[dict[str, object]]:
    """What of a spec is given up, less to more, until a layer is left in INT8.

    INT8 was asked for, be it for a machine on which it is faster. A limit that the config does
    not set is fqbench's word only.
    """
    yield {}
    yield {"speed": "assumed"}
    if config.training.may_lose is None:
        yield {"speed": "assumed", "margins": ()}


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


def _check_images(spec: ModelSpec, way: Way, progress: Progress) -> tuple[int, int]:
    """How many images calibrate and train. Raises UsageError naming those that are unreadable."""
    key = f"Global.{way.lower()}_image_path"
    calibrating = calibration_paths(spec.calibration)
    training = spec.distillation.images
    trained = calibration_paths(training) if way == "QAT" and training is not None else ()
    paths = max(calibrating, trained, key=len)  # Both are the first of one folder.
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
    return len(calibrating), len(trained)
