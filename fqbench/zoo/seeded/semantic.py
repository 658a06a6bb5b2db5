"""Semantic segmentation: DeepLabV3's head (Chen et al., 2017) behind MobileNetV2's blocks."""

from __future__ import annotations

from fqbench.zoo.seeded.network import Network, Values

CLASSES = 21
STRIDE = 8


def write(net: Network) -> tuple[str, ...]:
    """Scores [n, classes, h, w]."""
    x = _relu6(net, net.conv(net.image, 16, 3, 2))
    for channels, stride, dilation in ((16, 1, 1), (24, 2, 1), (32, 2, 1), (32, 1, 2)):
        x = _inverted(net, x, channels, stride, dilation)
    return (_enlarged(net, net.conv(_pooled(net, x), CLASSES, values=Values(spread=2.0)), STRIDE),)


def _pooled(net: Network, x: str) -> str:
    """Several windows around each place, and the whole image."""
    seen = [net.relu(net.conv(x, 32))]
    seen += [net.relu(net.conv(x, 32, 3, dilation=rate)) for rate in (2, 4)]
    whole = net.relu(net.conv(net.node("GlobalAveragePool", x), 32))
    seen.append(_enlarged(net, whole, net.shape(x)[2]))
    return net.relu(net.conv(net.node("Concat", *seen, axis=1), 32))


def _inverted(net: Network, x: str, channels: int, stride: int, dilation: int) -> str:
    """Wider, by channel, narrow again (Sandler et al., 2018)."""
    wide = 4 * net.shape(x)[1]
    inner = _relu6(net, net.conv(x, wide))
    inner = net.conv(inner, wide, 3, stride, groups=wide, dilation=dilation)
    inner = net.conv(_relu6(net, inner), channels)
    same = stride == 1 and channels == net.shape(x)[1]
    return net.node("Add", inner, x) if same else inner


def _relu6(net: Network, x: str) -> str:
    return net.node("Clip", x, net.constant(0.0), net.constant(6.0))


def _enlarged(net: Network, x: str, factor: int) -> str:
    """As PyTorch's interpolation by half pixels is exported."""
    return net.node(
        "Resize",
        x,
        "",
        net.constant([1, 1, factor, factor]),
        mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel",
    )
