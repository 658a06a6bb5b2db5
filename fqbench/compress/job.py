"""One model on its way: its config compared with its file and its images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fqbench.artifacts import Artifact
from fqbench.backends import Int8Form, backends, int8_form
from fqbench.cells import Cell, Device
from fqbench.compress.config import Config, LoadedConfig
from fqbench.compress.layers import Layers, kept_float, nodes, unknown
from fqbench.compress.method import CompressionMethod
from fqbench.compress.names import read_names
from fqbench.compress.translate import source, translated
from fqbench.convert.environment import PROGRAMS
from fqbench.counting import counted, verb
from fqbench.data import EvaluationSet
from fqbench.data.calibration import calibration_paths
from fqbench.data.digests import Digests
from fqbench.environments import HERE
from fqbench.errors import StepError, UsageError
from fqbench.margins import Margins
from fqbench.methods import Method
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.images import Images
from fqbench.precisions.own import INT8
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts, facts_of, read_file
from fqbench.spec.quantization import Cpu
from fqbench.steps import ArtifactNode, Files, Needs, Node, Step
from fqbench.steps.executor import Executor
from fqbench.vision.image import read_image

SHOWN = 5

NAMING = "paddle"
"""The backend whose programs have the names that a config may call layers by."""

NMS = {"score", "iou", "max_boxes"}
"""Settings of non-maximum suppression."""


class Unevaluated(Images):
    """Images of a model that is only made: they calibrate, and none is evaluated."""

    @cached_property
    def data(self) -> EvaluationSet:
        """None."""
        return EvaluationSet(())


@dataclass(frozen=True)
class CompressionJob:
    """A model that can be made. ``asked``: layers that the config keeps in float, and why.

    ``graphs``: the first of them that leaves a layer in INT8 is taken. ``images`` calibrate,
    ``training`` train. ``nms``: settings of the non-maximum suppression that the model's file ends
    in, by name; empty where it ends in none.
    """

    spec: ModelSpec
    method: CompressionMethod
    executor: Executor
    graphs: tuple[ModelGraph, ...]
    images: int
    training: int
    layers: Layers
    asked: Mapping[str, str]
    nms: Mapping[str, float]

    def make_ahead(self, backends: Sequence[str]) -> None:
        """Run what is most likely wanted of ``backends``, side by side.

        A failure is not reported: whoever asks for the model then is told.
        """
        nodes: list[Node] = []
        for backend in backends:
            with suppress(StepError):
                nodes.append(self.graphs[0].quantizing(backend)[-1])
        self.executor.run(nodes)

    def made(self, node: ArtifactNode) -> Artifact:
        """The artifact of a node of one of its graphs. Raises FqbenchError."""
        return self.executor.run([node]).artifact(node)

    @property
    def counts(self) -> str:
        """How many images calibrate and train, in words."""
        text = f"{counted(self.images, 'image')} {verb(self.images, 'calibrates', 'calibrate')}"
        return f"{text}, {self.training} train" if self.training else text


def backends_of(quantizer: Method, device: Device) -> tuple[str, ...]:
    """Those whose models ``quantizer`` makes for ``device``, which need not be there.

    A backend that runs the form of another one has no model of its own, but where the method names
    it. Raises UsageError where none is left.
    """
    named = quantizer.backends or ()
    made = [name for name, known in backends().items() if quantizer.makes_for(name)]
    own = [n for n in made if n in named or isinstance(backends()[n].int8, Int8Form)]
    found = [n for n in own if backends()[n].int8 is not None and int8_form(n).device == device]
    if not found:
        raise UsageError(
            f"the method {quantizer.name} makes INT8 models for no backend on {device.upper()}:"
            " choose other --devices, or another method"
        )
    return tuple(found)


def why_not_made(backend: str) -> str | None:
    """Why no INT8 model can be made for a backend here; None where one can.

    One whose files it runs itself, where they are checked, has to be there.
    """
    form = int8_form(backend)
    if form.executed_by is not None:
        return None
    return Cell("", backend, form.device, INT8.name).unsupported


def prepare(
    loaded: LoadedConfig,
    method: CompressionMethod,
    base: Path,
    executor: Executor,
    cpu: Cpu = "any",
) -> CompressionJob:
    """Compare config, model and images before anything is quantized. Raises UsageError.

    ``cpu``: which CPUs the model is made for.
    """
    config = loaded.config
    files = source(config.general, base)
    contents = read_file(files.model, files.params)
    spec = translated(config, method, files, contents, base).model_copy(update={"cpu": cpu})
    facts = facts_of(spec, contents)
    counts = _check_images(spec, method)
    quantizer = method.quantizer
    store = executor.store
    images = Unevaluated(spec, Digests(store.root))

    def graph(spec: ModelSpec) -> ModelGraph:
        return ModelGraph(spec, facts, images, Margins(), quantizer.name, caches=store.root)

    skipped = config.ptq.skip_tensor_list if method.section == "PTQ" else ()
    compared = config.distillation.node if method.section == "QAT" else ()
    layers = _layers(graph(spec), executor, skipped, compared)
    asked = kept_float(layers, config.quant_aware, skipped)
    if asked and method.makes_whole_models:
        raise UsageError(
            f"{next(iter(asked.values()))}, and the method {method.name} makes whole models, of"
            " which no layer can be kept in float: take the key out, or use another method"
        )
    offline = spec.offline.model_copy(update={"keep_float": tuple(asked)})
    taught = {"nodes": nodes(layers, compared)}
    distillation = spec.distillation.model_copy(update=taught)
    spec = spec.model_copy(update={"offline": offline, "distillation": distillation})
    graphs = tuple(graph(spec.model_copy(update=given_up)) for given_up in _given_up(config))
    return CompressionJob(spec, method, executor, graphs, *counts, layers, asked, _nms(facts))


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
    graph: ModelGraph, executor: Executor, skipped: Sequence[str], compared: Sequence[str]
) -> Layers:
    """The layers of the canonical graph; with Paddle's names where only those are left."""
    of_paddle = graph.spec.source_format != "onnx"
    source = graph.source if of_paddle and compared else Files(())
    layers = _read_names(graph, executor, source, None)
    if not of_paddle and unknown(layers, skipped):
        layers = _read_names(graph, executor, source, graph.fp32(NAMING))
    return layers


