"""Writes mlx_activations.json: what MLX's activations and their gradients give at some numbers.

    pip install 'mlx[cpu]'
    python tests/golden/mlx_activations.py

Each case is the text of an activation as nngpu reads it, MLX's values and MLX's gradients at the numbers `z`.
Gradients of a sum of elementwise functions are their slopes. What is infinite or no number is null.
"""

import json
import math
import pathlib
from functools import partial
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn

Z = [-1e4, -20, -6.5, -5, -3.25, -3, -2, -1.25, -1, -0.75, -0.5, -0.25, -0.125, -1e-3, 0]
Z += [-z for z in reversed(Z[:-1])] + [5.75, 6, 6.25]

CASES = {
    "sigmoid": nn.sigmoid,
    "tanh": nn.tanh,
    "relu": nn.relu,
    "relu2": nn.relu2,
    "relu6": nn.relu6,
    "leaky_relu": nn.leaky_relu,
    "leaky_relu(0.3)": partial(nn.leaky_relu, negative_slope=0.3),
    "elu": nn.elu,
    "elu(1.7)": partial(nn.elu, alpha=1.7),
    "selu": nn.selu,
    "celu": nn.celu,
    "celu(0.6)": partial(nn.celu, alpha=0.6),
    "silu": nn.silu,
    "gelu": nn.gelu,
    "gelu_approx": nn.gelu_approx,
    "gelu_fast_approx": nn.gelu_fast_approx,
    "mish": nn.mish,
    "softplus": nn.softplus,
    "softsign": nn.softsign,
    "softshrink": nn.softshrink,
    "softshrink(1.25)": partial(nn.softshrink, lambd=1.25),
    "hard_shrink": nn.hard_shrink,
    "hard_shrink(0.75)": partial(nn.hard_shrink, lambd=0.75),
    "hardswish": nn.hardswish,
    "hard_tanh": nn.hard_tanh,
    "hard_tanh(-0.25, 2)": partial(nn.hard_tanh, min_val=-0.25, max_val=2.0),
    "log_sigmoid": nn.log_sigmoid,
    "step": nn.step,
    "step(0.75)": partial(nn.step, threshold=0.75),
}


def numbers(array):
    return [value if math.isfinite(value) else None for value in array.tolist()]


def main():
    z = mx.array(Z, dtype=mx.float32)
    cases = {}
    for text, f in CASES.items():
        gradient = mx.grad(lambda z: f(z).astype(mx.float32).sum())(z)
        cases[text] = {"value": numbers(f(z).astype(mx.float32)), "gradient": numbers(gradient)}
    golden = {"mlx": version("mlx"), "z": Z, "cases": cases}
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")


main()
