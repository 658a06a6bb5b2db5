"""The steps of one model, from its file to what is measured of its cells. Nothing here runs them.

    source ─► canonical ─► calibrate ─► choose ─► lower ─► select ─► predict ─► score
                 │                      (distill, choose)    ▲  │
                 └─► Paddle program, float16 ────────────────┘  └──► time

A choice between INT8 and FP32 is a selection; whatever follows it is planned for both, and run for
the one that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cached_property
from pathlib import Path

from fqbench.backends import backend as backend_of
from fqbench.backends import backends, int8_form, lowering_target, unversioned
from fqbench.backends.record import Capability
from fqbench.cells import Cell
from fqbench.convert.environment import PROGRAMS
from fqbench.data.calibration import evenly_spaced
from fqbench.environments import HERE
from fqbench.errors import StepError
from fqbench.graph.executor import LIBRARY, RUNNING
from fqbench.machine import versions
from fqbench.margins import Margins
from fqbench.measure.cell_loading import Reading
from fqbench.methods import DEFAULT, Method
from fqbench.methods import method as method_of
from fqbench.methods.given import METHOD as GIVEN
from fqbench.pipeline import decisions, steps
from fqbench.pipeline.engines import engine_for, engine_here
from fqbench.pipeline.images import Images
from fqbench.pipeline.nodes import CHECKED, NodeFactory
from fqbench.precisions import CHOSEN, baseline
from fqbench.precisions import precision as precision_of
from fqbench.precisions.own import EXACT, INT8, INT8_ALL, INT8_FILE
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.spec.inputs import PLAIN
from fqbench.spec.model import Size
from fqbench.steps import ArtifactNode, Files, Maybe, Needs, Select, Step, Unkeyed
from fqbench.steps.step import Input, needed
from fqbench.tasks.decoding import source_of
from fqbench.tasks.registry import metrics

JUDGED_PIXELS = 8 * 640 * 640
FEWEST_JUDGING, MOST_JUDGING = 8, 64
"""How much of the calibration images tells what rounding a layer costs, and how many at least and
at most: small images are quick to judge by, and each says less."""

THREADS = 1
"""Of the runtime whose speed decides: as latency is reported by default."""

SATURATING_IMAGES = 4
"""Calibration images that layers which saturate are counted on."""

HALF_IMAGES = 4
"""Calibration images that tell which tensors do not fit float16."""


class ModelGraph(NodeFactory):
    """The steps of one model. Each method returns the same node when it is asked again.

    ``facts``: what the model's file says; ``method``: how INT8 models are made; ``allow_code``:
    whether a decoder of the user's own may run; ``caches``: a folder for what builders of engines
    use again. Raises UsageError where images do not fit, NoGpu where an engine is to be built for
    one that is not there.
    """

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        images: Images,
        margins: Margins,
        method: str = DEFAULT,
        *,
        allow_code: bool = False,
        caches: Path,
    ) -> None:
        super().__init__(spec.name)
        self.spec, self.images, self._caches = spec, images, caches
        self._facts = facts
        self.method = _taught_by(method, spec)
        self.own_reading = _reading(spec, facts)
        self.reading = self.own_reading.plain
        self.int8_reading = self.reading if facts.int8 is None else _reading(spec, facts.int8)
        self._margins, self.allow_code = margins, allow_code
        self.point: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is made of the model's file that its user has to know, in words."""
        return self._facts.notes

    def of(self, cell: Cell) -> ModelGraph:
        """The graph with INT8 models by the method of ``cell``: this one if it names none."""
        return self if cell.method is None else self.by(cell.method)

    def by(self, method: str) -> ModelGraph:
        """The same graph with INT8 models by ``method``.

        Both have the nodes in common that do not depend on it.
        """
        other = copy(self)
        other.method = _taught_by(method, self.spec)
        return other

    # From the model's file to what backends load.

    @property
    def source(self) -> Files:
        """All files of the model."""
        return _source(self.spec, self._facts)

    @cached_property
    def canonical(self) -> Step:
        """The canonical ONNX graph of the source."""
        paddle = ("paddlepaddle",) if self.spec.source_format != "onnx" else ()
        needs = Needs(environment=PROGRAMS if paddle else HERE, cores=1)
        return self.step(
            "canonical",
            {
                "source": self.source,
                "input_shape": list(self.spec.graph_shape),
                "own": None if self.own_reading == self.reading else _dumped(self.own_reading),
                **self._checked_on,
            },
            (*RUNNING, "paddle2onnx", *paddle),
            needs=needs,
        )

    def fp32(self, backend: str) -> Step:
        """The FP32 model in the form that ``backend`` loads, or builds its engine from."""
        used = backend_of(unversioned(backend))
        if used.conversion is None:
            return self.canonical
        return self.step(
            used.conversion.step,
            {"canonical": self.canonical, "backend": Unkeyed(used.name), **self._checked_on},
            (*RUNNING, *used.conversion.libraries),
            function=steps.converted,
            needs=Needs(environment=used.environment, cores=1),
            of=used.name,
        )

    def half(self, backend: str) -> Step:
        """The canonical graph in float16, as ``backend`` writes it.

        Raises StepError where it has no FP16.
        """
        used = backend_of(backend)
        if used.float16 is None:
            raise StepError(f"{used.label} runs no FP16")
        return self.step(
            "half",
            {"canonical": self.canonical, "writer": used.float16, **self._overflowing},
            RUNNING,
            HALF_IMAGES,
            needs=Needs(environment=used.environment, cores=1),
            of=used.float16,
        )

    @cached_property
    def ranges(self) -> Step:
        """Ranges and weights' codes, from the calibration images."""
        images = self.images.calibration
        return self.step(
            "calibrate",
            {
                "canonical": self.canonical,
                **self.read(images),
                "offline": self.spec.offline.model_dump(mode="json"),
                "cpu": self.spec.cpu,
                "probes": self._probes(*backends()),
            },
            RUNNING,
            len(images),
            needs=Needs(),
        )

    @property
    def judging(self) -> tuple[Path, ...]:
        """The calibration images that tell what rounding costs."""
        height, width = self.spec.preprocess.resize.output
        count = min(max(JUDGED_PIXELS // (height * width), FEWEST_JUDGING), MOST_JUDGING)
        return evenly_spaced(self.images.calibration, count)

    def allowed_drop(self, backend: str) -> float | None:
        """Points that INT8 by its method may lose on ``backend``; None where it has no margin."""
        margin = self._margins.for_cell(self.spec, backend, self.method)
        return None if margin is None else margin.drop

    @property
    def quantizer(self) -> Method:
        """The method that makes its INT8 models."""
        return method_of(self.method)

    def quantization(self, backend: str) -> Step:
        """Weights and ranges, as the method makes them.

        Raises StepError where the method makes whole models, so that nothing is quantized here.
        """
        if self.quantizer.yields != "quantization":
            raise StepError(
                f"{self.quantizer.label} makes whole INT8 models, so no layers are chosen and none"
                " is lowered: ask for another method"
            )
        return self.quantizer.plan(self, lowering_target(backend))

    def at_point(self, number: int) -> ModelGraph:
        """The same graph whose INT8 models are a point of ``tradeoff``: they run as they are,
        whether or not FP32 is faster."""
        other = copy(self)
        other.point = number
        return other

    def tradeoff(self, backend: str) -> Step:
        """What each layer costs and saves in INT8 on ``backend``, and points between that and FP32.

        Raises StepError as ``quantization``.
        """
        backend = lowering_target(backend)
        quantization = self.quantization(backend)
        judging = self._judging(backend, quantization)
        environment = backend_of(backend).environment
        return self.step(
            "tradeoff",
            {**judging, "choice": self.choice_for(backend, quantization), "threads": THREADS},
            tuple(versions(environment)),
            len(self.judging),
            needs=Needs(environment, alone="in phases"),
            of=quantization,
        )

    def choice(self, backend: str) -> Step:
        """Which layers are in float on ``backend``, and why."""
        if self.point is not None:
            traded = self.tradeoff(backend)
            inputs: dict[str, Input] = {"tradeoff": traded, "number": self.point}
            of = (traded, self.point)
            return self.step("tradeoff_point", inputs, (), of=of, depends_on_cpu=False)
        return self.choice_for(backend, self.quantization(backend))

    def choice_for(self, backend: str, quantization: Step) -> Step:
        """Which layers of ``quantization`` are in float, by some of the calibration images."""
        backend = lowering_target(backend)
        drop = self.allowed_drop(backend)
        limit = None
        if drop is not None and self.spec.weights == "trained":
            limit = metrics()[self.spec.metric].error_within(drop)
        form, environment = int8_form(backend), backend_of(backend).environment
        return self.step(
            "choose",
            {
                **self._judging(backend, quantization),
                "program": self.fp32(backend),
                "limit": limit,
                "threads": THREADS if form.timed else None,
                "fastest": self.spec.speed == "measured",
            },
            # What is timed may depend on all of them.
            tuple(versions(environment)) if form.timed else (*RUNNING, *form.libraries),
            len(self.judging),
            needs=Needs(environment, alone="in phases" if form.timed else "never"),
            of=(backend, quantization, limit),
        )

    def lowered(self, backend: str, *, everything: bool = False) -> Step:
        """The INT8 form; of ``everything`` whatever the choice keeps in float."""
        backend = lowering_target(backend)
        form = int8_form(backend)
        return self.step(
            f"lower_{backend}",
            {
                "quantization": self.quantization(backend),
                "choice": self.choice(backend),
                "everything": everything,
                "backend": Unkeyed(backend),
                **(self._overflowing if form.float16 else self._checked_on),
            },
            form.libraries,
            function=steps.lower,
            needs=Needs(environment=backend_of(backend).environment, cores=1),
            of=(self.choice(backend), everything),
        )

    def network(self, cell: Cell) -> ArtifactNode:
        """The model of ``cell`` in the form that its backend loads, or builds its engine from."""
        return precision_of(cell.precision).network(self, cell)

    def int8(self, cell: Cell) -> ArtifactNode:
        """The INT8 model of ``cell`` as the method makes it, or FP32 where that is faster."""
        backend = cell.backend
        if self.quantizer.yields == "model":
            return self.quantizer.plan(self, backend)
        options = {decisions.INT8: self.lowered(backend), decisions.FP32: self.fp32(backend)}
        return self._faster(cell, options)

    def given(self, backend: str) -> Step:
        """The spec's own INT8 file as ``backend`` loads it."""
        spec, used = self.spec.of_int8_file, backend_of(unversioned(backend))
        if spec is None:
            raise ValueError(f"the spec of {self.spec.name} names no INT8 file")
        environment = used.environment if spec.source_format == "onnx" else PROGRAMS
        return self.step(
            "given_int8",
            {
                "source": _source(spec, self._facts.int8),
                "backend": used.name,
                **self.read(self.images.checking(CHECKED), self.int8_reading),
            },
            (*RUNNING, "paddlepaddle", "paddle2onnx"),
            needs=Needs(environment=environment, cores=1),
            of=used.name,
        )

    @property
    def takes_its_own_input(self) -> bool:
        """Whether the model's file takes its image in another layout or type than graphs do."""
        form = self._facts.form
        return (form.layout, form.type) != (PLAIN.layout, PLAIN.type)

    def with_own_input(self, model: ArtifactNode) -> ArtifactNode:
        """``model``, an ONNX graph, as the model's file takes its image: what is deployed."""
        if not self.takes_its_own_input:
            return model
        own = _dumped(self.own_reading)
        return self.step(
            "own_input", {"model": model, "own": own, **self._checked_on}, RUNNING, of=model
        )

    def made_by(self, cell: Cell) -> Method | None:
        """The method of quantization that makes the model of ``cell``; None where none does."""
        name = precision_of(cell.precision).method
        if name == CHOSEN:
            return self.quantizer
        return GIVEN if name == GIVEN.name else None

    def runtime_precision(self, cell: Cell) -> str:
        """The precision that ``cell``'s runtime is asked for, for what is loaded."""
        made = self.made_by(cell)
        if made is not None and made.yields == "model":
            return INT8_FILE.runtime_name
        return precision_of(cell.precision).runtime_name

    def reading_of(self, cell: Cell) -> Reading:
        """How an image becomes the inputs of the model of ``cell``."""
        return self.int8_reading if self.made_by(cell) is GIVEN else self.reading

    def unsupported(self, cell: Cell) -> str | None:
        """Why ``cell`` cannot run here, or has no model; None where it can."""
        asked = None if cell.method is None else method_of(cell.method)
        if asked is not None and asked.learns and self.spec.weights == "synthetic":
            return f"{asked.label} learns from a model's answers, and random weights have none"
        return unsupported(cell, self.of(cell).quantizer)

    def artifact(self, cell: Cell, batch: int = 1) -> ArtifactNode:
        """What ``cell``'s backend loads to run ``batch`` images at once.

        That may be an engine for the GPU of this machine. Raises NoGpu where there is none.
        """
        network = self._of_batch(cell, batch)
        needs_engine = backend_of(cell.backend).engine is not None
        return engine_here(self, cell.backend, network, self._caches) if needs_engine else network

    def engine(self, cell: Cell, capability: Capability, batch: int = 1) -> Step:
        """The engine of ``cell`` for any GPU of ``capability``, built without one."""
        return self.engine_of(cell.backend, self._of_batch(cell, batch), capability)

    def engine_of(self, backend: str, network: ArtifactNode, capability: Capability) -> Step:
        """The engine of ``network`` for any GPU of ``capability``, built without one."""
        return engine_for(self, backend, network, capability)

    # What is found out about them.

    def predictions(self, cell: Cell) -> ArtifactNode:
        """What ``cell`` answers for each image that is evaluated, and what the runtime ran."""
        if self._may_be_fp32(cell):
            int8 = self._predictions(cell, self.lowered(cell.backend), INT8.runtime_name)
            fp32 = self._predictions(cell, self.fp32(cell.backend), baseline().runtime_name)
            return self._faster(cell, {decisions.INT8: int8, decisions.FP32: fp32})
        return self._predictions(cell, self.artifact(cell), self.runtime_precision(cell))

    def emulated(self, cell: Cell) -> ArtifactNode:
        """What the network of a ``cell`` of a GPU answers, executed on the CPU.

        It tells what scales and codes cost in accuracy, and nothing of the GPU's kernels.
        """
        name = int8_form(cell.backend).executed_by or cell.backend
        executor = Cell(cell.model, name, "cpu", baseline().name)
        return self._predictions(executor, self.network(cell), baseline().runtime_name)

    def score(self, cell: Cell) -> ArtifactNode:
        """The accuracy of ``cell``."""
        return self.score_of(self.predictions(cell))

    def score_of(self, predictions: ArtifactNode) -> ArtifactNode:
        """Accuracy of ``predictions`` in points, on all images and on resamples of them."""
        if isinstance(predictions, Select):
            options = {name: self.score_of(node) for name, node in predictions.options.items()}
            return self.select(predictions.name, predictions.by, predictions.decide, options)
        data = self.images.data
        return self.step(
            "score",
            {
                "predictions": predictions,
                "task": self.spec.task,
                "dataset": Unkeyed(self.spec.dataset.model_dump(mode="json")),
                "truth": Files(data.truth),
                "labels": [[sample.image_id, sample.label] for sample in data.samples],
            },
            ("pycocotools", "numpy"),
            of=predictions,
            depends_on_cpu=False,
        )

    def without_float(self, cell: Cell) -> ArtifactNode:
        """The score of an INT8 ``cell`` where no layer stays in float for its accuracy.

        That of the cell itself where none does.
        """
        everything = Cell(cell.model, cell.backend, cell.device, INT8_ALL.name)
        options = {decisions.NEEDED: self.score(everything), decisions.SAME: self.score(cell)}
        chosen, may_be_fp32 = self.choice(cell.backend), self._may_be_fp32(cell)
        decide = decisions.runs_float_layers if may_be_fp32 else decisions.has_float_layers
        return self.select("without float layers", chosen, decide, options)

    def saturation(self, cell: Cell) -> Step:
        """How many layers of the INT8 file that ``cell`` runs saturate on calibration images."""
        images = evenly_spaced(self.images.calibration, SATURATING_IMAGES)
        return self.step(
            "saturation",
            {
                "model": self.network(cell),
                "probes": self._probe(cell.backend),
                **self.read(images, self.reading_of(cell)),
            },
            RUNNING,
            len(images),
            of=cell,
        )

    def without_saturation(self, cell: Cell) -> ArtifactNode:
        """The score of the INT8 file that ``cell`` runs, by kernels that do not saturate.

        That of the cell itself where none of its layers saturates.
        """
        exact = self.score_of(self._predictions(cell, self.artifact(cell), EXACT))
        options = {decisions.NEEDED: exact, decisions.SAME: self.score(cell)}
        counted = self.saturation(cell)
        return self.select("without saturation", counted, decisions.saturates, options)

    def agreement(self, cell: Cell) -> ArtifactNode:
        """How alike the outputs of ``cell`` and of FP32 are, for a data set that tells no truth."""
        fp32 = self.artifact(cell.baseline)
        if self._may_be_fp32(cell):
            int8 = self._agreement(cell, fp32, self.lowered(cell.backend), INT8.runtime_name)
            same = self._agreement(cell, fp32, fp32, baseline().runtime_name)
            return self._faster(cell, {decisions.INT8: int8, decisions.FP32: same})
        return self._agreement(cell, fp32, self.artifact(cell), self.runtime_precision(cell))

    @cached_property
    def multiply_adds(self) -> Step:
        """Multiply-adds of one inference of the canonical graph."""
        inputs: dict[str, Input] = {
            "canonical": self.canonical,
            "input_shape": list(self.spec.input_shape),
        }
        return self.step("multiply_adds", inputs, ("onnx",), depends_on_cpu=False)

    def probe(self, backend: str) -> Step:
        """What the integer kernels of ``backend`` do on this CPU."""
        used = backend_of(backend)
        libraries = (*RUNNING, "paddlepaddle", *used.distributions)
        needs = Needs(environment=used.environment, cores=1)
        return self.step("probe", {"backend": backend}, libraries, needs=needs)

    def is_probed(self, backend: str) -> bool:
        """Whether it depends on the CPU what the integer kernels of ``backend`` compute here."""
        if backend_of(backend).saturates == "never":
            return False
        return Cell(self.model, backend, "cpu", INT8.name).unsupported is None

    def quantizing(self, backend: str) -> tuple[Step, ...]:
        """The steps from the canonical graph to the INT8 form.

        Where the method makes a quantization, the last three make it, choose layers and lower.
        """
        if self.quantizer.yields == "model":
            return self._making(self.quantizer.plan(self, backend), backend)
        made = self._making(self.quantization(backend), lowering_target(backend))
        return (*made, self.choice(backend), self.lowered(backend))

    def _making(self, last: Step, backend: str) -> tuple[Step, ...]:
        """The steps that ``last`` is made by, itself behind them, without those of FP32."""
        before, found = {self.canonical, self.fp32(backend)}, dict[Step, None]()

        def add(step: Step) -> None:
            for each in (node for value in step.inputs.values() for node in needed(value)):
                if isinstance(each, Step) and each not in before and each not in found:
                    add(each)
            found[step] = None

        add(last)
        return tuple(found)

    # How nodes are made.

    def _may_be_fp32(self, cell: Cell) -> bool:
        """Whether FP32 runs in an INT8 cell where it is faster.

        Where forms are not timed (on GPUs) it never does: FP16 beside it is what INT8 has to be
        faster than.
        """
        if cell.precision != INT8.name or self.spec.speed != "measured" or self.point is not None:
            return False
        return self.quantizer.yields == "quantization" and int8_form(cell.backend).timed

    def _faster(self, cell: Cell, options: Mapping[str, ArtifactNode]) -> ArtifactNode:
        """INT8, or FP32 where that is faster."""
        if not self._may_be_fp32(cell):
            return options[decisions.INT8]
        choice = self.choice(cell.backend)
        return self.select("INT8 or FP32", choice, decisions.int8_or_fp32, options)

    def _predictions(self, cell: Cell, model: ArtifactNode, precision: str) -> ArtifactNode:
        samples = self.images.data.samples
        source = source_of(self.spec.decode)
        return self.step(
            "predict",
            {
                "artifact": model,
                "backend": cell.backend,
                "device": cell.device,
                "precision": precision,
                "reading": _dumped(self.reading_of(cell).of(samples)),
                "decode": self.decode,
                "code": Files((source,) if source is not None and source.is_file() else ()),
                "allow_code": Unkeyed(self.allow_code),
                "images": Files(tuple(sample.path for sample in samples)),
                "ids": [sample.image_id for sample in samples],
            },
            _running(cell.backend),
            len(samples),
            needs=_runs(cell),
            of=(cell.backend, cell.device, precision, self.made_by(cell) is GIVEN, model),
        )

    def _agreement(
        self, cell: Cell, fp32: ArtifactNode, int8: ArtifactNode, precision: str
    ) -> Step:
        images = tuple(sample.path for sample in self.images.data.samples)
        return self.step(
            "agree",
            {
                "fp32": fp32,
                "int8": int8,
                "backend": cell.backend,
                "device": cell.device,
                "precision": precision,
                "reading": _dumped(self.reading),
                "int8_reading": _dumped(self.reading_of(cell)),
                "images": Files(images),
            },
            _running(cell.backend),
            len(images),
            needs=_runs(cell),
            of=(cell, int8),
        )

    def _of_batch(self, cell: Cell, batch: int) -> ArtifactNode:
        one = self.network(cell)
        if batch == 1:
            return one
        return self.step(
            "batched",
            {"model": one, "batch": batch, **self._checked_on},
            RUNNING,
            batch,
            of=(one, batch),
        )

    # What steps read.

    def _judging(self, backend: str, quantization: Step) -> dict[str, Input]:
        """Inputs of a step that judges ``quantization`` as ``backend`` runs it."""
        return {
            "quantization": quantization,
            "canonical": self.canonical,
            **self.read(self.judging),
            "decode": self.decode,
            "backend": backend,
            "cpu": self.spec.cpu,
            "probes": self._probes(backend),
        }

    def _probes(self, *backends: str) -> tuple[Maybe, ...] | None:
        """What kernels do here, where it matters to the CPUs that the model is made for.

        None where the products of no kernel saturate on any CPU.
        """
        if all(backend_of(backend).saturates == "never" for backend in backends):
            return None
        if self.spec.cpu == "any":
            return ()
        return tuple(each for backend in backends for each in self._probe(backend))

    def _probe(self, backend: str) -> tuple[Maybe, ...]:
        return (Maybe(self.probe(backend)),) if self.is_probed(backend) else ()

    @property
    def decode(self) -> Input:
        """The spec's ``decode``, as steps read it."""
        found: dict[str, object] = self.spec.decode.model_dump(mode="json")
        return found  # type: ignore[return-value]

    @property
    def _checked_on(self) -> dict[str, Input]:
        """Images that rewritten models are checked with, and how they are read."""
        return self.read(self.images.checking(CHECKED))

    @property
    def _overflowing(self) -> dict[str, Input]:
        """Images that tell what does not fit float16, and how they are read."""
        return self.read(evenly_spaced(self.images.calibration, HALF_IMAGES))

    def read(self, images: tuple[Path, ...], reading: Reading | None = None) -> dict[str, Input]:
        """Inputs of a step that reads ``images``, by default as the canonical graph takes them."""
        placed = {"sizes": self._sizes, "boxes": self.images.boxes(images)}
        chosen = (reading or self.reading).model_copy(update=placed)
        return {"images": Files(images), "reading": _dumped(chosen)}

    @property
    def _sizes(self) -> tuple[Size, ...]:
        """That images are read at by turns, from which no answers are."""
        return self.spec.calibration.sizes


def _taught_by(method: str, spec: ModelSpec) -> str:
    """``method``, or the default one where random weights answer nothing that is worth learning."""
    return DEFAULT if method_of(method).learns and spec.weights == "synthetic" else method


def unsupported(cell: Cell, chosen: Method) -> str | None:
    """Why ``cell`` cannot run here, or has no model where INT8 is made by the ``chosen`` method."""
    if cell.unsupported is not None or precision_of(cell.precision).method != CHOSEN:
        return cell.unsupported
    return chosen.unsupported(cell.backend, cell.device)


def _reading(spec: ModelSpec, facts: ModelFacts) -> Reading:
    """How an image becomes the inputs of a model's file."""
    return Reading(
        preprocess=spec.preprocess, inputs=facts.inputs, form=facts.form, others=facts.others
    )


def _dumped(reading: Reading) -> Input:
    found: Input = reading.model_dump(mode="json")
    return found


def _source(spec: ModelSpec, facts: ModelFacts | None) -> Files:
    """The model's file, and those of its weights."""
    if spec.source_format == "onnx":
        return Files((spec.model, *(facts.data_files if facts is not None else ())))
    return Files((spec.model, spec.params or spec.model.with_suffix(".pdiparams")))


def _runs(cell: Cell) -> Needs:
    """What running ``cell`` takes."""
    return Needs(environment=backend_of(cell.backend).environment, gpu=cell.device == "gpu")


def _running(name: str) -> tuple[str, ...]:
    """Libraries that answers of the backend ``name`` depend on; of an engine, its key has them."""
    used = backend_of(name)
    own = tuple(used.distributions) if used.engine is None else ()
    return (LIBRARY, "paddlepaddle", "pillow", "scipy", *own)
