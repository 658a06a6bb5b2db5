"""Format one pydantic error as a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import ErrorDetails


def sentence(error: ErrorDetails, schema: JsonSchemaValue) -> str:
    """The key (dotted), what was expected and what was found.

    ``schema`` is that of the validated type: it distinguishes the location's keys from names of
    union members that pydantic puts between them, and which keys would have been right.
    """
    key, siblings = _place(error["loc"], schema)
    if error["type"] == "extra_forbidden":
        return f"key {key} is unknown{_suggestion(str(error['loc'][-1]), siblings)}"
    if error["type"] == "missing":
        return f"key {key} is missing"
    where = f"key {key}: " if key else ""
    return f"{where}{_expectation(error)}{_found(error['input'])}"


def _expectation(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "union_tag_not_found":
        return f"expected a mapping with the key {context['discriminator']}"
    if kind == "union_tag_invalid":
        return (
            f"{context['discriminator'].strip(chr(39))} is {context['tag']!r},"
            f" expected {context['expected_tags']}"
        )
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "expected a mapping of keys and values"
    if kind in ("tuple_type", "list_type"):
        return "expected a list"
    if kind == "string_pattern_mismatch":
        return f"expected text of the form {context['pattern']}"
    text = error["msg"].removeprefix("Value error, ").replace("Tuple", "the list", 1)
    return text.replace("Input should be", "expected", 1)


def _found(value: object) -> str:
    """Short values are shown; a mapping is not, it would hide the sentence."""
    if isinstance(value, Mapping):
        return ""
    if value is None:
        return ", found nothing"
    text = repr(value)
    return f", found {text if len(text) <= 60 else text[:57] + '...'}"


def _suggestion(key: str, siblings: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, siblings, n=1)
    if close:
        return f": did you mean {close[0]}?"
    return f", known are {', '.join(siblings)}" if siblings else ""


def _place(location: Sequence[int | str], schema: JsonSchemaValue) -> tuple[str, tuple[str, ...]]:
    """The dotted key of ``location``, and all keys that the mapping around it may have."""
    names: list[str] = []
    siblings: tuple[str, ...] = ()
    node: JsonSchemaValue = schema
    for part in location:
        node = _resolved(node, schema)
        members = node.get("discriminator", {}).get("mapping", {})
        if part in members:
            node = {"$ref": members[part]}
            continue
        names.append(str(part))
        properties = node.get("properties", {})
        siblings = tuple(properties)
        node = properties.get(part) or node.get("items") or _of_any_key(node)
    return ".".join(names), siblings


def _of_any_key(node: JsonSchemaValue) -> JsonSchemaValue:
    """What a mapping with keys of the user's choice holds under each of them."""
    held = node.get("additionalProperties")
    return held if isinstance(held, dict) else {}


def _resolved(node: JsonSchemaValue, schema: JsonSchemaValue) -> JsonSchemaValue:
    reference = node.get("$ref")
    return node if reference is None else schema["$defs"][reference.rpartition("/")[2]]
