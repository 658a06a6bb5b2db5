"""``python -m fqbench`` that hardly times: for tests of everything but latency."""

import sys
from functools import partial

from fqbench.cli import commands
from fqbench.cli.main import main
from fqbench.measure.latency import Effort
from fqbench.measure.launches import Patience
from fqbench.pipeline.cell_steps import Request

EFFORT = Effort(
    warm_up=0.0, warm_up_runs=1, settling=0.0, block=0.001, rounds=2, fewest=1, longest=1.0
)
PATIENCE = Patience(fewest=1, most=1, effort=EFFORT)

if __name__ == "__main__":
    commands.Request = partial(Request, patience=PATIENCE)
    sys.exit(main())
