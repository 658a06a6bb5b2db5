from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fqbench.data.ahead import ahead


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 4), st.integers(0, 6))
@settings(deadline=None, max_examples=40)
def test_results_come_in_order_whatever_takes_long(
    delays: list[int], workers: int, most: int
) -> None:
    def slow(item: tuple[int, int]) -> int:
        time.sleep(item[1] / 2000)
        return item[0]

    assert list(ahead(slow, enumerate(delays), workers, most)) == list(range(len(delays)))


def test_no_more_is_begun_than_allowed() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    with closing(ahead(lambda number: number, items(), 3, 5)) as results:
        for taken, _ in enumerate(results, start=1):
            assert len(begun) <= taken + 5
    assert len(begun) == 100


def test_nothing_is_begun_before_it_is_asked_for() -> None:
    begun: list[int] = []
    ahead(begun.append, range(9), 2, 2)
    assert begun == []


def test_workers_work_at_the_same_time() -> None:
    # Each waits for the other: one after the other neither would end.
    meeting = threading.Barrier(2, timeout=10)
    assert len(list(ahead(lambda _: meeting.wait(), range(4), 2, 2))) == 4


def test_an_exception_comes_in_its_place_and_ends_the_work() -> None:
    before = threading.active_count()
    done: list[int] = []

    def failing(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        done.append(number)
        return number

    taken: list[int] = []
    with pytest.raises(ValueError, match="five"):
        taken.extend(ahead(failing, range(1000), 2, 3))
    assert taken == [0, 1, 2, 3, 4]
    assert max(done) <= 9
    assert threading.active_count() == before


def test_an_exception_of_the_items_ends_the_work() -> None:
    before = threading.active_count()

    def items() -> Iterator[int]:
        yield 0
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(ahead(abs, items(), 2, 3))
    assert threading.active_count() == before


def test_who_stops_leaves_nothing_running() -> None:
    before = threading.active_count()
    with closing(ahead(abs, range(1000), 2, 3)) as results:
        assert next(results) == 0
    assert threading.active_count() == before
