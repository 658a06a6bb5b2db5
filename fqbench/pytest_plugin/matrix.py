"""Model x backend x device x precision, for tests that ask for a part of it.

A test that takes ``cell`` runs once a cell, one that takes ``pair`` once a model, backend and
device, with its FP32 and INT8 cell, one that takes ``model`` once a model. What cannot run here is
skipped with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import pytest

from fqbench import methods
from fqbench.artifacts import Store, default_root
from fqbench.backends import lowering_target
from fqbench.cells import Cell, Selection, matrix
from fqbench.errors import FqbenchError, UsageError
from fqbench.margins import Margins, default_margins_path, load_margins
from fqbench.pipeline.graph import unsupported
from fqbench.pipeline.model import Model
from fqbench.pipeline.zoo_models import from_zoo
from fqbench.precisions import baseline
from fqbench.precisions.own import INT8
from fqbench.pytest_plugin.facts import machine_facts
from fqbench.pytest_plugin.settings import settings_of
from fqbench.spec import Margin, ModelSpec
from fqbench.spec.check import check_model
from fqbench.spec.load import load_specs
from fqbench.steps.executor import LocalExecutor
from fqbench.zoo.choosing import chosen_names, zoo_names


@dataclass(frozen=True)
class Pair:
    """FP32 and INT8 of one model, backend and device."""

    fp32: Cell
    int8: Cell

    @property
    def id(self) -> str:
        """The cell's id without its precision."""
        return f"{self.fp32.model}-{self.fp32.backend}-{self.fp32.device}"


class MatrixUnderTest:
    """The models of this test session, their cells, and what these are held to.

    ``method``: how INT8 models are made. Raises UsageError, as its methods do, where a setting or
    a spec is not usable.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._settings = config, settings_of(config)
        self.method = methods.method(self._settings.method or methods.DEFAULT).name
        self._pipelines: dict[str, Model] = {}

    @cached_property
    def _executor(self) -> LocalExecutor:
        return LocalExecutor(Store(default_root()))

    @cached_property
    def _own(self) -> dict[str, ModelSpec]:
        specs, problems = load_specs(self._settings.specs, self._settings.data_root)
        if problems:
            raise UsageError("; ".join(problem.message for problem in problems))
        return {spec.name: spec for spec in specs}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the chosen models."""
        wanted, own = self._settings.models, tuple(self._own)
        if not own:
            return zoo_names(wanted)
        chosen = chosen_names(wanted, own, own)
        return tuple(name for name in own if name in chosen)

    def cells(self) -> tuple[Cell, ...]:
        """The chosen cells, those that cannot run here included."""
        chosen = {
            "backends": self._settings.backends,
            "devices": self._settings.devices,
            "precisions": self._settings.precisions,
        }
        Selection(**chosen).check()
        given = {key: names for key, names in chosen.items() if names is not None}
        return matrix(self.names, **given)

    def unsupported(self, cell: Cell) -> str | None:
        """Why a cell cannot run here, or has no model by the session's method; None: it can."""
        return unsupported(cell, methods.method(self.method))

    def pairs(self) -> tuple[Pair, ...]:
        """FP32 and INT8 side by side, where both are chosen."""
        cells = self.cells()
        pairs = (
            Pair(cell, replace(cell, precision=INT8.name))
            for cell in cells
            if cell.precision == baseline().name
        )
        return tuple(pair for pair in pairs if pair.int8 in cells)

    @cached_property
    def margins(self) -> Margins:
        """The documented margins, as ``pytest_fqbench_margin`` changes them."""
        documented = load_margins(default_margins_path())
        return ChangedMargins(documented.entries, config=self._config)

    def margin(self, cell: Cell) -> Margin | None:
        """How much accuracy an INT8 cell may lose; None where no margin is documented."""
        return self.margins.for_cell(self.pipeline(cell.model).spec, cell.backend, self.method)

    @property
    def machine(self) -> dict[str, object]:
        """The machine as it goes into results, see ``pytest_fqbench_machine_facts``."""
        return machine_facts(self._config)

    def lowered(self, name: str) -> Model:
        """As ``pipeline``; the test is skipped where INT8 models come whole from their method."""
        model = self.pipeline(name)
        if not model.is_lowered:
            pytest.skip(f"the method {model.method} does not say which layers it quantizes")
        return model

    def pipeline(self, name: str) -> Model:
        """The steps of one model, checked once a session. Fails the test where that fails."""
        if name not in self._pipelines:
            root, executor = self._settings.data_root, self._executor
            try:
                spec = self._own.get(name) or from_zoo(name, root, executor)
                facts = check_model(spec)
                pipeline = Model(spec, facts, executor, margins=self.margins, method=self.method)
                pipeline.check(calibrates=True)
            except FqbenchError as error:
                pytest.fail(str(error), pytrace=False)
            self._pipelines[name] = pipeline
        return self._pipelines[name]


@dataclass(frozen=True)
class ChangedMargins(Margins):
    """Margins that hooks of this session may change."""

    config: pytest.Config = field(kw_only=True)

    def for_cell(self, spec: ModelSpec, backend: str, method: str) -> Margin | None:
        """The margin of a cell. Raises UsageError where a hook returns something else."""
        documented = super().for_cell(spec, backend, method)
        found = self.config.hook.pytest_fqbench_margin(
            config=self.config,
            model=spec.name,
            backend=lowering_target(backend),
            method=method,
            margin=documented,
        )
        if found is None:
            return documented
        if not isinstance(found, Margin):
            raise UsageError(
                f"pytest_fqbench_margin returned {found!r} for {spec.name} on {backend}: expected"
                " a Margin of fqbench.spec, or None"
            )
        return found


_MATRIX = pytest.StashKey[MatrixUnderTest]()


def matrix_of(config: pytest.Config) -> MatrixUnderTest:
    """The matrix of a session, the same for every test. Raises UsageError."""
    if _MATRIX not in config.stash:
        config.stash[_MATRIX] = MatrixUnderTest(config)
    return config.stash[_MATRIX]


def parameters(found: MatrixUnderTest, name: str) -> list[object]:
    """What a test's ``cell``, ``pair`` or ``model`` is, once each. Raises UsageError."""
    if name == "cell":
        return [_parameter(found, cell, cell.id, cell) for cell in found.cells()]
    if name == "pair":
        return [_parameter(found, pair, pair.id, pair.int8) for pair in found.pairs()]
    return list(found.names)


def _parameter(found: MatrixUnderTest, value: object, name: str, cell: Cell) -> object:
    marks = []
    if cell.device == "gpu":
        marks.append(pytest.mark.gpu)
    reason = found.unsupported(cell)
    if reason is not None:
        marks.append(pytest.mark.skip(reason=reason))
    return pytest.param(value, id=name, marks=marks)
