"""``fqbench compress``: its options, its progress, its table."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import get_args

from rich.console import Console

from fqbench.artifacts import Store, default_root
from fqbench.cells import DEVICES
from fqbench.cli.display import display
from fqbench.cli.output import CELL_FAILED, DONE, add_json, add_verbose, print_error, say
from fqbench.compress.config import load_config
from fqbench.compress.deliver import alone_in, check_folder
from fqbench.compress.job import backends_of, prepare, why_not_made
from fqbench.compress.make import make
from fqbench.compress.method import compression_method, known_methods
from fqbench.compress.report import REPORT, Report, show
from fqbench.errors import UsageError
from fqbench.spec.quantization import Cpu
from fqbench.steps.executor import LocalExecutor


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes, and what it does."""
    parser.description = (
        "Quantize one model as a config says, and write its INT8 form for each backend that runs"
        " here, with a report."
    )
    parser.add_argument(
        "--config_path",
        "--config-path",
        type=Path,
        required=True,
        metavar="FILE",
        help="the config",
    )
    parser.add_argument(
        "--method",
        required=True,
        metavar="NAME",
        help=f"how INT8 is made, among {', '.join(known_methods())}",
    )
    parser.add_argument(
        "--save_dir",
        "--save-dir",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="where models and report go (default: output)",
    )
    parser.add_argument(
        "--devices", choices=DEVICES, default="cpu", help="what the models run on (default: cpu)"
    )
    parser.add_argument(
        "--cpu",
        choices=get_args(Cpu),
        default="any",
        help="the CPUs that the models are made for: any of x86, on none of which their 8-bit"
        " products saturate, or the one here (default: any)",
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        default=os.environ.get("FQBENCH_DATA") or None,
        metavar="DIR",
        help="where relative paths of the config start (default: FQBENCH_DATA, else here)",
    )
    add_verbose(parser)
    add_json(parser)


def run(options: argparse.Namespace, errors: Console) -> int:
    """``fqbench compress``: a model for each backend, and the report."""
    folder = options.save_dir.absolute()
    method = compression_method(options.method)
    loaded = load_config(options.config_path)
    backends = backends_of(method.quantizer, options.devices)
    absent = {name: why for name in backends if (why := why_not_made(name)) is not None}
    present = [name for name in backends if name not in absent]
    if not present:
        reasons = "; ".join(f"{name}: {why}" for name, why in absent.items())
        raise UsageError(
            f"no model for the {options.devices} can be made here: {reasons}"
            "; fqbench doctor shows what can run here"
        )
    base = _base(options.data_root)
    with display(errors) as observer:
        executor = LocalExecutor(Store(default_root()), observer)
        job = prepare(loaded, method, base, executor, options.cpu)
        with alone_in(folder):
            check_folder(folder, backends)
            job.make_ahead(present)
            made = tuple(make(job, backend, folder) for backend in backends)
            report = Report.now(loaded, job, made)
            files = [*(file for each in made for file in each.files), *report.write(folder)]
    if options.json:
        print(report.json(folder), end="")
    else:
        show(report, Console(), verbose=options.verbose, file=options.save_dir / REPORT)
    for file in files:
        say(errors, f"Written: {file}")
    for name, why in absent.items():
        say(errors, f"Left out: {name}: {why}")
    failed = [each for each in made if each.reason is not None and each.backend in present]
    for each in failed:
        print_error(errors, f"{each.backend}: {each.reason}")
    return CELL_FAILED if failed else DONE


def _base(root: Path | None) -> Path:
    base = Path.cwd() if root is None else root.absolute()
    if not base.is_dir():
        raise UsageError(
            f"the data root {base} is not a folder"
            ": name one that is there by --data-root or FQBENCH_DATA"
        )
    return base
