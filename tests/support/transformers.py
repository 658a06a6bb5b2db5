"""A small vision transformer with seeded weights, as exporters write one, and images for it."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Transformer:
    """Writes a ViT of ``depth`` blocks node by node; weights are seeded.

    ``fused``: whether a norm is a LayerNormalization of opset 17, else its operators.
    """

    def __init__(self, *, depth=2, channels=32, heads=2, side=32, patch=8, fused=True, seed=0):
        self.random = np.random.default_rng(seed)
        self.depth, self.channels, self.heads = depth, channels, heads
        self.side, self.patch, self.fused = side, patch, fused
        self.tokens = (side // patch) ** 2
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        self.constants[name] = np.asarray(value)
        return name

    def normal(self, name, *shape, spread=None):
        spread = shape[0] ** -0.5 if spread is None else spread
        return self.constant(name, self.random.normal(0, spread, shape).astype(np.float32))

    def node(self, kind, *inputs, name=None, outputs=None, **attributes):
        name = name or f"{kind.lower()}{len(self.nodes)}"
        outputs = outputs or [f"{name}_out"]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def scalar(self, value):
        return self.constant(f"c{len(self.constants)}", np.float32(value))

    def linear(self, name, source, inputs, outputs):
        product = self.node("MatMul", source, self.normal(f"{name}_w", inputs, outputs), name=name)
        bias = self.normal(f"{name}_b", outputs, spread=0.2)
        return self.node("Add", bias, product, name=f"{name}_add")

    def norm(self, name, source):
        channels = self.channels
        # Some channels stand out, as those of trained transformers do.
        gain = np.exp(self.random.normal(0, 1, channels)).astype(np.float32)
        gain = self.constant(f"{name}_gain", gain)
        offset = self.normal(f"{name}_offset", channels, spread=0.3)
        if self.fused:
            return self.node("LayerNormalization", source, gain, offset, name=name, axis=-1)
        centred = self.node("Sub", source, self.node("ReduceMean", source, axes=[-1]))
        squares = self.node("Pow", centred, self.scalar(2.0))
        variance = self.node("Add", self.node("ReduceMean", squares, axes=[-1]), self.scalar(1e-5))
        plain = self.node("Div", centred, self.node("Sqrt", variance))
        return self.node("Add", self.node("Mul", plain, gain), offset, name=name)

    def gelu(self, source):
        error = self.node("Erf", self.node("Div", source, self.scalar(2**0.5)))
        gate = self.node("Add", error, self.scalar(1.0))
        return self.node("Mul", self.node("Mul", source, gate), self.scalar(0.5))

    def attention(self, name, source):
        channels, heads, tokens = self.channels, self.heads, self.tokens
        qkv = self.linear(f"{name}_qkv", source, channels, 3 * channels)
        shape = self.constant(f"{name}_parts", np.array([1, tokens, 3, heads, channels // heads]))
        turned = self.node("Transpose", self.node("Reshape", qkv, shape), perm=[2, 0, 3, 1, 4])
        parts = self.node("Split", turned, axis=0, outputs=[f"{name}_{part}" for part in "qkv"])
        axes = self.constant(f"{name}_axes", np.array([0]))
        q, k, v = (self.node("Squeeze", part, axes) for part in parts)
        scaled = self.node("Mul", q, self.scalar((channels // heads) ** -0.5))
        scores = self.node("MatMul", scaled, self.node("Transpose", k, perm=[0, 1, 3, 2]))
        read = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        turned = self.node("Transpose", read, perm=[0, 2, 1, 3])
        shape = self.constant(f"{name}_whole", np.array([1, tokens, channels]))
        return self.linear(f"{name}_proj", self.node("Reshape", turned, shape), channels, channels)

    def model(self, classes=5):
        channels = self.channels
        kernel = self.normal("patch_w", channels, 3, self.patch, self.patch, spread=0.07)
        bias = self.normal("patch_b", channels, spread=0.1)
        size = [self.patch] * 2
        image = self.node("Conv", "x", kernel, bias, name="patch", kernel_shape=size, strides=size)
        flat = self.constant("flat", np.array([1, channels, self.tokens]))
        rows = self.node("Transpose", self.node("Reshape", image, flat), perm=[0, 2, 1])
        position = self.normal("position", 1, self.tokens, channels, spread=0.1)
        tokens = self.node("Add", rows, position)
        for block in range(self.depth):
            name = f"block{block}"
            read = self.norm(f"{name}_norm1", tokens)
            tokens = self.node("Add", tokens, self.attention(name, read))
            hidden = self.linear(
                f"{name}_fc1", self.norm(f"{name}_norm2", tokens), channels, 2 * channels
            )
            tokens = self.node(
                "Add", tokens, self.linear(f"{name}_fc2", self.gelu(hidden), 2 * channels, channels)
            )
        last = self.norm("norm", tokens)
        first = self.node("Gather", last, self.constant("first", np.array(0)), axis=1)
        weight = self.normal("head_w", classes, channels, spread=channels**-0.5)
        bias = self.normal("head_b", classes, spread=0.1)
        self.nodes.append(
            helper.make_node("Gemm", [first, weight, bias], ["logits"], "head", transB=1)
        )
        graph = helper.make_graph(
            self.nodes,
            "transformer",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, self.side, self.side])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        opset = helper.make_opsetid("", 17 if self.fused else 13)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)

    def images(self, count):
        """Images that differ in brightness and colour, as pictures do."""
        shape = (count, 1, 3, self.side, self.side)
        spread = self.random.uniform(0.3, 1.5, (count, 1, 1, 1, 1))
        tint = self.random.normal(0, 0.5, (count, 1, 3, 1, 1))
        noise = self.random.normal(0, 1, shape)
        return [[image.astype(np.float32)] for image in noise * spread + tint]
