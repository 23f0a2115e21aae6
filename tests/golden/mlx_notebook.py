"""Writes mlx_notebook.json: every number of the tutorial notebook, computed by MLX.

    pip install 'mlx[cpu]'
    python tests/golden/mlx_notebook.py

The notebook prints its weights with six significant digits, and computed its results from more. So there are two
sets of weights: "six_digits" as printed, from which a few results differ from the printed ones in their last digit;
and "more_digits", which print the same and give every result as it is printed. "printed" holds the notebook's own
digits. The loss of the gradients is log(sum(exp(z))) - sum(z * t), MLX's cross-entropy up to version 0.32.0.
"""

import json
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WEIGHTS = {
    "six_digits": {
        "layers.0.weight": [[0.184734, 0.429828, 0.356261], [-0.0729912, -0.254855, -0.107632]],
        "layers.0.bias": [-0.413167, -0.145139],
        "layers.1.weight": [[0.119513, 0.522265]],
        "layers.1.bias": [0.583146],
    },
    "more_digits": {
        "layers.0.weight": [[0.184734255, 0.429828256, 0.356260866], [-0.0729911923, -0.254854798, -0.107631661]],
        "layers.0.bias": [-0.413167208, -0.145139396],
        "layers.1.weight": [[0.119512953, 0.522265017]],
        "layers.1.bias": [0.583145559],
    },
}

PRINTED = {
    "layers.0.weight": ["0.184734", "0.429828", "0.356261", "-0.0729912", "-0.254855", "-0.107632"],
    "layers.0.bias": ["-0.413167", "-0.145139"],
    "layers.1.weight": ["0.119513", "0.522265"],
    "layers.1.bias": ["0.583146"],
    "products.0": ["0.092", "-0.516", "1.176"],
    "products.1": ["-0.036", "0.306", "-0.355"],
    "matmul.0": ["0.752234", "-0.0858543"],
    "linear.0": ["0.339067", "-0.230994"],
    "relu.0": ["0.339067", "0"],
    "matmul.1": ["0.0405229"],
    "linear.1": ["0.623668"],
    "output": ["0.623668"],
    "mse": ["0.151"],
    "cross_entropy": ["0.477"],
    "grad.layers.0.weight": ["0.0457436", "-0.109785", "0.301908", "0", "0", "0"],
    "grad.layers.0.bias": ["0.0914872", "0"],
    "grad.layers.1.weight": ["0.259556", "0"],
    "grad.layers.1.bias": ["0.7655"],
    "sgd.layers.0.weight": ["0.18016", "0.440807", "0.32607", "-0.0729912", "-0.254855", "-0.107632"],
    "sgd.layers.0.bias": ["-0.422316", "-0.145139"],
    "sgd.layers.1.weight": ["0.0935574", "0.522265"],
    "sgd.layers.1.bias": ["0.506596"],
    "after.linear.0": ["0.214827", "-0.230994"],
    "after.relu.0": ["0.214827", "0"],
    "after.output": ["0.526694"],
    "after.mse": ["0.085"],
}

X = mx.array([[0.5, -1.2, 3.3]])
Y = mx.array([[0.2345]])


class Network(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.layers = [nn.Linear(3, 2), nn.Linear(2, 1)]
        self.load_weights([(name, mx.array(values)) for name, values in weights.items()])

    def __call__(self, x):
        return self.layers[1](nn.relu(self.layers[0](x)))


def named(prefix, tree):
    return {f"{prefix}layers.{i}.{n}": tree["layers"][i][n] for i in (0, 1) for n in ("weight", "bias")}


def cross_entropy(network, x, y):
    z = network(x)
    return mx.mean(mx.logsumexp(z, axis=-1) - mx.sum(z * y, axis=-1))


def mse(network, x, y):
    return nn.losses.mse_loss(network(x), y)


def values(weights):
    network = Network(weights)
    first, second = network.layers
    found = named("", network.parameters())
    for i in (0, 1):
        found[f"products.{i}"] = X[0] * first.weight[i]
    found["matmul.0"] = X @ first.weight.T
    found["linear.0"] = found["matmul.0"] + first.bias
    found["relu.0"] = mx.maximum(found["linear.0"], 0.0)
    found["matmul.1"] = found["relu.0"] @ second.weight.T
    found["linear.1"] = found["matmul.1"] + second.bias
    found["output"] = network(X)
    found["mse"] = mse(network, X, Y)
    found["cross_entropy"], gradients = nn.value_and_grad(network, cross_entropy)(network, X, Y)
    found |= named("grad.", gradients)
    found |= named("mse_grad.", nn.value_and_grad(network, mse)(network, X, Y)[1])
    optim.SGD(learning_rate=0.1).update(network, gradients)
    found |= named("sgd.", network.parameters())
    found["after.linear.0"] = first(X)
    found["after.relu.0"] = nn.relu(first(X))
    found["after.output"] = network(X)
    found["after.mse"] = mse(network, X, Y)

    network = Network(weights)
    optimizer = optim.SGD(learning_rate=0.001)
    losses = []
    for _ in range(30):
        loss, gradients = nn.value_and_grad(network, mse)(network, X, Y)
        optimizer.update(network, gradients)
        losses.append(loss.item())
    found["loop.losses"] = mx.array(losses)
    found |= named("loop.", network.parameters())
    return {name: array.reshape(-1).tolist() for name, array in found.items()}


result = {
    "mlx_version": version("mlx"),
    "printed": PRINTED,
    "sets": {name: {"weights": weights, "values": values(weights)} for name, weights in WEIGHTS.items()},
}
path = pathlib.Path(__file__).with_name("mlx_notebook.json")
path.write_text(json.dumps(result, indent=1) + "\n")
