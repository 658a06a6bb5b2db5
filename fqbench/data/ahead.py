"""Work done ahead of its use, in threads, its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, most: int
) -> Generator[Result, None, None]:
    """``function`` of each item, in the order of ``items``, computed by ``workers`` threads.

    No more than ``most`` results are made or in the making beyond the one that is taken, and
    ``items`` are taken by the caller's thread as they are needed. What ``function`` raises is
    raised in its place; then, and where the caller stops, nothing more is begun and the threads
    are gone when this is closed. Threads and not processes: reading, decoding and resizing images
    and running a model all let other threads run meanwhile.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > most:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
