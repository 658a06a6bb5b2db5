"""One model, asked one thing at a time: what pytest's fixtures and tools need of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from fqbench.artifacts import Artifact
from fqbench.cells import Cell
from fqbench.data.digests import Digests
from fqbench.hardware import usable_cores
from fqbench.margins import Margins, default_margins_path, load_margins
from fqbench.measure.accuracy import lost
from fqbench.measure.cell_loading import Loadable
from fqbench.measure.evaluation_profile import EvaluationMeasurement, EvaluationProfile
from fqbench.measure.launches import MeasurementBudget, Process
from fqbench.measure.messages import CellMeasurement
from fqbench.measure.overhead import Overhead
from fqbench.measure.prediction import Prediction, read_predictions
from fqbench.measure.stats import Interval
from fqbench.message import Message
from fqbench.methods import DEFAULT
from fqbench.pipeline import decisions
from fqbench.pipeline.graph import ModelGraph
from fqbench.pipeline.images import Images
from fqbench.pipeline.timing import Subject, Timed, measured, timing
from fqbench.pipeline.written import Points, points_of, seconds_of
from fqbench.spec import ModelSpec
from fqbench.spec.check import ModelFacts
from fqbench.steps import ArtifactNode, Finished, Measurement, Node, Select
from fqbench.steps.executor import Executor
from fqbench.tasks.decoding import decoder
from fqbench.tasks.registry import decoder_of
from fqbench.tune.choice import Choice
from fqbench.vision.image import read_image

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Answers:
    """What a cell answered for the images; ``node``: the step that holds the answers."""

    node: ArtifactNode
    predictions: tuple[Prediction, ...]
    int8_convolutions: int


@dataclass(frozen=True)
class Agreement:
    """Mean cosine of INT8's outputs and FP32's, and how many convolutions each ran in INT8."""

    value: float
    fp32_convolutions: int
    int8_convolutions: int


@dataclass(frozen=True)
class Lowered:
    """Convolutions of a model, and those of them with INT8 weights and input."""

    convolutions: int
    quantized: int


class Model:
    """Everything about one model, found in the store or made when it is asked for.

    ``facts``: what its file says. Methods raise StepError where a step fails, and UsageError where
    images do not fit.
    """

    def __init__(
        self,
        spec: ModelSpec,
        facts: ModelFacts,
        executor: Executor,
        *,
        allow_code: bool = False,
        margins: Margins | None = None,
        method: str = DEFAULT,
    ) -> None:
        if facts.decode is not None:
            spec = spec.model_copy(update={"decode": facts.decode})
        self.spec, self.executor, self._facts = spec, executor, facts
        self.images = Images(spec, Digests(executor.store.root))
        self._allow_code = allow_code
        self.graph = ModelGraph(
            spec,
            facts,
            self.images,
            load_margins(default_margins_path()) if margins is None else margins,
            method,
            allow_code=allow_code,
            caches=executor.store.root,
        )

    @property
    def method(self) -> str:
        """How its INT8 models are made."""
        return self.graph.method

    @property
    def is_lowered(self) -> bool:
        """Whether its INT8 models are lowered from a quantization, layers chosen; else they come
        whole from its method."""
        return self.graph.quantizer.yields == "quantization"

    def check(self, *, calibrates: bool, methods: Sequence[str] = ()) -> None:
        """Raise UsageError where images are missing or broken, before any work starts.

        ``methods``: those that make INT8 models; without any, its own does.
        """
        decode, size = self.spec.decode, self.spec.preprocess.resize.output
        if decoder_of(decode).function is not None:
            decoder(decode, size, allow_code=self._allow_code)
        if self._facts.classes is not None and self.spec.labelled:
            self.images.check_classes(self._facts.classes)
        read_image(self.images.data.samples[0].path)
        if calibrates:
            quantizers = [self.graph.by(name).quantizer for name in methods or [self.method]]
            further = [
                path
                for quantizer in quantizers
                for key, chosen in quantizer.images(self.spec).items()
                for path in self.images.unseen(chosen, key)
            ]
            for path in {*self.images.calibration, *further}:
                read_image(path)

    def made(self, node: ArtifactNode) -> Artifact:
        """The artifact of a node of its graph."""
        return self._run(node).artifact(node)

    def artifact(self, cell: Cell, batch: int = 1) -> Artifact:
        """What the backend of ``cell`` loads to run ``batch`` images at once."""
        return self.made(self.graph.artifact(cell, batch))

    def network(self, cell: Cell) -> Artifact:
        """The model of ``cell`` in the form that its backend loads, or builds its engine from."""
        return self.made(self.graph.network(cell))

    def choice(self, cell: Cell) -> Choice:
        """Which layers of an INT8 cell are in float, and why."""
        return decisions.choice_of(self.made(self.graph.choice(cell.backend)))

    def int8_is_used(self, cell: Cell) -> bool:
        """Whether an INT8 cell runs INT8, and not FP32 since that is faster."""
        node = self.graph.network(cell)
        if not isinstance(node, Select):
            return True
        return self._run(node).option(node) == decisions.INT8

    def lowering(self, cell: Cell) -> Lowered:
        """How many convolutions an INT8 cell has, and how many of them run in INT8."""
        lowered = self.made(self.graph.lowered(cell.backend))
        plan = json.loads(lowered.file("plan.json").read_text())
        return Lowered(plan["convolutions"], plan["quantized"] if self.int8_is_used(cell) else 0)

    def quantizing_seconds(self, cell: Cell) -> float:
        """What all steps from the canonical graph to the INT8 form took."""
        nodes = self.graph.quantizing(cell.backend)
        finished = self._run(*nodes)
        return seconds_of(finished.artifact(node) for node in nodes)

    def answers(self, cell: Cell) -> Answers:
        """What ``cell`` answers for each image, and what the runtime ran."""
        return self._answers(self.graph.predictions(cell))

    def emulated(self, cell: Cell) -> Answers:
        """What the network of a TensorRT ``cell`` answers, executed by ONNX Runtime on the CPU."""
        return self._answers(self.graph.emulated(cell))

    def points(self, answers: Answers) -> Points:
        """Accuracy on all images of the data set, then on resamples of them."""
        return points_of(self.made(self.graph.score_of(answers.node)))

    def accuracy(self, answers: Answers) -> float:
        """The metric of the model's task on the data set, in points of 0 to 100."""
        return float(self.points(answers)[0])

    def drop(self, fp32: Answers, int8: Answers) -> Interval:
        """Points lost from ``fp32`` to ``int8`` on the same images, with a paired interval."""
        return lost(self.points(fp32), self.points(int8))

    def agreement(self, int8: Cell) -> Agreement:
        """How alike the outputs of ``int8`` and of FP32 are."""
        made = self.made(self.graph.agreement(int8))
        facts = json.loads(made.file("agreement.json").read_text())
        return Agreement(facts["agreement"], *facts["int8_convolutions"])

    def times(self, cells: Sequence[Cell], threads: int, budget: MeasurementBudget) -> Timed:
        """Times of ``cells`` of one backend and of the reference kernels, in turns."""
        subjects = [Subject.of(self.graph, cell) for cell in cells]
        node = timing([subjects], threads, budget)
        found: Timed = self._run(node).value(node)
        return found

    def process(self, cell: Cell, threads: int, side: str) -> Process:
        """What times ``cell``, which it calls ``side``."""
        subject = Subject.of(self.graph, cell)
        return subject.process(self._run(subject.loads, self.graph.network(cell)), threads, side)

    def overhead(self, cell: Cell) -> Overhead:
        """Times of ``cell`` as it is measured and in a bare loop, in turns."""
        image = Subject.of(self.graph, cell).image
        return self._measured(
            "overhead:time_overhead",
            lambda loadable: CellMeasurement(cell=loadable, image=image, threads=1),
            TypeAdapter(Overhead),
            cell,
            threads=1,
        )

    def evaluation_profile(self, cell: Cell) -> EvaluationProfile:
        """How long evaluating ``cell`` takes an image, and its parts."""
        images = tuple(sample.path for sample in self.images.data.samples)
        return self._measured(
            "evaluation_profile:time_evaluation",
            lambda loadable: EvaluationMeasurement(
                cell=loadable,
                images=images,
                decode=self.spec.decode,
                allow_code=self._allow_code,
            ),
            TypeAdapter(EvaluationProfile),
            cell,
            threads=usable_cores(),
        )

    def _measured(
        self,
        function: str,
        request: Callable[[Loadable], Message],
        answer: TypeAdapter[_Answer],
        cell: Cell,
        *,
        threads: int,
    ) -> _Answer:
        subject = Subject.of(self.graph, cell)
        node = Measurement(
            f"measure_{cell.backend}",
            self.spec.name,
            (subject.loads, self.graph.network(cell)),
            lambda finished, report: measured(
                f"fqbench.measure.{function}",
                request(subject.loadable(finished)),
                answer,
                subject,
                threads,
                report,
            ),
        )
        found: _Answer = self._run(node).value(node)
        return found

    def _answers(self, node: ArtifactNode) -> Answers:
        made = self.made(node)
        facts = json.loads(made.file("facts.json").read_text())
        return Answers(node, read_predictions(made.path), facts["int8_convolutions"])

    def _run(self, *nodes: Node) -> Finished:
        return self.executor.run(nodes)