def _read_names(
    graph: ModelGraph, executor: Executor, source: Files, program: Step | None
) -> Layers:
    step = Step(
        "names",
        graph.spec.name,
        read_names,
        {"canonical": graph.canonical, "program": program, "source": source},
        ("onnx", "paddlepaddle", "paddle2onnx"),
        Needs(environment=PROGRAMS if program is not None or source.paths else HERE, cores=1),
    )
    made = executor.run([step]).artifact(step)
    return Layers.of(json.loads(made.file("names.json").read_text()))


def _check_images(spec: ModelSpec, method: CompressionMethod) -> tuple[int, int]:
    """How many images calibrate and train. Raises UsageError naming those that are unreadable."""
    key = f"Global.{method.section.lower()}_image_path"
    calibrating = calibration_paths(spec.calibration)
    further = method.quantizer.images(spec).values()
    trained = tuple(path for chosen in further for path in calibration_paths(chosen))
    paths = dict.fromkeys((*calibrating, *trained))
    broken = []
    for path in paths:
        try:
            read_image(path)
        except UsageError as error:
            broken.append(str(error))
    if broken:
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise UsageError(
            f"{key}: {len(broken)} of {counted(len(paths), 'image')}"
            f" {verb(len(broken), 'is', 'are')} unusable:"
            f" {'; '.join(broken[:SHOWN])}{more}"
        )
    return len(calibrating), len(trained)
