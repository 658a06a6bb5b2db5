"""The patch a layer reads for one position of its result: mean and covariance over positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from fqbench.graph.graph import Graph, attributes
from fqbench.quantize.blas import add_squares, lower_mirrored

MIN_POSITIONS, MAX_POSITIONS = 16, 128
"""Positions per image that the moments of a layer are taken over: more for larger patches, whose
covariance has more entries."""

BATCH_POSITIONS = 512
"""Positions whose products are computed at once."""

MAX_PATCH_SIZE = 1152
"""Weights of one output channel whose products are kept: of a wider layer, those of neighbouring
input channels only. Time and memory grow with their square."""


@dataclass(frozen=True)
class PatchSampler:
    """Samples the patches of its input that a layer multiplies, one per position of its result.

    A group of ``channels`` with very many weights per output channel is read in ``parts``, each a
    group of its own here. ``positions``: rows and columns of the result, None where they differ
    from image to image. ``pads``, ``ends``: before and behind rows and columns.
    """

    parts: int
    groups: int
    channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int]
    positions: tuple[int, int] | None
    ends: tuple[int, int] = (0, 0)

    @staticmethod
    def of(graph: Graph, layer: onnx.NodeProto) -> PatchSampler | None:
        """How ``layer`` reads its input; None where the graph does not say, as for one axis."""
        weight = graph.weights[layer.input[1]]
        shape = graph.shape(layer.output[0])
        if layer.op_type == "Gemm":
            inputs, rows = graph.weight(layer).shape[1], shape[0] if shape else 1
            return PatchSampler(
                _parts(inputs, 1), 1, inputs, (1, 1), (1, 1), (1, 1), (0, 0), (rows, 1)
            )
        given = attributes(layer)
        plain = given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        if len(weight.dims) != 4 or not plain:
            return None
        top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
        return PatchSampler(
            _parts(weight.dims[1], weight.dims[2] * weight.dims[3]),
            given.get("group", 1),
            weight.dims[1],
            (weight.dims[2], weight.dims[3]),
            tuple(given.get("strides", (1, 1))),
            tuple(given.get("dilations", (1, 1))),
            (top, left),
            None if shape is None else (shape[2], shape[3]),
            (bottom, right),
        )

    @property
    def patch_size(self) -> int:
        """Values per group that are multiplied at a position."""
        return self.channels // self.parts * self.kernel[0] * self.kernel[1]

    @property
    def sample_count(self) -> int:
        """Positions per image to sample."""
        wanted = min(max(self.patch_size // 8, MIN_POSITIONS), MAX_POSITIONS)
        if self.positions is None:
            return wanted
        return min(wanted, self.positions[0] * self.positions[1])

    def sample(
        self, values: NDArray[np.float32], count: int, random: np.random.Generator
    ) -> NDArray[np.float32]:
        """Patches of ``values`` [1, channels, h, w] at ``count`` random positions
        [groups * parts, columns, count]."""
        image = values.T[:, :, None] if values.ndim == 2 else values[0]
        _, height, width = image.shape
        sizes = self.positions or (self._positions(0, height), self._positions(1, width))
        rows, columns = (random.integers(size, size=count) for size in sizes)
        y, inside_y = self._along(0, rows, height)
        x, inside_x = self._along(1, columns, width)
        taps = (y[:, None, :] * width + x[None, :, :]).ravel()
        read = np.take(image.reshape(len(image), -1), taps, axis=1)
        inside = (inside_y[:, None, :] & inside_x[None, :, :]).ravel()
        if not inside.all():
            read[:, ~inside] = 0.0
        return np.asarray(read.reshape(self.groups * self.parts, -1, count))

    def _positions(self, axis: int, size: int) -> int:
        """How many positions of the result lie along an axis of the input."""
        covered = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        return (size + self.pads[axis] + self.ends[axis] - covered) // self.strides[axis] + 1

    def _along(
        self, axis: int, starts: NDArray[np.int64], size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Positions [taps, positions] along an axis of the input, and which are no padding."""
        taps = np.arange(self.kernel[axis]) * self.dilations[axis]
        positions = taps[:, None] + (starts * self.strides[axis] - self.pads[axis])
        return np.clip(positions, 0, size - 1), (positions >= 0) & (positions < size)


class Moments:
    """Mean [groups, columns] and covariance [groups, columns, columns] of what a layer reads.

    ``seed`` decides which positions are sampled.
    """

    def __init__(self, sampler: PatchSampler, seed: int = 0) -> None:
        self.sampler = sampler
        self._random = np.random.default_rng(seed)
        self._count = 0
        shape = (sampler.groups * sampler.parts, sampler.patch_size)
        self._sum: NDArray[np.float64] = np.zeros(shape)
        self._squares: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._shift: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._products: NDArray[np.float32] = np.zeros((*shape, shape[1]), np.float32)
        self._waiting: list[NDArray[np.float32]] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Count some positions of the layer's input for one image, unless they are not finite.

        Nor are they counted where their squares are not.
        """
        self._waiting.append(self.sampler.sample(values, self.sampler.sample_count, self._random))
        if len(self._waiting) * self.sampler.sample_count >= BATCH_POSITIONS:
            self._count_waiting()

    def _count_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._counted(waiting):
            for read in waiting:
                self._counted([read])

    def _counted(self, images: Sequence[NDArray[np.float32]]) -> bool:
        """Count all ``images`` at once, which is faster than one by one; none if not finite."""
        near = np.concatenate(images, axis=2)
        total, positions = near.sum(axis=2, dtype=np.float64), near.shape[2]
        with np.errstate(over="ignore", invalid="ignore"):
            # Shifted by about the mean, so that subtracting its square cancels few digits.
            shift = self._shift if self._count else (total / positions).astype(np.float32)
            near -= shift[:, :, None]
            squares = self._squares + np.einsum("gkp,gkp->gk", near, near)
        if not (np.isfinite(total).all() and np.isfinite(squares).all()):
            return False
        self._count += positions
        self._shift, self._sum, self._squares = shift, self._sum + total, squares
        add_squares(self._products, near)
        return True

    @property
    def mean(self) -> NDArray[np.float64]:
        """Of each column."""
        self._count_waiting()
        return self._sum / max(self._count, 1)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Of each two columns of a group; the diagonal includes the resolution of float32."""
        mean = self.mean
        shifted = mean - self._shift
        found = lower_mirrored(self._products) / max(self._count, 1)
        found = found - shifted[:, :, None] * shifted[:, None, :]
        unknown = np.finfo(np.float32).eps * np.square(mean).mean(axis=1)
        return np.asarray(found + unknown[:, None, None] * np.eye(mean.shape[-1]))


def _parts(channels: int, taps: int) -> int:
    """The fewest even parts of ``channels`` whose weights are no more than ``MAX_PATCH_SIZE``."""
    fitting = (n for n in range(1, channels + 1) if channels % n == 0)
    return next((n for n in fitting if channels // n * taps <= MAX_PATCH_SIZE), channels)
