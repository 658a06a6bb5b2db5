"""YAML files that people write: read with every mistake as one sentence."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from fqbench.errors import UsageError

SIZE_LIMIT = 64 * 1024
"""Bytes. Far more than any such file needs, and still read within two or three seconds."""


def read_yaml(path: Path, kind: str) -> object:
    """The content of a YAML file, of plain types only, every key of every mapping a text.

    ``kind`` is what messages call the file. Raises UsageError with the file and, where there is
    one, the line: not a readable text file, larger than ``SIZE_LIMIT``, not valid YAML, a key
    twice, an alias, a tag of Python's.
    """
    text = _read_text(path, kind)
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        found = f"{line}: {error.problem or error.context}"
    except RecursionError:
        found = ": it is nested too deeply"
    # A character that YAML does not allow; a date or a number that looks like one and is none.
    except (yaml.YAMLError, ValueError) as error:
        found = f": {' '.join(str(error).split())}"
    raise UsageError(f"{path} is not valid YAML{found}; correct the file")


def _read_text(path: Path, kind: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)  # Not by stat: a pipe or a device has no size.
    except OSError as error:
        raise UsageError(
            f"cannot read {kind} {path}: {error.strerror}; name a file that can be read"
        ) from error
    if len(content) > SIZE_LIMIT:
        raise UsageError(f"{path} is too large for a {kind}: {SIZE_LIMIT} bytes are allowed")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file, expected a {kind} in YAML") from error


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, with text as keys only, each once, and no aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # Aliases let a small file describe a huge object, and nothing here has use for them.
        if self.check_event(yaml.AliasEvent):
            alias: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _mistake("aliases (*name) are not allowed", alias.start_mark)
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if any("\ud800" <= letter <= "\udfff" for letter in value):  # halves of letters
            raise _mistake(f"{value!r} is not a text", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _mistake(f"the key {key!r} is not a text", key_node.start_mark)
            if key in seen:
                raise _mistake(f"the key {key!r} is written twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _mistake(text: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, text, mark)
