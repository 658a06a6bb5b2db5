"""Holds pages to their promises: how large a report is, and how long a browser takes to open it.

    python -m tools.page_check [PAGE ...] [--keep FOLDER] [--no-browser]

Without a PAGE two reports are made of made-up rows: *matrix*, of ten models on three backends, and
*images*, of a data set of 5000 images of which INT8 breaks a third. Nothing of a page is left out,
and pictures are as hard to compress as photos. Exits with 1 where a page has more than 6 MB, or
keeps a processor busy for more than 2 s while it opens.

Seconds of the CPU do not depend on what else runs, so they are what is judged. Needs the extra
``dev`` and the system's chromium.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from fqbench.backends import backends
from fqbench.cells import Cell
from fqbench.examine import parting
from fqbench.examine.pictures import picture
from fqbench.examine.record import MOST, Broken, Changes, PartedImage, Picture
from fqbench.measure.int8_gain import Int8Gain, Part
from fqbench.measure.stats import Interval, Latency, Launches
from fqbench.report.html import render
from fqbench.results import BestFloat, Results, Row
from fqbench.samples import Group, Samples
from fqbench.tasks.examination import Comparison, OperatingPoint, Shift
from fqbench.tune.choice import ACCURACY, LayerCost

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from fqbench.machine import MachineFacts

LARGEST_MB, LONGEST_S = 6.0, 2.0
MODELS, IMAGES, LAYERS = 10, 5000, 120
LAUNCHES, ROUNDS, TIMES = 8, 10, 40
PHOTOS = 3
"""Which are drawn on again and again: a page holds each by itself."""

MACHINE: MachineFacts = {
    "cpu": {"model": "Made up", "arch": "x86_64", "isa": ["avx2"], "cores": 2, "usable_cores": 2},
    "threads": 1,
    "versions": {"fqbench": "0.1.0", "python": "3.11.7", "onnxruntime": "1.32.0"},
}
POINTS = tuple(
    OperatingPoint(f"score {score:.2f}", score, 9000, 120, 80, 70, 20) for score in (0.25, 0.5)
)


def photo(noise: np.random.Generator) -> np.ndarray[Any, Any]:
    """Noise [480, 640, 3] whose power falls with the square of its frequency, as of photos.

    Field 1987, Relations between the statistics of natural images and the response properties of
    cortical cells.
    """
    rows, columns = np.fft.fftfreq(480)[:, None], np.fft.rfftfreq(640)[None]
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / 640)
    white = np.fft.rfft2(noise.standard_normal((3, 480, 640)))
    found = np.fft.irfft2(white * falling, s=(480, 640))
    pixels = 128 + 50 * found / found.std()
    return np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


@cache
def pictures() -> tuple[Picture, ...]:
    """As the step that examines a cell makes them."""
    noise = np.random.default_rng(0)
    photos = [photo(noise) for _ in range(PHOTOS)]
    return tuple(picture(each, None, None, lambda pixels, *_: pixels) for each in photos)


@dataclass(frozen=True)
class Case:
    """What ``render.write`` is given."""

    results: Results
    samples: Samples
    broken: Broken


def matrix() -> Case:
    """Ten models on three backends, each with 24 images that INT8 breaks."""
    return _case([f"model{number}" for number in range(MODELS)], 128)


def images() -> Case:
    """One model on three backends, of 5000 images."""
    return _case(["model"], IMAGES)


def _case(models: Sequence[str], count: int) -> Case:
    noise = np.random.default_rng(0)
    broken, rows, groups = Broken(), [], []
    for model in models:
        of_model, worst = _model(model, count, noise)
        rows += of_model
        broken += worst
        cells = {r.cell.id: _times(r.latency.p50.value, noise) for r in of_model if r.latency}
        groups.append(Group(cells, {"float32": _times(1.0, noise)}))
    return Case(Results.now(MACHINE, rows), Samples(tuple(groups)), broken.limited())


def _model(model: str, count: int, noise: np.random.Generator) -> tuple[list[Row], Broken]:
    rows, broken = [], Broken()
    for number, backend in enumerate(list(backends())[:3]):
        cell, ms = Cell(model, backend, "cpu", "int8"), 4.0 + number
        changes, worst = _examined(count, noise)
        best = Cell(model, next(iter(backends())), "cpu", "fp32")
        float_row = Row(cell.baseline, "ok", **_figures(2.5 * ms, count), accuracy=40.0)
        int8_row = Row(
            cell,
            "ok",
            **_figures(ms, count),
            **_layers(noise),
            accuracy=39.6,
            ratio=Interval(2.5, 2.45, 2.55),
            drop=Interval(0.4, 0.1 * number, 0.7 + 0.3 * number),
            margin=1.0,
            changes=changes,
        )
        rows += [
            replace(row, best_float=BestFloat(best, Interval(factor, factor - 0.05, factor + 0.05)))
            for row, factor in ((float_row, 4.0 / ms), (int8_row, 10.0 / ms))
        ]
        broken += Broken({cell.id: worst})
    return rows, broken


def _figures(ms: float, count: int) -> dict[str, Any]:
    known = Interval(ms, 0.99 * ms, 1.01 * ms)
    times = LAUNCHES * ROUNDS * TIMES
    return {
        "latency": Latency(known, 1.1 * ms, 1.3 * ms, ms, 0.95 * ms, times),
        "launches": LAUNCHES,
        "pinned": True,
        "roofline": Interval(0.5, 0.45, 0.55),
        "metric": "mAP",
        "images": count,
        "dataset": "labels.json",
    }


def _layers(noise: np.random.Generator) -> dict[str, Any]:
    """Of a model as large as the largest that people deploy."""
    layers = tuple(
        LayerCost(
            f"backbone_stage{number // 30}_block{number}_conv",
            *10 ** noise.uniform(-6, -2, 2),
            *noise.uniform(0.01, 1.0, 2),
        )
        for number in range(LAYERS)
    )
    return {
        "convolutions": LAYERS,
        "layers": layers,
        "float_layers": {layer.name: ACCURACY for layer in layers[::10]},
        "float_operators": {"3 Resize": "they only move values", "12 Sigmoid": "float is faster"},
        "int8_gain": Int8Gain(*(Part(number, 1.0, 0.5) for number in range(1, 7))),
    }


def _times(ms: float, noise: np.random.Generator) -> Launches:
    times = 1e-3 * ms * np.exp(0.02 * noise.standard_normal((LAUNCHES, ROUNDS, TIMES)))
    found: Launches = times.tolist()
    return found


def _examined(count: int, noise: np.random.Generator) -> tuple[Changes, tuple[PartedImage, ...]]:
    """What the step that examines a cell keeps of ``count`` images, a third of which part."""
    fp32 = noise.uniform(0.0, 1.0, count)
    int8 = np.where(noise.uniform(size=count) < 1 / 3, fp32 * noise.uniform(size=count), fp32)
    alike = np.where(int8 == fp32, 1.0, 0.5)
    compared = Comparison(fp32, int8, alike, POINTS, Shift(900, -0.03, 0.04, (0.85, 0.45), 7))
    places = parting.parted(compared)
    worst = tuple(
        PartedImage(
            f"{place:012}.jpg",
            float(fp32[place]),
            float(int8[place]),
            0.5,
            "7 objects: class 3 0.91, class 1 0.88, class 0 0.71 and others",
            "5 objects: class 3 0.84, class 1 0.52, class 0 0.50 and others",
            pictures()[number % PHOTOS],
        )
        for number, place in enumerate(places[:MOST])
    )
    changes = Changes(
        count, len(places), len(places), 0, "F1 at IoU 0.5", "", "detections", POINTS,
        compared.shift, "7.jpg",
    )  # fmt: skip
    return changes, worst


def made(name: str, case: Case, folder: Path) -> Path:
    """Write the page, and print how long that takes."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    started, used = time.perf_counter(), _cpu()
    page = render.write(case.results, case.samples, folder / name, None, case.broken)
    wall, cpu = time.perf_counter() - started, _cpu() - used
    print(f"{name}: made in {wall:.2f} s, of the CPU {cpu:.2f} s", flush=True)
    return page


