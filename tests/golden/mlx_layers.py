"""Writes mlx_layers.json: what MLX's layers give, forwards and backwards, and PyTorch's running statistics.

    pip install 'mlx[cpu]' torch
    python tests/golden/mlx_layers.py

Arrays are row-major, [rows, columns] or [columns]; numbers are stored as the hexadecimal digits of their 32 bits.
`dy` is the gradient of the output; `dx`, `dweight`, … are those of the sum of all `y * dy`.
"""

import json
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn
import torch

ROWS, COLUMNS = 9, 5


def stored(array):
    return [f"{word:08x}" for word in array.astype(mx.float32).reshape(-1).view(mx.uint32).tolist()]


def normal(seed, *shape):
    return mx.random.normal(shape, key=mx.random.key(seed))


def backwards(function, dy, *operands):
    """The gradients of the sum of function(*operands) * dy with respect to each operand."""
    return mx.vjp(function, list(operands), [dy])[1]


def normalised(layer, seed):
    layer.weight = 1 + 0.5 * normal(seed, COLUMNS)
    x, dy = 2 * normal(seed + 1, ROWS, COLUMNS) + 0.5, normal(seed + 2, ROWS, COLUMNS)
    names = ["weight"]
    if "bias" in layer:
        layer.bias = normal(seed + 3, COLUMNS)
        names.append("bias")
    parameters = [layer[name] for name in names]

    def function(x, *values):
        layer.update(dict(zip(names, values)))
        return layer(x)

    y = function(x, *parameters)
    gradients = backwards(function, dy, x, *parameters)
    case = {"x": stored(x), "dy": stored(dy), "y": stored(y), "dx": stored(gradients[0])}
    for name, value, gradient in zip(names, parameters, gradients[1:]):
        case |= {name: stored(value), f"d{name}": stored(gradient)}
    return case


def running(seed):
    """Three batches in training, then one in evaluation; PyTorch beside it."""
    layer, other = nn.BatchNorm(COLUMNS), torch.nn.BatchNorm1d(COLUMNS)
    batches = [2 * normal(seed + i, ROWS, COLUMNS) + 0.5 for i in range(3)]
    for batch in batches:
        layer(batch)
        other(torch.tensor(batch.tolist()))
    layer.eval()
    x = normal(seed + 3, ROWS, COLUMNS)
    theirs = {"mean": other.running_mean, "variance": other.running_var}
    return {
        "batches": [stored(batch) for batch in batches],
        "mean": stored(layer.running_mean),
        "variance": stored(layer.running_var),
        "torch": {name: stored(mx.array(value.tolist())) for name, value in theirs.items()},
        "x": stored(x),
        "y": stored(layer(x)),
    }


def case(function, dy, **operands):
    """What a function of the operands gives, and the gradients of them all."""
    gradients = backwards(function, dy, *operands.values())
    case = {name: stored(value) for name, value in operands.items()}
    case |= {f"d{name}": stored(gradient) for name, gradient in zip(operands, gradients)}
    return case | {"dy": stored(dy), "y": stored(function(*operands.values()))}


def embedding(seed):
    layer = nn.Embedding(4, COLUMNS)
    # The third level is nobody's.
    codes = mx.array([0, 3, 1, 1, 0, 3, 3, 0, 1])
    dy = normal(seed, ROWS, COLUMNS)

    def function(table):
        layer.weight = table
        return layer(codes)

    return {"codes": stored(codes)} | case(function, dy, table=normal(seed + 1, 4, COLUMNS))


mx.set_default_device(mx.cpu)
dy = normal(10, ROWS, COLUMNS)
x = normal(11, ROWS, COLUMNS)
# Extreme ones: only differences may enter the exponential.
extreme = mx.array([[1e4, 1e4 + 1, -1e4, 0, 1e4], [-1e20, 0, 1, 2, -1e20], [float("-inf"), 0, 1, -1, float("-inf")]])
softmaxes = {"softmax": nn.softmax, "softmin": nn.softmin, "log_softmax": nn.log_softmax}

golden = {
    "about": "What MLX's layers give; written by mlx_layers.py, which explains the form",
    "mlx_version": version("mlx"),
    "torch_version": torch.__version__,
    "device": str(mx.default_device()),
    "rows": ROWS,
    "columns": COLUMNS,
    "layer_norm": normalised(nn.LayerNorm(COLUMNS), 20),
    "rms_norm": normalised(nn.RMSNorm(COLUMNS), 30),
    "batch_norm": normalised(nn.BatchNorm(COLUMNS), 40),
    "running": running(50),
    "glu": case(nn.glu, dy, x=2 * normal(60, ROWS, 2 * COLUMNS)),
    "prelu_of_each": case(nn.prelu, dy, x=x, slope=normal(70, COLUMNS)),
    "prelu_of_all": case(nn.prelu, dy, x=x, slope=normal(71, 1)),
    **{name: case(function, dy, x=3 * x) for name, function in softmaxes.items()},
    "extreme": {
        "x": stored(extreme),
        "softmax": stored(nn.softmax(extreme)),
        "softmin": stored(nn.softmin(-extreme)),
        "log_softmax": stored(nn.log_softmax(extreme)),
    },
    "embedding": embedding(80),
}


def text(value, depth=0):
    """JSON with one array on a line, so that a difference can be read."""
    if isinstance(value, dict):
        indent = " " * (depth + 1)
        inner = ",\n".join(f"{indent}{json.dumps(k)}: {text(v, depth + 1)}" for k, v in value.items())
        return "{\n" + inner + "\n" + " " * depth + "}"
    return json.dumps(value)


pathlib.Path(__file__).with_suffix(".json").write_text(text(golden) + "\n")
