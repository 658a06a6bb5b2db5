"""Run a command as on a CPU with fewer instruction sets, at full speed.

    python -m tools.cpu_mask avx2 fqbench run --spec my_model.yaml

Profiles: ``avx2`` hides AVX-512, VNNI and AMX, ``avx512`` hides VNNI and AMX, ``vnni`` hides AMX.
Needs Linux on x86-64, a CPU that can make CPUID fault (Intel's since Ivy Bridge, AMD's since Zen
4 with a recent kernel), and a C compiler.
"""

from __future__ import annotations

import argparse
import os
import sys

from platformdirs import user_cache_path

from tools.cpu_mask.mask import PROFILES, MaskError, hidden


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("profile", choices=sorted(PROFILES))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("no command to run")
    try:
        variables = hidden(options.profile, user_cache_path("fqbench") / "cpu_mask")
        os.execvpe(options.command[0], options.command, {**os.environ, **variables})
    except (MaskError, OSError) as error:
        print(f"cpu_mask: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
