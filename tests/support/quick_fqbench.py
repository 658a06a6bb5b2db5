"""``python -m fqbench`` that hardly times: for tests of everything but latency."""

import sys
from functools import partial

from fqbench.cli import run as run_command
from fqbench.cli.main import main
from fqbench.measure.latency import TimingBudget
from fqbench.measure.launches import MeasurementBudget
from fqbench.pipeline.cell_steps import Request

TIMING_BUDGET = TimingBudget(
    warm_up=0.0, warm_up_runs=1, settling=0.0, block=0.001, rounds=2, fewest=1, longest=1.0
)
BUDGET = MeasurementBudget(fewest=1, most=1, per_launch=TIMING_BUDGET)

if __name__ == "__main__":
    run_command.Request = partial(Request, budget=BUDGET)
    sys.exit(main())
