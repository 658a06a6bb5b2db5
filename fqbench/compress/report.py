"""What was made and why so: ``report.md``, ``.json`` and ``.html``, and the terminal's table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from fqbench import __version__, machine
from fqbench.backends import Int8Form, backends, label_of
from fqbench.compress.config import LoadedConfig
from fqbench.compress.job import CompressionJob
from fqbench.compress.make import BuildResult
from fqbench.compress.reading import described
from fqbench.compress.settings import Setting, settings
from fqbench.counting import counted, measured
from fqbench.fileio import write_text
from fqbench.methods.distillation.history import History
from fqbench.report.html import compress as html
from fqbench.report.html.compress import CompressPage
from fqbench.report.html.datatable import table as data_table
from fqbench.report.markdown import table
from fqbench.report.saturation import weight_costs, weight_forms
from fqbench.report.short import show_all, show_notes
from fqbench.report.table import NOTHING, method_label
from fqbench.spec.quantization import Cpu

SCHEMA = 1
REPORT = "report.md"

COLUMNS = (
    "Backend",
    "INT8 layers",
    "FP32 MB",
    "INT8 MB",
    "Estimated loss",
    "Ratio",
)

MEANING = (
    "Estimated loss: about how many points of accuracy INT8 costs, from the relative squared error"
    " of the raw outputs on calibration images. It chooses layers and is no measurement: fqbench"
    " run measures accuracy, with labelled images.",
    "Ratio: FP32 time over INT8 time on this machine, one thread, both timed in turns.",
)


@dataclass(frozen=True)
class Report:
    """Everything that is reported about one job."""

    loaded: LoadedConfig
    job: CompressionJob
    made: tuple[BuildResult, ...]
    created: str

    @staticmethod
    def now(loaded: LoadedConfig, job: CompressionJob, made: Sequence[BuildResult]) -> Report:
        """A report of this moment, in UTC."""
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return Report(loaded, job, tuple(made), created)

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write ``report.md``, ``report.json`` and ``report.html`` into ``folder``; return their
        paths."""
        return (
            write_text(folder / REPORT, self.markdown()),
            write_text(folder / "report.json", self.json(folder)),
            html.write(self.page(), folder),
        )

    def json(self, folder: Path) -> str:
        """The whole as a JSON object, files by their paths in ``folder``."""
        job, spec = self.job, self.job.spec
        backends = []
        for made in self.made:
            names = [str(path.relative_to(folder)) for path in made.files]
            backends.append({**asdict(replace(made, files=())), "files": names})
        content = {
            "schema": SCHEMA,
            "created": self.created,
            "fqbench": __version__,
            "machine": machine.describe(threads=1),
            "model": spec.name,
            "method": job.method.name,
            "calibration_images": job.images,
            "may_lose": spec.margins[0].drop,
            "spec": spec.model_dump(mode="json"),
            "backends": backends,
            "settings": [asdict(setting) for setting in settings(self.loaded, job)],
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    def markdown(self) -> str:
        """The whole in Markdown."""
        job = self.job
        parts = [
            f"# INT8 of {job.spec.name}",
            f"Made {self.created} (UTC) by fqbench {__version__} from {self.loaded.path.name}:"
            f" {method_label(job.method.quantizer.name)}, {job.counts}.",
            table(COLUMNS, [_line(made) for made in self.made]),
            "\n".join(f"- {text}" for text in (*self.notes(), *MEANING, _usage())),
        ]
        for made in self.made:
            if made.float_layers:
                parts += [
                    f"## In float on {label_of(made.backend)}",
                    table(("Layer", "Why"), sorted(made.float_layers.items())),
                ]
        parts += [
            "## What became of the settings",
            table(("Key", "Value", "Here"), [_told(each) for each in settings(self.loaded, job)]),
            f"How an image is read: {described(job.spec.preprocess)}.",
        ]
        return "\n\n".join(parts) + "\n"

    def page(self) -> CompressPage:
        """The whole as a page shows it."""
        job = self.job
        told = [_told(each) for each in settings(self.loaded, job)]
        return CompressPage(
            title=f"INT8 of {job.spec.name}",
            subtitle=f"Made {self.created} (UTC) from {self.loaded.path.name}:"
            f" {method_label(job.method.quantizer.name)}, {job.counts}.",
            made=data_table("What was made", COLUMNS, [_line(made) for made in self.made]),
            notes=(*self.notes(), *MEANING, _usage()),
            in_float=[
                data_table(
                    f"In float on {label_of(made.backend)}",
                    ("Layer", "Why"),
                    sorted(made.float_layers.items()),
                )
                for made in self.made
                if made.float_layers
            ],
            settings=data_table("Settings of the config", ("Key", "Value", "Here"), told),
            reading=f"How an image is read: {described(job.spec.preprocess)}.",
        )

    def notes(self) -> tuple[str, ...]:
        """Sentences on what the table does not show."""
        limit = self.job.spec.margins[0].drop
        spec = self.job.spec
        doubts = (text for made in self.made for text in _doubts(made, limit))
        found = (text for made in self.made for text in _notes(made, spec.metric, spec.cpu))
        return (*doubts, *found, *self._of_model())

    def _of_model(self) -> Iterable[str]:
        margin, nms = self.job.spec.margins[0], self.job.nms
        yield from (f"The model: {note}." for note in self.job.graphs[0].notes)
        yield from self._other_inputs()
        if not self.job.method.makes_whole_models:
            yield f"INT8 may lose {_points(margin.drop)}, as estimated: {margin.reason}."
        if nms:
            yield (
                "The model's non-maximum suppression is cut off, do it after the model: score"
                f" {nms['score']:g}, IoU {nms['iou']:g}, {nms['max_boxes']} boxes."
            )

    def _other_inputs(self) -> Iterable[str]:
        """Which models take an image otherwise than the model's file does."""
        if not self.job.graphs[0].takes_its_own_input:
            return
        for made in self.made:
            if any(path.suffix != ".onnx" for path in made.files):
                yield (
                    f"{label_of(made.backend)}: its model takes the image as float32, batch,"
                    " channels, height, width, and not as the model's file does."
                )


def _usage() -> str:
    """How the runtimes of CPUs run what was made for them in INT8."""
    configured, silent = [], []
    for known in backends().values():
        if isinstance(known.int8, Int8Form) and known.int8.device == "cpu":
            if known.int8.setting is None:
                silent.append(f"{known.label} needs no setting")
            else:
                configured.append(f"{known.label} runs the model in INT8 by {known.int8.setting}")
    return f"{'; '.join((*configured, *silent))}."


def show(report: Report, console: Console, *, verbose: bool, file: Path) -> None:
    """Print the table and the notes: of ``file``, which has more, the most important ones."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column == "Backend" else "right")
    for made in report.made:
        shown.add_row(*_line(made))
    console.print(shown)
    notes = (*report.notes(), *MEANING)
    if verbose:
        show_all(notes, console)
    else:
        show_notes(notes, console, there_are=len(notes), report=file)


def _line(made: BuildResult) -> tuple[str, ...]:
    name = label_of(made.backend)
    if made.reason is not None:
        return (name, "failed", *(NOTHING,) * (len(COLUMNS) - 2))
    return (
        name,
        NOTHING if made.layers is None else f"{made.int8_layers} of {made.layers}",
        f"{made.fp32_mb:.2f}",
        f"{made.int8_mb:.2f}",
        NOTHING if made.points is None else f"{made.points:.2f}",
        NOTHING if made.ratio is None else f"{made.ratio:.2f}",
    )


def _doubts(made: BuildResult, limit: float) -> Iterable[str]:
    """What speaks against using a model."""
    name = label_of(made.backend)
    if made.reason is not None:
        yield f"{name}: no model: {made.reason}"
        return
    if made.points is not None and made.points > limit:
        yield (
            f"{name}: no form of it with a layer in INT8 loses at most {_points(limit)}, as"
            f" estimated; this one loses about {made.points:.2f}: measure it before you use it."
        )
    if not made.pays:
        yield f"{name}: on this machine INT8 is not faster than FP32, which may run instead."


def _notes(made: BuildResult, metric: str, cpu: Cpu) -> Iterable[str]:
    """What else is known of a model that was made."""
    name = label_of(made.backend)
    if made.reason is not None:
        return
    if made.layers is None or made.int8_layers is None:
        yield (
            f"{name}: written as the method made it; which layers are in INT8, and what that costs,"
            " is not known here."
        )
        return
    if made.training is not None:
        yield f"{name}: {_trained(made.training)}."
    reasons = Counter((made.float_layers or {}).values())
    rest = made.layers - made.int8_layers - reasons.total()
    if rest > 0:
        reasons["the backend has no integer kernel that pays for them"] = rest
    if reasons:
        listed = ", ".join(
            reason if len(reasons) == 1 else f"{count} since {reason}"
            for reason, count in reasons.most_common()
        )
        kept = made.layers - made.int8_layers
        yield f"{name}: {kept} of {counted(made.layers, 'layer')} in float ({listed})."
    forms = weight_forms(made.safe_layers, made.unsigned_layers)
    if forms:
        cpus = "no CPU of x86 is to saturate" if cpu == "any" else "8-bit products saturate here"
        costs = weight_costs(
            made.weight_errors or {}, made.unsigned_layers, metric, any_cpu=cpu == "any"
        )
        yield f"{name}: {forms}, since {cpus}{costs}."


def _trained(history: History) -> str:
    start, best = history.evaluations[0], history.best
    text = f"trained for {history.iteration} iterations, {history.stopped}"
    if best.iteration == 0:
        return f"{text}; none of them made it better, and the weights from before are kept"
    return (
        f"{text}; kept are the weights after {best.iteration}, which lose {best.points_lost:.2f}"
        f" points, as estimated on images held out, instead of {start.points_lost:.2f}"
    )


def _points(drop: float) -> str:
    return measured(drop, "point")


def _told(setting: Setting) -> tuple[str, str, str]:
    return setting.key, setting.value, setting.meaning
