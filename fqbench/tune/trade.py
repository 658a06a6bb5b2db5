"""Layers traded for speed along the whole front between INT8 and FP32, on calibration images.

1. Each layer's own error is measured, and of those that cost most for the time that they save what
   the whole model loses by them alone.
2. What INT8 saves in a layer is the runtime's own profile, or, where it tells none, what the whole
   model takes longer with a part of its layers in float.
3. Of the dearest layers those that follow each other are measured together.
4. Layers go to float in the order of what that regains for each millisecond, up to several points.
   The whole model is judged and timed at each; what is dominated is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from fqbench.backends.variants import FP32, Variants, variants
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph
from fqbench.quantize.record import Quantization
from fqbench.quantize.setting import Setting
from fqbench.tune.choice import ACCURACY, Choice
from fqbench.tune.choose import LOCAL_IMAGES
from fqbench.tune.error import raw_outputs
from fqbench.tune.estimators import ErrorEstimator, OutputErrorEstimator
from fqbench.tune.forms import MAX_TIME_RATIO
from fqbench.tune.local import local_errors
from fqbench.tune.search import FEWEST_IMAGES, OnStep, sensitivities
from fqbench.tune.setting_errors import SettingErrors
from fqbench.tune.speed import Rounds
from fqbench.tune.stopwatch import Alone, Stopwatch
from fqbench.tune.tradeoff import (
    LayerTrade,
    Pair,
    Tradeoff,
    cheapest_first,
    errors_of_all,
    following,
    prefixes,
    undominated,
    units,
)

MEASURED = 16
"""Layers of which the error of the whole model is measured."""
PAIRED = 12
"""Layers, the first to go to float, among which pairs are looked for."""
PAIRS = 4
"""Pairs that are measured."""
GROUPS = 8
"""Parts of the graph that are timed in float where the runtime tells no layer's time."""

ALL, BASE = "all in INT8", "as chosen"


@dataclass(frozen=True)
class Quantized:
    """A quantized model, and how ``backend`` was chosen to run it.

    ``anywhere``: whether no 8-bit product may saturate on any CPU. ``threads``: of the runtime when
    it is timed.
    """

    backend: str
    model: onnx.ModelProto
    record: Quantization
    choice: Choice
    anywhere: bool
    threads: int


def trade(
    quantized: Quantized,
    feeds: Sequence[Feed],
    on_step: OnStep,
    estimator: ErrorEstimator | None = None,
    alone: Alone = lambda: nullcontext(()),
) -> Tradeoff:
    """Find out what each layer costs and saves, and the points along the front.

    ``estimator``, ``alone``: as of ``fqbench.tune.choose.choose``.
    """
    model = quantized.model
    by = estimator or OutputErrorEstimator.of(model, raw_outputs(Graph(model)), feeds)
    with TemporaryDirectory() as scratch:
        made = variants(quantized.backend, model, quantized.record, Path(scratch))
        return _Trade(quantized, made, feeds, on_step, SettingErrors(made, by), alone).found()


