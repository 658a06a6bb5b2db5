"""Commands in this process and in one of their own, and what they leave."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fqbench.cli.main import main
from tests.support.tiny_spec import without_data_root

ROOT = Path(__file__).parents[2]

FP32 = ("--backends", "onnxruntime", "--precisions", "fp32")
"""Options that leave one cell of a model."""


def run(*arguments: object) -> int:
    """The exit code of ``fqbench``."""
    return main([str(argument) for argument in arguments])


def started(
    command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A process from this repository's root, without a data root."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**without_data_root(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def sentences(stderr: str) -> list[str]:
    """What ``fqbench`` says for itself."""
    return [line for line in stderr.splitlines() if line.startswith("fqbench: ")]


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Those of the results in ``folder``, by cell."""
    content = json.loads((folder / "results.json").read_text())
    return {row["cell"]: row for row in content["rows"]}
