"""Whether HEAD is slower or less accurate than BASE.

``live`` times two versions interleaved, ``stored`` compares results of earlier runs, ``selftest``
tries the first of these on identical and on slowed code. What they share is here.
"""
