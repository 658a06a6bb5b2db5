"""Keypoints by heat maps (Xiao et al., "Simple Baselines for Human Pose Estimation", 2018)."""

from __future__ import annotations

from fqbench.zoo.seeded.network import Network, Values

KEYPOINTS = 17


def write(net: Network) -> tuple[str, ...]:
    """Heat maps [n, keypoints, h / 4, w / 4]."""
    x = net.relu(net.conv(net.image, 24, 3, 2))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    for channels, stride in ((24, 1), (48, 2), (64, 2)):
        x = _residual(net, x, channels, stride)
    for channels in (48, 32):
        x = net.relu(net.conv_transpose(x, channels, 4))
    return (net.conv(x, KEYPOINTS, values=Values(spread=0.3)),)


def _residual(net: Network, x: str, channels: int, stride: int) -> str:
    """ResNet's basic block."""
    inner = net.conv(net.relu(net.conv(x, channels, 3, stride)), channels, 3)
    same = x if stride == 1 else net.conv(x, channels, 1, stride)
    return net.relu(net.node("Add", inner, same))
