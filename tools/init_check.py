"""What ``fqbench init`` proposes for models whose specs are known, beside these specs.

    FQBENCH_DATA=DIR python -m tools.init_check [--models NAME ...] [--ways alone images labels]

Each model is looked at alone, with images, and with labelled images. A cell says how sure a
proposal was, and whether it is what the spec written by hand has: ``sure``, ``likely``, ``guess``,
with an exclamation mark where it is wrong. Exits with 1 where one that was called sure is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fqbench import zoo
from fqbench.errors import FqbenchError
from fqbench.propose.make import Wanted, draft
from fqbench.propose.proposal import Proposed
from fqbench.propose.search import described
from fqbench.spec import ModelSpec, Preprocess
from fqbench.spec.load import load_spec
from fqbench.spec.preprocessing import Crop

EXAMPLES = Path(__file__).parents[1] / "examples"
ASPECTS = ("task", "decoder", "layout", "size", "resizing", "color", "mean, std")
WAYS = ("alone", "images", "labels")

SAME = 0.01
"""Of the range of an input: normalizations that differ by less are the same."""

CALIBRATING = ("coco/images/train2017", "coco/instances_train2017_128.json")
"""Labelled images of COCO that no accuracy is measured on."""


@dataclass(frozen=True)
class Verdict:
    """Of one aspect: how sure, and whether right."""

    sureness: str
    right: bool

    def __str__(self) -> str:
        return self.sureness + ("" if self.right else "!")


def verdicts(found: Proposed, spec: ModelSpec, layout: str) -> dict[str, Verdict]:
    """Each aspect of what was ``found``, held against the spec."""
    values = {each.key: (each.value, each.sureness) for each in found.proposals}
    resize, scale = values["preprocess.resize"], values["preprocess.scale"]
    proposed = Preprocess.model_validate(
        {"resize": resize[0], "color": values["preprocess.color"][0], **scale[0]}
    )
    own = spec.preprocess
    rights = {
        "task": ("task", found.task == spec.task),
        "decoder": ("decode", values["decode"][0]["kind"] == spec.decode.kind),
        "layout": ("layout", values["layout"][0] == layout),
        "size": ("preprocess.resize.size", proposed.resize.output == own.resize.output),
        "resizing": ("preprocess.resize", _handling(proposed) == _handling(own)),
        "color": ("preprocess.color", proposed.color == own.color),
        "mean, std": ("preprocess.scale", same_values(proposed, own)),
    }
    return {name: Verdict(values[key][1], right) for name, (key, right) in rights.items()}


def _handling(way: Preprocess) -> str:
    """A crop's short side depends on how the images are stored, not on the model."""
    return way.resize.kind if isinstance(way.resize, Crop) else described(way.resize)


def same_values(one: Preprocess, other: Preprocess) -> bool:
    """Whether black and white become about the same numbers, in each channel."""
    ends = []
    for way in (one, other):
        pixels = np.array([[0.0], [255.0]]) * way.scale
        values = (pixels - np.array(way.mean)) / np.array(way.std)
        ends.append(np.broadcast_to(values, (2, way.channels)))
    width = float((ends[1][1] - ends[1][0]).max())
    return bool(np.abs(ends[0] - ends[1]).max() <= SAME * width)


def embedded(folder: Path, names: Sequence[str] | None = None) -> Iterator[ModelSpec]:
    """The specs of the embedded models, their data written to ``folder``; of all without names."""
    for name in zoo.embedded_names():
        if names is not None and name not in names:
            continue
        (folder / name).mkdir()
        zoo.materialize(name, folder / name)
        yield zoo.spec(name, folder / name)


def examples(root: Path) -> Iterator[ModelSpec]:
    """The example specs."""
    for path in sorted(EXAMPLES.glob("*.yaml")):
        yield load_spec(path, root)


def wanted(spec: ModelSpec, way: str, root: Path | None, count: int) -> Wanted:
    """What a user of ``fqbench init`` would give."""
    if way == "alone":
        return Wanted(spec.model, root=root)
    images, labels = spec.dataset.images, spec.dataset.truth
    if root is not None and spec.dataset.kind == "coco" and images.is_relative_to(root):
        images, labels = (root / part for part in CALIBRATING)
    return Wanted(spec.model, images, labels if way == "labels" else None, None, root, count)


def checked(
    specs: Sequence[ModelSpec], ways: Sequence[str], root: Path | None, count: int
) -> Iterator[tuple[str, str, Mapping[str, Verdict] | str]]:
    """Name, way and verdicts of each; a sentence where a spec was refused."""
    for spec in specs:
        for way in ways:
            try:
                with TemporaryDirectory() as folder:
                    made = draft(wanted(spec, way, root, count), Path(folder))
                yield spec.name, way, verdicts(made.found, spec, spec.layout or "nchw")
            except FqbenchError as error:
                yield spec.name, way, str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description="what fqbench init proposes, beside known specs")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--count", type=int, default=24)
    options = parser.parse_args()
    root = Path(os.environ["FQBENCH_DATA"]) if "FQBENCH_DATA" in os.environ else None
    counted: Counter[tuple[str, bool]] = Counter()
    refused = 0
    with TemporaryDirectory() as folder:
        specs = [*embedded(Path(folder), options.models), *(() if root is None else examples(root))]
        chosen = [s for s in specs if options.models is None or s.name in options.models]
        print("| model | given |", " | ".join(ASPECTS), "|")
        print("|---|---|", "|".join(["---"] * len(ASPECTS)), "|", sep="")
        for name, way, found in checked(chosen, options.ways, root, options.count):
            if isinstance(found, str):
                refused += 1
                print(f"| {name} | {way} | refused: {found} |", flush=True)
                continue
            cells = " | ".join(str(found[aspect]) for aspect in ASPECTS)
            print(f"| {name} | {way} | {cells} |", flush=True)
            counted.update((each.sureness, each.right) for each in found.values())
    for sureness in ("sure", "likely", "guess"):
        right, wrong = counted[sureness, True], counted[sureness, False]
        print(f"{sureness}: {right} right, {wrong} wrong")
    print(f"refused: {refused}")
    return 1 if counted["sure", False] else 0


if __name__ == "__main__":
    sys.exit(main())