def _cpu() -> float:
    """Seconds that this process and its children that have ended were computing."""
    each = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


def opened(page: Path, browser: Browser) -> tuple[float, float]:
    """Seconds until a page is drawn, and of the CPU, in the process that draws it."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.set_default_timeout(600_000)
    before, started = _renderers(browser), time.perf_counter()
    tab.goto(page.absolute().as_uri())
    # The second frame begins when the first has been drawn.
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wall, after = time.perf_counter() - started, _renderers(browser)
    tab.close()
    return wall, sum(used - before.get(process, 0.0) for process, used in after.items())


def _renderers(browser: Browser) -> dict[int, float]:
    """Seconds of the CPU that the browser's processes for pages have taken, by their ids."""
    session = browser.new_browser_cdp_session()
    running = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return {each["id"]: float(each["cpuTime"]) for each in running if each["type"] == "renderer"}


def browsers() -> Iterator[Browser]:
    """The system's chromium, once."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium: install it, as with apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=arguments, timeout=600_000)
        yield browser
        browser.close()


def judged(pages: Sequence[Path], look: bool) -> bool:
    """Print what each page is; whether all are as small and as quick as promised."""
    fine = True
    for page in pages:
        size = page.stat().st_size / 1e6
        fine &= size <= LARGEST_MB
        print(f"{page}: {size:.2f} MB", flush=True)
    for browser in browsers() if look else ():
        opened(pages[0], browser)  # The first is slower: the browser itself is still starting.
        for page in pages:
            wall, cpu = opened(page, browser)
            fine &= cpu <= LONGEST_S
            print(f"{page}: opened in {wall:.2f} s, of the CPU {cpu:.2f} s", flush=True)
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description="how large pages are, and how quickly they open")
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where made-up pages are kept")
    parser.add_argument("--no-browser", action="store_true", help="only how large they are")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        pages = options.pages or [made(each.__name__, each(), folder) for each in (matrix, images)]
        if not judged(pages, not options.no_browser):
            sys.exit(f"more than {LARGEST_MB:.0f} MB, or {LONGEST_S:.0f} s of the CPU")


if __name__ == "__main__":
    main()
