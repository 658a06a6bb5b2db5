"""Takes cases through canonicalization and the conversion for one backend, in its own process.

Of some operators native code ends its process: what is written before and after each tells which.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx

from fqbench.backends import backend
from fqbench.backends.record import resolve
from fqbench.convert.canonical import canonicalize
from fqbench.errors import StepError
from fqbench.verify.conversion import check_canonical, graph_runner
from tools.node_tests.cases import Arrays, Case, cases
from tools.node_tests.generated import DRAWN, generated

AGREES, REFUSED, DIFFERS = "agrees", "refused", "differs"

TOLERANCE = 1e-3
"""Of each value, and a tenth of it of the largest one."""


def convert(name: str, names: Sequence[str], results: Path) -> None:
    """Write what becomes of the cases ``names`` on the backend ``name``, a line each."""
    wanted = set(names)
    # What differs is one operator: which one needs no search in another process.
    unsearched = patch("fqbench.isolate.call", side_effect=StepError("one operator"))
    with results.open("a") as lines, unsearched:

        def write(**line: object) -> None:
            lines.write(json.dumps(line) + "\n")
            lines.flush()

        for case in _named(wanted):
            write(name=case.name)
            found, text = _converted(case, name)
            write(name=case.name, found=found, text=text)


def _named(wanted: Collection[str]) -> Iterator[Case]:
    """The cases of these names. ONNX's own take seconds to load."""
    drawn = [name for name in wanted if name.startswith(DRAWN)]
    if drawn:
        each = 1 + max(int(name.rpartition(" ")[2]) for name in drawn)
        yield from (case for case in generated(each) if case.name in wanted)
    if len(drawn) < len(wanted):
        yield from (case for case in cases() if case.name in wanted)


def _converted(case: Case, name: str) -> tuple[str, str]:
    truths = [case.wanted]
    try:
        # Of some operators ONNX Runtime and ONNX's reference have other opinions.
        truths.append(list(graph_runner(case.model, optimized=False)(case.feed)))
    except Exception as error:
        return REFUSED, f"ONNX Runtime does not run it: {str(error).splitlines()[0][:200]}"
    try:
        answers = _answers(case, name)
    except StepError as error:
        return REFUSED, str(error)
    off = [_difference(truth, answers) for truth in truths]
    return (AGREES, "") if None in off else (DIFFERS, str(off[0]))


def _answers(case: Case, name: str) -> Arrays:
    """What the backend computes. Raises StepError where fqbench refuses the model."""
    used = backend(name)
    model = canonicalize(case.model, case.feed[0].shape)
    check_canonical(case.model, model, [case.feed])
    with tempfile.TemporaryDirectory() as made:
        source, folder = Path(made) / "source", Path(made) / "written"
        source.mkdir()
        folder.mkdir()
        onnx.save(model, str(source / "model.onnx"))
        if used.conversion is None:
            folder = source
        else:
            resolve(used.conversion.write)(source / "model.onnx", folder)
            resolve(used.conversion.check)(model, folder, [case.feed])
        runtime = resolve(used.runtime)()
        try:
            runner = runtime.prepare(folder, device="cpu", precision="fp32", threads=1)
            return list(runner.run(case.feed))
        except Exception as error:
            raise StepError(f"it cannot be run: {str(error)[-200:]}") from error


def _difference(wanted: Arrays, found: Arrays) -> str | None:
    """How the first output that differs does; None where none does."""
    if len(wanted) != len(found):
        return f"{len(found)} outputs instead of {len(wanted)}"
    for one, other in zip(wanted, found, strict=True):
        one, other = np.atleast_1d(one), np.atleast_1d(other)
        if one.shape != other.shape:
            return f"shape {other.shape} instead of {one.shape}"
        if one.size and not _close(one, other):
            return f"off by {np.abs(one.astype(float) - other.astype(float)).max():.3g}"
    return None


def _close(one: Any, other: Any) -> bool:
    if not np.issubdtype(one.dtype, np.floating):
        return bool(np.array_equal(one, other))
    finite = np.abs(one[np.isfinite(one)]).max(initial=0.0)
    return np.allclose(other, one, TOLERANCE, 0.1 * TOLERANCE * finite, equal_nan=True)


if __name__ == "__main__":
    request = json.loads(sys.stdin.read())
    convert(request["backend"], request["names"], Path(request["results"]))
