"""A proposed spec as YAML with comments. Pure.

What comes from the model's file is untrusted: values are quoted by YAML itself, and comments hold
no character that ends a line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from fqbench.propose.proposal import Proposal, Proposed

WIDTH = 100

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
"""Text that needs no quotes, but for ``WORDS``."""

WORDS = ("y", "Y", "n", "N")
"""Which some readers of YAML take for yes and no; PyYAML quotes the others itself."""

PLACEHOLDER = "path/to/images"
"""Where no images were given."""


def spec_text(
    name: str, model: str, found: Proposed, data: Mapping[str, Any], unknown: tuple[str, ...]
) -> str:
    """The text of a spec file. ``data``: the keys ``dataset`` and ``calibration``."""
    return "\n".join([*_lines(name, model, found, data, unknown), ""])


def _lines(
    name: str, model: str, found: Proposed, data: Mapping[str, Any], unknown: tuple[str, ...]
) -> Iterator[str]:
    yield from comment(
        "Proposed by fqbench init. Each value says whether it is sure, likely or a guess, and why:"
        " check what is not sure. docs/spec.md explains every key."
    )
    for each in unknown:
        yield from comment(f"NOT KNOWN: {each}")
    yield ""
    yield from _pair("name", name)
    yield from _said("task", found)
    yield from _pair("model", model)
    yield from _said("input", found)
    yield from _said("layout", found)
    others = [each for each in found.proposals if each.key.startswith("other_inputs.")]
    if others:
        yield "other_inputs:"
        for other in others:
            yield from comment(_words(other), "  ")
            yield from _pair(other.key.partition(".")[2], other.value, "  ")
    yield ""
    yield "preprocess:"
    size = found.of("preprocess.resize.size")
    if size is not None:
        yield from comment(f"size is {_words(size)}", "  ")
    for key in ("resize", "color"):
        yield from _said(key, found, "preprocess.", "  ")
    scale = found.of("preprocess.scale")
    if scale is not None:
        yield from comment(f"(pixel * scale - mean) / std is {_words(scale)}", "  ")
        for key, value in scale.value.items():
            yield from _pair(key, value, "  ")
    yield ""
    yield from _said("decode", found)
    for key, value in data.items():
        yield ""
        yield from _pair(key, value)


def _said(key: str, found: Proposed, prefix: str = "", indent: str = "") -> Iterator[str]:
    each = found.of(prefix + key)
    if each is not None:
        yield from comment(_words(each), indent)
        yield from _pair(key, each.value, indent)


def _words(each: Proposal) -> str:
    return f"{each.sureness}: {each.reason}"


def _pair(key: str, value: Any, indent: str = "") -> Iterator[str]:
    """``key: value`` in one line, as YAML reads it back."""
    yield f"{indent}{_written(key)}: {_written(value)}"


def _written(value: Any) -> str:
    """A value in one line. Of text, YAML breaks lines where it likes unless it is quoted."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_written(k)}: {_written(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    quoted = isinstance(value, str) and not PLAIN.fullmatch(value)
    style = '"' if quoted or value in WORDS else None
    return yaml.safe_dump(value, default_style=style, width=10**9).removesuffix("...\n").strip()


def comment(text: str, indent: str = "") -> list[str]:
    """Lines of a comment, of printable characters only."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.wrap(
        plain, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
    )
