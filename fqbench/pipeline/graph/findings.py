"""What is found out about the models of cells: answers, accuracy, what it depends on."""

from __future__ import annotations

from fqbench.backends import backend as backend_of
from fqbench.backends import int8_form
from fqbench.cells import Cell
from fqbench.data.calibration import evenly_spaced
from fqbench.graph.executor import LIBRARY, RUNNING
from fqbench.methods.given import METHOD as GIVEN
from fqbench.pipeline import decisions, steps
from fqbench.pipeline.graph.inputs import dumped
from fqbench.pipeline.graph.networks import Networks
from fqbench.precisions import baseline
from fqbench.precisions.own import EXACT, INT8, INT8_ALL
from fqbench.steps import ArtifactNode, Files, Needs, Select, Step, Unkeyed
from fqbench.steps.step import Input
from fqbench.tasks.decoding import source_of
from fqbench.tasks.registry import decoder_of

SATURATING_IMAGES = 4
"""Calibration images that layers which saturate are counted on."""


class ModelGraph(Networks):
    """The steps of one model. Each method returns the same node when it is asked again.

    ``facts``: what the model's file says; ``method``: how INT8 models are made; ``allow_code``:
    whether a decoder of the user's own may run; ``caches``: a folder for what builders of engines
    use again. Raises UsageError where images do not fit, NoGpu where an engine is to be built for
    one that is not there.
    """

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
        return self.step(
            "score",
            {"predictions": predictions, **self._truth},
            ("pycocotools", "numpy"),
            of=predictions,
            depends_on_cpu=False,
        )

    def examined(self, cell: Cell) -> ArtifactNode:
        """What INT8 in ``cell`` changes of FP32's answers, image by image.

        Where FP32 runs instead that is nothing: what would be looked at then.
        """
        if self.spec.labelled:
            fp32, found = self.predictions(cell.baseline), self.predictions(cell)
        else:
            fp32, found = None, self.agreement(cell)
        if not isinstance(found, Select):
            return self._examined(fp32, found)
        int8 = self._examined(fp32, found.options[decisions.INT8])
        options = {decisions.INT8: int8, decisions.FP32: found.options[decisions.FP32]}
        return self.select(found.name, found.by, found.decide, options)

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

    @property
    def has_answers(self) -> bool:
        """Whether answers tell anything: outputs are decoded, and weights are no random ones."""
        decodes = decoder_of(self.spec.decode).function is not None
        return decodes and self.spec.weights != "synthetic"

    def _examined(self, fp32: ArtifactNode | None, int8: ArtifactNode) -> Step:
        """``int8``: holds the answers of both where ``fp32`` is None."""
        sides = steps.SIDES if fp32 is None else ("", "")
        fp32 = int8 if fp32 is None else fp32
        images = [str(sample.path) for sample in self.images.data.samples]
        return self.step(
            "examine",
            {
                "fp32": fp32,
                "int8": int8,
                "sides": sides,
                "images": Unkeyed(images),
                **self._truth,
            },
            ("pycocotools", "numpy", "pillow"),
            of=(fp32, int8),
            depends_on_cpu=False,
        )

    @property
    def _truth(self) -> dict[str, Input]:
        """What answers are compared with."""
        data = self.images.data
        return {
            "task": self.spec.task,
            "dataset": Unkeyed(self.spec.dataset.model_dump(mode="json")),
            "truth": Files(data.truth),
            "labels": [[sample.image_id, sample.label] for sample in data.samples],
        }

    @property
    def _answered(self) -> dict[str, Input]:
        """The images that are answered, and the decoder's code."""
        samples, source = self.images.data.samples, source_of(self.spec.decode)
        return {
            "code": Files((source,) if source is not None and source.is_file() else ()),
            "allow_code": Unkeyed(self.allow_code),
            "images": Files(tuple(sample.path for sample in samples)),
            "ids": [sample.image_id for sample in samples],
        }

    def _predictions(self, cell: Cell, model: ArtifactNode, precision: str) -> ArtifactNode:
        samples = self.images.data.samples
        return self.step(
            "predict",
            {
                "artifact": model,
                "backend": cell.backend,
                "device": cell.device,
                "precision": precision,
                "reading": dumped(self.reading_of(cell).of(samples)),
                "decode": self.decode,
                **self._answered,
            },
            _running(cell.backend),
            len(samples),
            needs=_runs(cell),
            of=(cell.backend, cell.device, precision, self.made_by(cell) is GIVEN, model),
        )

    def _agreement(
        self, cell: Cell, fp32: ArtifactNode, int8: ArtifactNode, precision: str
    ) -> Step:
        return self.step(
            "agree",
            {
                "fp32": fp32,
                "int8": int8,
                "backend": cell.backend,
                "device": cell.device,
                "precision": precision,
                "reading": dumped(self.reading),
                "int8_reading": dumped(self.reading_of(cell)),
                "decode": self.decode if self.has_answers else None,
                **self._answered,
            },
            _running(cell.backend),
            len(self.images.data.samples),
            needs=_runs(cell),
            of=(cell, int8),
        )


def _runs(cell: Cell) -> Needs:
    """What running ``cell`` takes."""
    return Needs(environment=backend_of(cell.backend).environment, gpu=cell.device == "gpu")


def _running(name: str) -> tuple[str, ...]:
    """Libraries that answers of the backend ``name`` depend on; of an engine, its key has them."""
    used = backend_of(name)
    own = tuple(used.distributions) if used.engine is None else ()
    return (LIBRARY, "paddlepaddle", "pillow", "scipy", *own)
