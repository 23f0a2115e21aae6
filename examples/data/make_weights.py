"""Writes weights/: one network in the files of MLX, PyTorch and NumPy, and its outputs for two rows.

    pip install 'mlx[cpu]' torch safetensors numpy
    python examples/data/make_weights.py

The outputs are stored as the nearest numbers of 17 digits, which are exact.
"""

import json
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as mlx_nn
import numpy as np
import torch
from mlx.utils import tree_flatten
from safetensors.torch import save_file

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
folder = pathlib.Path(__file__).with_name("weights")
folder.mkdir(exist_ok=True)

mx.set_default_device(mx.cpu)
mx.random.seed(0)
mlx_model = mlx_nn.Sequential(mlx_nn.Linear(4, 8), mlx_nn.ReLU(), mlx_nn.Linear(8, 3))
mlx_model.save_weights(str(folder / "mlx.safetensors"))


class Mlp(mlx_nn.Module):
    """As in MLX's tutorial: a list of the layers with parameters alone."""

    def __init__(self):
        super().__init__()
        self.layers = [mlx_nn.Linear(4, 8), mlx_nn.Linear(8, 3)]


listed = Mlp()
for layer, module in zip(listed.layers, (mlx_model.layers[0], mlx_model.layers[2])):
    layer.weight, layer.bias = module.weight, module.bias
mx.savez_compressed(str(folder / "mlx.npz"), **dict(tree_flatten(listed.parameters())))

torch_model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
with torch.no_grad():
    for name, value in tree_flatten(mlx_model.parameters()):
        # layers.2.weight is 2.weight.
        torch_model.get_parameter(name.removeprefix("layers.")).copy_(torch.tensor(np.array(value)))
save_file(torch_model.state_dict(), folder / "torch.safetensors")
np.savez(folder / "numpy.npz", **{name: np.asfortranarray(value) for name, value in torch_model.state_dict().items()})

outputs = {
    "about": "What MLX and PyTorch answer for two rows; written by make_weights.py",
    "mlx_version": version("mlx"),
    "torch_version": version("torch"),
    "x": ROWS,
    "mlx": mlx_model(mx.array(ROWS)).tolist(),
    "torch": torch_model(torch.tensor(ROWS)).tolist(),
}
lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in outputs.items()]
(folder / "outputs.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
