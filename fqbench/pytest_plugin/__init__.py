"""The pytest plugin: tests of your own on every cell of the matrix, and the suites' fixtures.

Where fqbench is installed, pytest loads this module in every session, of any project. So it
imports nothing but pytest until a test asks for more, every option and setting carries the name
``fqbench``, and a fixture or parameter of the project's own goes before one of the same name here.

PYTEST_DONT_REWRITE: it asserts nothing, and may be imported before pytest names it a plugin.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fqbench.pytest_plugin import hooks, settings

if TYPE_CHECKING:
    from fqbench.cells import Cell
    from fqbench.measure.stats import Interval
    from fqbench.pipeline.model import Answers
    from fqbench.pipeline.timing import Timed
    from fqbench.pytest_plugin.matrix import MatrixUnderTest, Pair

PARAMETERS = ("cell", "pair", "model")
"""Arguments of tests that the matrix gives values to."""

USED = pytest.StashKey[bool]()
"""Whether a test of this session asked for a part of the matrix."""

PROBLEM = pytest.StashKey[str]()
"""Why there is no matrix: a setting or a spec is not usable."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options and settings, each called ``fqbench``."""
    group = parser.getgroup("fqbench")
    settings.add_options(group)
    settings.add_ini(parser)
    group.addoption(
        settings.GATE,
        metavar="BASELINE.json",
        help="compare the times of this session with a baseline; exit status 1 where one is worse",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks of ``hooks.py``."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark ``gpu``, and the gate where it is asked for."""
    config.addinivalue_line("markers", "gpu: needs an NVIDIA GPU")
    baseline = config.getoption(settings.GATE)
    if baseline is not None:
        from fqbench.pytest_plugin import gate

        gate.register(config, baseline)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """CPU and versions, where an option of fqbench is given."""
    return _machine(config) if settings.on_command_line(config) else []


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """CPU and versions, where without such an option a test uses the matrix all the same."""
    if not config.stash.get(USED, False) or settings.on_command_line(config):
        return []
    lines = _machine(config)
    return lines if config.get_verbosity() >= 0 else []


def _machine(config: pytest.Config) -> list[str]:
    from fqbench.pytest_plugin import facts

    return facts.lines(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each cell, pair or model, where it takes an argument of that name."""
    asked = [
        name
        for name in PARAMETERS
        if name in metafunc.fixturenames and not _is_given(metafunc, name)
    ]
    if not asked and "matrix_under_test" not in metafunc.fixturenames:
        return
    from fqbench.errors import UsageError
    from fqbench.pytest_plugin import matrix

    metafunc.config.stash[USED] = True
    try:
        found = matrix.matrix_of(metafunc.config)
        for name in asked:
            metafunc.parametrize(name, matrix.parameters(found, name))
    except UsageError as error:
        # Said once, by pytest_collection_modifyitems: an error here has a traceback a module.
        metafunc.config.stash[PROBLEM] = str(error)


def _is_given(metafunc: pytest.Metafunc, name: str) -> bool:
    """Whether a fixture of that name or a mark of the test gives it the argument ``name``."""
    if metafunc._arg2fixturedefs.get(name):
        return True
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if name in (re.split(r"[\s,]+", names) if isinstance(names, str) else names):
            return True
    return False


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Stop in one sentence where a setting or a spec is not usable."""
    # pytest-xdist takes a worker that stops by itself for one that crashed.
    if PROBLEM in config.stash and not hasattr(config, "workerinput"):
        raise pytest.UsageError(config.stash[PROBLEM])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """In a worker of pytest-xdist, fail every test with that sentence instead."""
    if PROBLEM in item.config.stash:
        pytest.fail(item.config.stash[PROBLEM], pytrace=False)


@pytest.fixture(scope="session")
def matrix_under_test(pytestconfig: pytest.Config) -> MatrixUnderTest:
    """The chosen models, their cells and pairs, and what they are held to."""
    from fqbench.pytest_plugin import matrix

    return matrix.matrix_of(pytestconfig)


@pytest.fixture(scope="session")
def answered(matrix_under_test: MatrixUnderTest) -> Callable[[Cell], Answers]:
    """What a cell answers for its whole data set, found once a session, in a child process."""
    from fqbench.pytest_plugin import outcomes

    return outcomes.answered(matrix_under_test)


@pytest.fixture(scope="session")
def accuracy(
    matrix_under_test: MatrixUnderTest, answered: Callable[[Cell], Answers]
) -> Callable[[Cell], float]:
    """Top-1 or mAP of a cell on its data set, in points of 0 to 100."""
    from fqbench.pytest_plugin import outcomes

    return outcomes.accuracy(matrix_under_test, answered)


@pytest.fixture(scope="session")
def drop(
    matrix_under_test: MatrixUnderTest, answered: Callable[[Cell], Answers]
) -> Callable[[Pair], Interval]:
    """Points that a pair's INT8 loses of its FP32, on the same images, with a 95 % interval."""
    from fqbench.pytest_plugin import outcomes

    return outcomes.drop(matrix_under_test, answered)


@pytest.fixture(scope="session")
def int8_convolutions(
    matrix_under_test: MatrixUnderTest, answered: Callable[[Cell], Answers]
) -> Callable[[Pair], tuple[int, int]]:
    """How many convolutions the runtime ran in INT8, of a pair's FP32 and INT8 cell."""
    from fqbench.pytest_plugin import outcomes

    return outcomes.int8_convolutions(matrix_under_test, answered)


@pytest.fixture(scope="session")
def timed(matrix_under_test: MatrixUnderTest) -> Callable[[Cell], Timed]:
    """Times of a cell and the other precisions chosen beside it, taken in turns."""
    from fqbench.pytest_plugin import outcomes

    return outcomes.timed(matrix_under_test)
