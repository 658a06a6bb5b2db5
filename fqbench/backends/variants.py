"""A quantized model in any setting, ready to run: by the runtime that will run it, where it can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx

from fqbench.backends.record import resolve
from fqbench.backends.registry import int8_form
from fqbench.graph.executor import Executable, Feed
from fqbench.quantize.algorithms import Range
from fqbench.quantize.pairs import QuantParams
from fqbench.quantize.record import Quantization, SafeForm
from fqbench.quantize.setting import Setting

Calls = Mapping[str, Callable[[], object]]

Times = Mapping[str, float]
"""Milliseconds of layers, by name."""

FP32 = "FP32"


class Variants(ABC):
    """One quantized model for one backend, in any setting; made by ``Int8Form.variants``.

    What a backend does not have is said here as well: nothing is taken for granted.
    """

    @property
    @abstractmethod
    def float_silu(self) -> bool:
        """Whether SiLU can be computed in float between integers."""

    @property
    @abstractmethod
    def unsigned_weights(self) -> bool:
        """Whether layers can have uint8 weights, which saturate on no CPU and are slower."""

    @property
    @abstractmethod
    def writes_integers(self) -> bool:
        """Whether layers write integers, so that their results are rounded wherever they go."""

    @property
    @abstractmethod
    def runs_emulation(self) -> bool:
        """Whether the backend itself runs what ``emulated`` returns, its pairs fused."""

    @property
    @abstractmethod
    def zero_points(self) -> Sequence[frozenset[str]]:
        """Sets of layers that may read codes with a zero point, the fastest first, or none.

        Each holds the ones before it; empty where there is but one kind of codes.
        """

    @property
    @abstractmethod
    def products(self) -> frozenset[str]:
        """Products of two activations, by name, that may multiply integers; tried by their time."""

    @property
    @abstractmethod
    def unsuited(self) -> Mapping[str, str]:
        """Layers that are no faster in INT8, each with why; they stay in float."""

    @property
    @abstractmethod
    def safe_forms(self) -> Mapping[str, SafeForm]:
        """What makes a layer accurate on every CPU, by the layer that can have it."""

    @abstractmethod
    def codes(self, ends: Range) -> QuantParams:
        """How a tensor of these values is rounded."""

    @abstractmethod
    def runs(self, names: Sequence[str]) -> bool:
        """Whether the backend itself computes the tensors ``names``; else they are emulated."""

    @abstractmethod
    def executable(self, setting: Setting, names: Sequence[str]) -> Executable:
        """What computes the tensors ``names`` in ``setting``."""

    @abstractmethod
    def emulated(self, setting: Setting) -> onnx.ModelProto:
        """The graph that computes what the backend does, executed operator by operator."""

    @abstractmethod
    def unsafe(self, setting: Setting, feeds: Sequence[Feed]) -> list[frozenset[str]]:
        """Layers to give other weights so that none saturates, one answer or several.

        The first is enough on any CPU and for all images; further ones for ``feeds``.
        """


class TimedVariants(Variants):
    """Variants that are timed on this machine while layers are chosen; see ``Int8Form.timed``."""

    @abstractmethod
    def calls(self, settings: Mapping[str, Setting], feed: Feed, threads: int) -> Calls:
        """An inference in each of ``settings``, and one in FP32 called ``FP32``, to be timed."""

    @abstractmethod
    def layer_times(self, setting: Setting, feed: Feed, threads: int) -> tuple[Times, Times]:
        """What layers take in FP32 and in ``setting``, as far as the runtime says it."""


def variants(backend: str, model: onnx.ModelProto, record: Quantization, scratch: Path) -> Variants:
    """The variants of ``model`` as ``record`` quantizes it; files go into ``scratch``."""
    made: Variants = resolve(int8_form(backend).variants)(model, record, scratch)
    return made
