"""Hooks of the plugin: what a project may change, in its ``conftest.py`` or a plugin of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fqbench.spec import Margin


@pytest.hookspec
def pytest_fqbench_machine_facts(
    config: pytest.Config, facts: Mapping[str, object]
) -> Mapping[str, object] | None:
    """What results are to say of this machine, beside ``facts`` or in their place.

    Return a mapping of values that JSON can hold; those of ``conftest.py`` go before a plugin's.
    ``facts`` are what fqbench found: ``cpu``, ``gpu`` where there is one, ``threads``,
    ``memory_gb``, ``system`` and ``versions``. To record which runner measured::

        import platform


        def pytest_fqbench_machine_facts():
            return {"runner": platform.node()}
    """


@pytest.hookspec(firstresult=True)
def pytest_fqbench_margin(
    config: pytest.Config, model: str, backend: str, method: str, margin: Margin | None
) -> Margin | None:
    """The margin for INT8 of ``model`` on ``backend``, made by ``method``.

    Tests hold INT8 to it, and the layers that stay in float are chosen by it. ``margin`` is the
    documented one, None where there is none; return another, or None to keep it. To allow half of
    it on one backend::

        from fqbench.spec import Margin


        def pytest_fqbench_margin(backend, margin):
            if backend == "onnxruntime" and margin is not None:
                return Margin(
                    drop=margin.drop / 2,
                    source="our release criteria, section 3",
                    reason="ships to customers; the other backends are for comparison",
                )
    """
