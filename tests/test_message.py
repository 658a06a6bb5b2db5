"""Messages between processes: what does not fit is reported where it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fqbench.errors import StepError
from fqbench.message import Message, read_answer


class Request(Message):
    """As a function in a child process may take it."""

    file: Path
    sizes: tuple[int, ...]
    factor: float = 1.0


@dataclass(frozen=True)
class Found:
    """As such a function may answer."""

    names: tuple[str, ...]


def test_a_message_is_read_as_it_was_written() -> None:
    request = Request(file=Path("/a"), sizes=(1, 2))
    assert request.to_json() == {"file": "/a", "sizes": [1, 2], "factor": 1.0}
    assert Request.model_validate(request.to_json()) == request


@pytest.mark.parametrize(
    "change", [{"sizes": "none"}, {"unknown": 1}, {"factor": float("nan")}, {"file": None}]
)
def test_what_does_not_fit_is_refused_on_either_side(change: dict[str, Any]) -> None:
    content = {"file": "/a", "sizes": [1], **change}
    with pytest.raises(ValidationError):
        Request.model_validate(content)
    with pytest.raises(ValidationError):
        Request(**content)


def test_an_answer_is_a_record() -> None:
    assert read_answer(TypeAdapter(Found), {"names": ["a"]}, "reading") == Found(("a",))


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        ({"names": ["a", None]}, "names.1: Input should be a valid string"),
        ({}, "names: Field required"),
    ],
)
def test_an_answer_that_does_not_fit_is_an_error_of_the_process(
    answer: dict[str, Any], mistake: str
) -> None:
    with pytest.raises(StepError) as caught:
        read_answer(TypeAdapter(Found), answer, "reading net.onnx")
    assert str(caught.value) == f"reading net.onnx gave an unexpected answer: {mistake}"