@dataclass
class _Trade:
    """The model in the setting of its choice, whose layers in float are another question here."""

    quantized: Quantized
    made: Variants
    feeds: Sequence[Feed]
    on_step: OnStep
    errors: SettingErrors
    alone: Alone

    def __post_init__(self) -> None:
        choice = self.quantized.choice
        self.graph = Graph(self.quantized.model)
        self.stopwatch = Stopwatch(self.made, self.feeds[0], self.alone)
        self.fixed = {n: why for n, why in choice.float_layers.items() if why != ACCURACY}
        self.layers = [n.name for n in self.graph.layers() if n.name not in self.fixed]
        self.setting = Setting(
            float_layers=frozenset(self.fixed),
            wide=frozenset(choice.wide),
            safe=frozenset(choice.safe) | frozenset(choice.unsigned),
            unsigned=bool(choice.unsigned),
            float_silu=choice.float_silu,
            zero_points=frozenset(choice.zero_points),
        )

    def found(self) -> Tradeoff:
        """All phases."""
        saved = self._saved()
        layers = self._costs(saved)
        pairs = self._pairs({each.name: each for each in layers})
        order = cheapest_first(units(layers, pairs))
        points, base = self._timed(prefixes(order, self._error))
        first = {name: n for n, name in enumerate(chain.from_iterable(u.layers for u in order))}
        return Tradeoff(
            tuple(sorted(layers, key=lambda layer: first[layer.name])),
            tuple(pairs),
            undominated(points, base, MAX_TIME_RATIO),
            base.slowdown or 1.0,
        )

    def _with_float(self, layers: Collection[str]) -> Setting:
        setting = replace(self.setting, float_layers=frozenset({*self.fixed, *layers}))
        if self.quantized.anywhere:
            # Which layers may saturate depends on which ones run in integers.
            setting = replace(setting, safe=setting.safe | self.made.unsafe(setting, ())[0])
        return setting

    def _error(self, layers: Collection[str], images: int | None = None) -> float:
        return self.errors.of(self._with_float(layers), images)

    def _costs(self, saved: Mapping[str, float]) -> list[LayerTrade]:
        """What each layer costs, in the graph's order."""
        own = local_errors(
            self.quantized.model,
            self.setting.applied(self.quantized.record, self.made.safe_forms),
            self.layers,
            self.feeds[:LOCAL_IMAGES],
            self.made.codes,
            results=self.made.writes_integers,
        )
        guessed = [
            LayerTrade(n, own[n], measured=False, saved_ms=saved.get(n)) for n in self.layers
        ]
        dearest = [name for unit in cheapest_first(units(guessed)) for name in unit.layers]
        alone = sensitivities(
            lambda names: self._error(names, FEWEST_IMAGES),
            self.layers,
            dearest[:MEASURED],
            self.on_step,
        )
        found = errors_of_all(own, alone)
        return [LayerTrade(n, found[n], n in alone, saved.get(n)) for n in self.layers]

    def _saved(self) -> dict[str, float]:
        """Milliseconds that INT8 saves in each layer, as far as that can be found out."""
        known = {
            layer.name: layer.fp32_ms - layer.int8_ms
            for layer in self.quantized.choice.layers
            if layer.fp32_ms is not None and layer.int8_ms is not None
        }
        if not known:
            fp32, int8 = self.stopwatch.layers(self.setting, self.quantized.threads)
            known = {name: fp32[name] - int8[name] for name in fp32.keys() & int8.keys()}
        return known or self._saved_by_parts()

    def _saved_by_parts(self) -> dict[str, float]:
        """The same by the whole model with a part of its layers in float, each layer alike."""
        parts = [part.tolist() for part in np.array_split(np.array(self.layers), GROUPS)]
        timed = self._time({str(n): part for n, part in enumerate(parts) if part})
        return {
            name: (timed[str(n)] - timed[ALL]) / len(part)
            for n, part in enumerate(parts)
            for name in part
        }

    def _pairs(self, layers: Mapping[str, LayerTrade]) -> list[Pair]:
        """Of the first to go to float, the pairs that follow each other, measured together."""
        dearest = [unit.layers[0] for unit in cheapest_first(units(layers.values()))]
        near = {name: rank for rank, name in enumerate(dearest[:PAIRED])}
        both = [pair for pair in following(self.graph) if near.keys() >= set(pair)]
        chosen = sorted(dict.fromkeys(both), key=lambda pair: near[pair[0]] + near[pair[1]])[:PAIRS]
        if not chosen:
            return []
        timed = self._time({" and ".join(pair): pair for pair in chosen})
        return [self._pair(layers, pair, timed) for pair in chosen]

    def _pair(
        self, layers: Mapping[str, LayerTrade], pair: tuple[str, str], timed: Mapping[str, float]
    ) -> Pair:
        others = [name for name in self.layers if name not in pair]
        alone = [self._error_alone(layers[name]) for name in pair]
        saved = [layers[name].saved_ms for name in pair]
        return Pair(
            *pair,
            error=self._error(others, FEWEST_IMAGES),
            apart=sum(alone),
            saved_ms=timed[" and ".join(pair)] - timed[ALL],
            saved_apart=None if None in saved else sum(each or 0.0 for each in saved),
        )

    def _error_alone(self, layer: LayerTrade) -> float:
        if layer.measured:
            return layer.error
        return self._error([n for n in self.layers if n != layer.name], FEWEST_IMAGES)

    def _timed(self, kept: Sequence[tuple[str, ...]]) -> tuple[list[Choice], Choice]:
        """The points with ``kept`` in float, and the choice that they are made of, both timed."""
        base = self.quantized.choice
        chosen = frozenset(n for n, why in base.float_layers.items() if why == ACCURACY)
        others = [names for names in kept if frozenset(names) != chosen]
        timed = self._time({BASE: tuple(chosen), **{str(n): each for n, each in enumerate(others)}})
        points = [self._point(names, timed[str(n)] / timed[FP32]) for n, names in enumerate(others)]
        return points, replace(
            base, error=self._error(tuple(chosen)), slowdown=timed[BASE] / timed[FP32]
        )

    def _point(self, names: tuple[str, ...], slowdown: float) -> Choice:
        setting, forms = self._with_float(names), self.made.safe_forms
        safe = sorted(setting.safe & forms.keys())
        return replace(
            self.quantized.choice,
            float_layers={**self.fixed, **dict.fromkeys(names, ACCURACY)},
            error=self.errors.of(setting),
            slowdown=slowdown,
            safe={} if setting.unsigned else {name: forms[name] for name in safe},
            unsigned=tuple(safe) if setting.unsigned else (),
        )

    def _time(self, forms: Mapping[str, Collection[str]]) -> dict[str, float]:
        """Milliseconds of the whole in FP32, in INT8, and with the layers of each of ``forms`` in
        float: interleaved, as ratios of the same rounds to FP32's."""
        settings = {ALL: self.setting, **{t: self._with_float(n) for t, n in forms.items()}}
        timed = self.stopwatch.forms(settings, self.quantized.threads)
        fp32 = median(timed[FP32])
        return {text: fp32 * _typical_ratio(each, timed[FP32]) for text, each in timed.items()}


def _typical_ratio(one: Rounds, other: Rounds) -> float:
    """The median ratio of rounds: what slows the machine for a while slows both."""
    return median(a / b for a, b in zip(one, other, strict=True))
