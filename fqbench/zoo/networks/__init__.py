"""The published architectures as Paddle layers in deploy form. Importing them imports paddle.

Deploy form: batch norms are folded into their convolutions, and re-parameterised blocks (RepVGG)
into one convolution each. A network's ``forward`` takes the model's inputs in order.
"""
