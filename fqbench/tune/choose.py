"""How one backend runs a quantized model: what it costs in accuracy, what it saves in time.

1. Weights that saturate on the CPUs it is made for get another form. Zero points that cost time are
   left out, as far as the margin allows.
2. Where rounding costs more than the margin, the layers that cost most stay in float.
3. Ranges that clip less are tried, in parts of the graph.
4. Whole forms of the graph are timed beside FP32; the fastest stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from fqbench.backends.variants import FP32, Times, variants
from fqbench.graph.executor import Feed
from fqbench.graph.graph import Graph
from fqbench.quantize.record import Quantization
from fqbench.quantize.setting import Setting
from fqbench.tune.choice import (
    ACCURACY,
    EIGHT_BITS,
    SAFE,
    SPEED,
    UNSIGNED,
    Choice,
    LayerCost,
)
from fqbench.tune.error import raw_outputs
from fqbench.tune.estimators import ErrorEstimator, OutputErrorEstimator
from fqbench.tune.forms import (
    AS_QUANTIZED,
    MAX_TIME_RATIO,
    candidate_forms,
    fastest_form,
    saved_ms,
)
from fqbench.tune.local import local_errors
from fqbench.tune.search import (
    MAX_ERROR_RATIO,
    OnStep,
    give_back,
    minimal_float_prefix,
    select_wide_ranges,
    sensitivities,
    tried_alone,
)
from fqbench.tune.setting_errors import SettingErrors
from fqbench.tune.speed import Rounds, is_faster
from fqbench.tune.stopwatch import Alone, Stopwatch

LOCAL_IMAGES = 2
"""Images that each layer's own error is measured on."""
SATURATION_IMAGES = 2
"""Images that saturating sums are counted on."""
RANGES_FIRST_RATIO = 3.0
"""Up to so many times the error limit, ranges are tried before layers are kept in float."""
NEGLIGIBLE_RATIO = 0.25
"""Where the error is below this part of its limit, ranges are left as they are."""
IN_INTEGERS, IN_FLOAT = "SiLU in integers", "SiLU in float"
PRODUCTS = "products of activations in integers"


@dataclass(frozen=True)
class TuningTarget:
    """What the model is made for.

    ``limit``: largest relative squared error of the raw outputs, None for any. ``threads``: of
    the runtime when it is timed; None: it is not. ``fastest``: whether the speed here decides.
    ``saturates``: whether 8-bit products may saturate where the model will run; ``here``: whether
    that is this machine only.
    """

    limit: float | None
    threads: int | None
    fastest: bool = True
    saturates: bool = False
    here: bool = True


def choose(
    backend: str,
    model: onnx.ModelProto,
    quantization: Quantization,
    feeds: Sequence[Feed],
    target: TuningTarget,
    on_step: OnStep,
    estimator: ErrorEstimator | None = None,
    alone: Alone = lambda: nullcontext(()),
) -> Choice:
    """Decide how ``backend`` runs the quantized ``model``.

    ``estimator`` finds errors; None for one by the raw outputs of ``model``. What is timed is timed
    inside ``alone``.
    """
    by = estimator or OutputErrorEstimator.of(model, raw_outputs(Graph(model)), feeds)
    with TemporaryDirectory() as scratch:
        made = variants(backend, model, quantization, Path(scratch))
        errors = SettingErrors(made, by)
        search = _Search(model, quantization, feeds, target, on_step, errors, alone)
        return search.choice()


