"""``python -m fqbench`` that hardly times: for tests of everything but latency."""

import sys
from functools import partial

from fqbench.cli import commands
from fqbench.cli.main import main
from fqbench.measure.latency import Effort
from fqbench.pipeline.run import Plan

EFFORT = Effort(warm_up=0.0, warm_up_runs=1, block=0.001, rounds=2, fewest=1, longest=1.0)

if __name__ == "__main__":
    commands.Plan = partial(Plan, effort=EFFORT)
    sys.exit(main())
