"""Gives the files that examples/mlx_weights.rs wrote to MLX and PyTorch, and compares their outputs.

    cargo run --example mlx_weights -- FOLDER
    python examples/data/load_back.py FOLDER

Ends with status 1 where an output is not that of the network in weights/.
"""

import json
import pathlib
import sys

import mlx.core as mx
import mlx.nn as mlx_nn
import numpy as np
import torch
from safetensors.torch import load_file

folder = pathlib.Path(sys.argv[1])
golden = json.loads(pathlib.Path(__file__).with_name("weights").joinpath("outputs.json").read_text())
mx.set_default_device(mx.cpu)


class Mlp(mlx_nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [mlx_nn.Linear(4, 8), mlx_nn.Linear(8, 3)]

    def __call__(self, x):
        return self.layers[1](mlx_nn.relu(self.layers[0](x)))


def sequential():
    return mlx_nn.Sequential(mlx_nn.Linear(4, 8), mlx_nn.ReLU(), mlx_nn.Linear(8, 3))


def by_mlx(model, name):
    # Strict: no name may be missing or too much.
    model.load_weights(str(folder / name), strict=True)
    return model(mx.array(golden["x"])).tolist()


def by_torch(name):
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    model.load_state_dict(load_file(folder / name), strict=True)
    return model(torch.tensor(golden["x"])).tolist()


found = {
    "own.safetensors in an MLX module": (by_mlx(Mlp(), "own.safetensors"), golden["mlx"]),
    "sequential.npz in MLX's nn.Sequential": (by_mlx(sequential(), "sequential.npz"), golden["mlx"]),
    "torch.safetensors in PyTorch's nn.Sequential": (by_torch("torch.safetensors"), golden["torch"]),
}
is_equal = True
for name, (outputs, expected) in found.items():
    # The same weights in the same library: the same numbers.
    same = np.array_equal(outputs, expected)
    is_equal &= same
    print(f"{name}: {outputs}, {'equal' if same else f'EXPECTED {expected}'}")
sys.exit(not is_equal)