@dataclass
class _Search:
    """The phases, each of which decides a part of ``setting``."""

    model: onnx.ModelProto
    record: Quantization
    feeds: Sequence[Feed]
    target: TuningTarget
    on_step: OnStep
    errors: SettingErrors
    alone: Alone = lambda: nullcontext(())
    forms: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    own: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    times: tuple[Times, Times] = ({}, {})
    slowdown: float | None = None

    def __post_init__(self) -> None:
        self.graph = Graph(self.model)
        self.fixed = {**self.errors.variants.unsuited, **self.record.float_layers}
        self.layers = [n.name for n in self.graph.layers() if n.name not in self.fixed]
        self.setting = Setting(float_layers=frozenset(self.fixed))
        self.stopwatch = Stopwatch(self.errors.variants, self.feeds[0], self.alone)

    def choice(self) -> Choice:
        """The outcome of all phases."""
        self._choose_silu()
        self._choose_weights()
        self._choose_zero_points()
        before, costly = self._choose_layers()
        self._choose_ranges()
        kept = {**self.fixed, **dict.fromkeys(costly, ACCURACY)}
        if costly and self.target.limit is not None:
            left = self._give_back(costly, self.target.limit)
            kept = {**self.fixed, **dict.fromkeys(left, ACCURACY)}
        self.setting = replace(self.setting, float_layers=frozenset(kept))
        faster = self._choose_timed_form()
        kept |= dict.fromkeys(faster.float_layers - self.setting.float_layers, SPEED)
        self.setting = replace(faster, float_layers=frozenset(kept))
        self._make_rest_safe()
        forms = self.errors.variants.safe_forms
        safe = sorted(self.setting.safe & forms.keys())
        return Choice(
            float_layers=kept,
            float_silu=self.setting.float_silu,
            wide=tuple(name for name in self._with_wide_range() if name in self.setting.wide),
            error_all_int8=before,
            error=self.errors.of(self.setting),
            layers=tuple(map(self._layer_cost, self.layers)),
            forms=self.forms,
            safe={} if self.setting.unsigned else {name: forms[name] for name in safe},
            unsigned=tuple(safe) if self.setting.unsigned else (),
            weights=self.weights,
            slowdown=self.slowdown,
            zero_points=tuple(sorted(self.setting.zero_points)),
            products=tuple(sorted(self.setting.products)),
        )

    def _choose_silu(self) -> None:
        """SiLU in float between integers, where that is as fast, or speed is not known."""
        silus = any(map(self.graph.is_silu, self.model.graph.node))
        if not (silus and self.errors.variants.float_silu):
            return
        self.setting = replace(self.setting, float_silu=True)
        if self.target.fastest and self.target.threads is not None:
            integers = replace(self.setting, float_silu=False)
            timed = self._time_settings({IN_INTEGERS: integers, IN_FLOAT: self.setting})
            # In float it is more accurate.
            if is_faster(timed[IN_INTEGERS], timed[IN_FLOAT], MAX_TIME_RATIO):
                self.setting = integers

    def _choose_weights(self) -> None:
        """Safe weights where others would saturate, in the better one of the sets of layers.

        Sums that saturate on no calibration image may on another, so fewer layers must be clearly
        better.
        """
        made = self.errors.variants
        seen = self.feeds[:SATURATION_IMAGES] if self.target.here else ()
        if not self.target.saturates:
            return
        real = self.target.here and self.errors.real
        if real:
            self.weights[EIGHT_BITS] = self.errors.of(self.setting)
        else:
            self.weights[EIGHT_BITS] = self.errors.emulated(self.setting)
        chosen, *others = (
            replace(self.setting, safe=layers) for layers in made.unsafe(self.setting, seen)
        )
        # Here, what saturates counts as it does on images: it may be little.
        for other in (*others, self.setting) if real else ():
            if self.errors.of(other) < MAX_ERROR_RATIO * self.errors.of(chosen):
                chosen = other
        self.setting = chosen
        if not chosen.safe:
            return
        self.weights[SAFE] = self.errors.of(chosen)
        limit = self.target.limit
        if made.unsigned_weights and limit is not None and self.errors.of(chosen) > limit:
            unsigned = replace(chosen, unsigned=True)
            self.weights[UNSIGNED] = self.errors.of(unsigned)
            if self.weights[UNSIGNED] <= limit and self._beats_fp32(unsigned):
                self.setting = unsigned

    def _choose_zero_points(self) -> None:
        """The fastest codes that keep to the limit; if none do, those of the least error."""
        limit, sets = self.target.limit, self.errors.variants.zero_points
        if limit is None or not sets:
            return
        chosen = self.setting
        for layers in sets:
            if self.errors.of(chosen) <= limit:
                break
            other = replace(self.setting, zero_points=layers)
            if self.errors.of(other) < MAX_ERROR_RATIO * self.errors.of(chosen):
                chosen = other
        self.setting = chosen

    def _make_rest_safe(self) -> None:
        """Make layers safe that became unsafe: which channels are adjacent depends on which layers
        run in integers."""
        if self.target.saturates and not self.target.here:
            left = self.errors.variants.unsafe(self.setting, ())[0]
            self.setting = replace(self.setting, safe=self.setting.safe | left)

    def _beats_fp32(self, unsigned: Setting) -> bool:
        """Whether slower kernels for all layers beat FP32, with which some would have to run."""
        if not self.target.fastest or self.target.threads is None:
            return True
        timed = self._time_settings({UNSIGNED: unsigned})
        return is_faster(timed[UNSIGNED], timed[FP32], MAX_TIME_RATIO)

    def _choose_layers(self) -> tuple[float, tuple[str, ...]]:
        """The error of all INT8, and the fewest layers in float that keep to the limit."""
        before, limit = self.errors.of(self.setting), self.target.limit
        if limit is not None and limit < before <= RANGES_FIRST_RATIO * limit:
            self._choose_ranges()
        if limit is None or self.errors.of(self.setting) <= limit:
            return before, ()
        self._time_layers()
        self.own = local_errors(
            self.model,
            self.setting.applied(self.record, self.errors.variants.safe_forms),
            self.layers,
            self.feeds[:LOCAL_IMAGES],
            self.errors.variants.codes,
            results=self.errors.variants.writes_integers,
        )
        order = sorted(self.layers, key=lambda name: -self.own[name])
        count, images = tried_alone(len(self.layers), len(self.feeds), _pixels(self.feeds[0]))
        self.costs = sensitivities(
            lambda names: self._error_with_float(names, images),
            self.layers,
            order[:count],
            self.on_step,
        )
        saved = saved_ms(self.times, self.costs)
        worst = sorted(self.costs, key=lambda name: -self.costs[name] / saved[name])
        costly, _ = minimal_float_prefix(self._error_with_float, [*worst, *order[count:]], limit)
        self.setting = replace(self.setting, float_layers=frozenset({*self.fixed, *costly}))
        return before, costly

    def _error_with_float(self, layers: Collection[str], images: int | None = None) -> float:
        """The error with ``layers`` in float as well as those that always are."""
        kept = frozenset({*self.fixed, *layers})
        return self.errors.of(replace(self.setting, float_layers=kept), images)

    def _give_back(self, costly: Sequence[str], limit: float) -> tuple[str, ...]:
        """Those of ``costly`` that have to stay in float.

        None where all layers keep to ``limit`` with ranges that are chosen for them: those chosen
        beside layers in float are for the others.
        """
        left = give_back(self._error_with_float, costly, limit)
        if not left:
            return ()
        every = replace(self.setting, float_layers=frozenset(self.fixed))
        found = replace(every, wide=self._wide_ranges(every))
        if self.errors.of(found) > limit:
            return left
        self.setting = found
        return ()

    def _choose_ranges(self) -> None:
        """Once the errors of layers that will stay in float are gone: they would mask those of
        ranges."""
        limit = self.target.limit
        if limit is not None and self.errors.of(self.setting) <= NEGLIGIBLE_RATIO * limit:
            return
        self.setting = replace(self.setting, wide=self._wide_ranges(self.setting))

    def _wide_ranges(self, setting: Setting) -> frozenset[str]:
        """The tensors that are to take their wide range in ``setting``."""
        found = select_wide_ranges(
            lambda tensors: self.errors.of(replace(setting, wide=frozenset(tensors))),
            self._with_wide_range(),
        )
        return frozenset(found)

    def _with_wide_range(self) -> list[str]:
        """The tensors, in the graph's order, whose wide range differs from their range."""
        written = [name for node in self.model.graph.node for name in node.output]
        ranges, wide = self.record.ranges, self.record.wide
        return [
            name
            for name in (*self.graph.inputs, *written)
            if name in ranges and name in wide and wide[name] != ranges[name]
        ]

    def _choose_timed_form(self) -> Setting:
        """The setting by which the whole is fastest; and how it compares with FP32.

        Ranges were chosen for the layers that run in INT8: with more of them in float the error may
        be larger. A form that costs too much so is left out.
        """
        if self.target.threads is None:
            return self.setting
        settings = {AS_QUANTIZED: self.setting}
        if self.target.fastest:
            self._time_layers()
            settings = {
                text: replace(self.setting, float_layers=self.setting.float_layers | more)
                for text, more in candidate_forms(self.graph, self.times).items()
            }
            settings.update(self._with_products())
        timed = self._time_settings(settings)
        left = {text: timed[text] for text in settings}
        while not self._keeps_to_limit(settings[best := fastest_form(left)]):
            del left[best]
        self.slowdown = median(a / b for a, b in zip(timed[best], timed[FP32], strict=True))
        return settings[best]

    def _with_products(self) -> dict[str, Setting]:
        """The setting with products of activations in integers, where its error allows that.

        Kernels that saturate would need factors of fewer bits, with nothing left of the gain.
        """
        products = self.errors.variants.products
        if not products or self.target.saturates:
            return {}
        other = replace(self.setting, products=products)
        return {PRODUCTS: other} if self._keeps_to_limit(other) else {}

    def _keeps_to_limit(self, other: Setting) -> bool:
        """Whether the error of ``other`` is within the limit, or no larger than it is now."""
        limit = self.target.limit
        if limit is None or other == self.setting:
            return True
        return self.errors.of(other) <= max(limit, self.errors.of(self.setting))

    def _time_layers(self) -> None:
        """Time each layer's kernel in FP32 and in INT8, once, where the runtime reports it."""
        threads = self.target.threads if self.target.fastest else None
        if threads is not None and self.times == ({}, {}):
            self.times = self.stopwatch.layers(self.setting, threads)

    def _time_settings(self, settings: Mapping[str, Setting]) -> dict[str, Rounds]:
        """Times in each of ``settings`` and in FP32, interleaved; their medians are kept."""
        assert self.target.threads is not None
        timed = self.stopwatch.forms(settings, self.target.threads)
        self.forms.update({text: median(times) for text, times in timed.items()})
        return timed

    def _layer_cost(self, name: str) -> LayerCost:
        fp32, int8 = self.times
        found: Any = (self.own.get(name), self.costs.get(name), fp32.get(name), int8.get(name))
        return LayerCost(name, *found)


def _pixels(feed: Feed) -> int:
    """Places of an image as the model takes it."""
    return int(np.prod(feed[0].shape[2:])) or 1
