"""The schedule of a training: the rate of each iteration, and the images of each batch."""

from __future__ import annotations

from math import cos, pi

import numpy as np

from fqbench.spec.quantization import LearningRate


def rate(settings: LearningRate, iteration: int, iterations: int) -> float:
    """The learning rate of an iteration, counted from 0."""
    if settings.kind == "constant":
        return settings.rate
    turn = settings.t_max or iterations
    return settings.rate * (1.0 + cos(pi * min(iteration, turn) / turn)) / 2.0


def batch(iteration: int, images: int, size: int) -> list[int]:
    """Which of ``images`` an iteration takes: all of them once, shuffled, then reshuffled.

    It depends on the iteration alone, so that a resumed training takes the same.
    """
    steps = range(iteration * size, (iteration + 1) * size)
    orders = {epoch: _order(epoch, images) for epoch in {step // images for step in steps}}
    return [int(orders[step // images][step % images]) for step in steps]


def _order(epoch: int, images: int) -> list[int]:
    return list(np.random.default_rng(epoch).permutation(images))


def is_held_out(number: int, images: int) -> bool:
    """Whether an image evaluates the student instead of training it: one of eight.

    At least four are, where there are twice as many.
    """
    return number % max(min(8, images // 4), 2) == 0
