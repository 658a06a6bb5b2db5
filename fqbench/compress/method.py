"""How the tool is asked to make INT8: by FastDeploy's two names, or by that of any method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from fqbench.errors import UsageError
from fqbench.methods import Method, methods, offered
from fqbench.methods.distillation import METHOD as DISTILLATION
from fqbench.methods.offline import METHOD as OFFLINE

Section = Literal["PTQ", "QAT"]

PUBLISHED: Mapping[Section, Method] = MappingProxyType({"PTQ": OFFLINE, "QAT": DISTILLATION})
"""Offline quantization, and distillation, by the names that the tool's users know."""


@dataclass(frozen=True)
class CompressionMethod:
    """A method: ``name`` as it was asked for, and its record."""

    name: str
    quantizer: Method

    @property
    def section(self) -> Section:
        """Whose keys of a config choose images and reading: QAT's for a method that learns."""
        return "QAT" if self.quantizer.learns else "PTQ"

    @property
    def is_own(self) -> bool:
        """Whether a config's settings of quantization are translated for it; another package's
        method finds them in the spec and may use them or not."""
        return self.quantizer in PUBLISHED.values()

    @property
    def makes_whole_models(self) -> bool:
        """Whether its models are written as they are: no layers are chosen, nothing is lowered."""
        return self.quantizer.yields == "model"


def compression_method(text: str) -> CompressionMethod:
    """What ``--method`` means. PTQ and QAT may be in lower case.

    Raises UsageError with the names there are.
    """
    for name, quantizer in PUBLISHED.items():
        if text.upper() == name:
            return CompressionMethod(name, quantizer)
    if text not in offered():
        known = ", ".join(known_methods())
        raise UsageError(f"there is no method {text!r}: the methods are {known}")
    return CompressionMethod(text, methods()[text])


def known_methods() -> tuple[str, ...]:
    """All names that ``--method`` takes."""
    return (*PUBLISHED, *offered())
