"""What was measured, from run to run: one database, written by every ``fqbench run``.

    results ─► writer ─► database ─► reader ─► series, changes, comparison ─► terminal, page

- A run is kept whole or not at all, whoever writes beside it and whatever kills it.
- No run fails because it cannot be kept: a warning says so.
- Nothing is deleted unasked.
- Machines are never mixed: a series is of one machine, and runs of two are not compared.
"""
