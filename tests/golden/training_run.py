"""200 steps of one training, by MLX, by PyTorch and in f64, and how far roundings may lead apart.

    pip install 'mlx[cpu]' torch numpy
    python tests/golden/training_run.py

A network 32-16-8-3 with ReLU learns 64 rows in batches of 16, in order and without shuffling, by Adam with
corrected bias and a learning rate that falls from 0.01 as a half cosine over the 200 steps.
All numbers come from keys, so that nothing but results must be stored:

  features  mx.random.uniform(-1, 1, [64, 32], key=mx.random.key(1))
  classes   the largest of three random sums of each row, with weights uniform(-1, 1, [3, 32], key(2))
  weights   those of mx.random.seed(0) and three mlx.nn.Linear in a row

`f64` is the loss of each step in double precision, from the same first weights. `spread` tells how far
roundings may lead: the largest distance from it among 32 runs in f64 whose gradients and weights are moved
at each step as single precision may move them. Each gradient sums 16 rows of products whose factors
themselves are sums of at most 32 terms: 50 roundings of half a unit, so that it is off by up to 50 * 2^-24 of the
sum of its terms' magnitudes; weights are rounded once, 2^-24 of their magnitude.
"""

import json
import math
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import torch

SIZES, ROWS, BATCH, STEPS, RATE = [32, 16, 8, 3], 64, 16, 200, 0.01


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(i, o) for i, o in zip(SIZES, SIZES[1:])]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = nn.relu(layer(x))
        return self.layers[-1](x)


def rate(step):
    return RATE * 0.5 * (1 + math.cos(math.pi * min(step, STEPS) / STEPS))


def data():
    x = np.array(mx.random.uniform(-1, 1, [ROWS, SIZES[0]], key=mx.random.key(1)))
    weights = np.array(mx.random.uniform(-1, 1, [3, SIZES[0]], key=mx.random.key(2)))
    scores = x.astype(np.float64) @ weights.astype(np.float64).T
    # No class hangs on a rounding.
    ordered = np.sort(scores, axis=1)
    assert (ordered[:, -1] - ordered[:, -2]).min() > 1e-3
    return x, scores.argmax(1)


def batches(x, y):
    for step in range(STEPS):
        start = step * BATCH % ROWS
        yield step, x[start : start + BATCH], y[start : start + BATCH]


def by_mlx(x, y):
    mx.random.seed(0)
    model = Mlp()
    mx.eval(model.parameters())
    first = [(np.array(layer.weight), np.array(layer.bias)) for layer in model.layers]
    optimizer = optim.Adam(optim.cosine_decay(RATE, STEPS), bias_correction=True)
    loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
    losses = []
    for _, x, y in batches(x, y):
        loss, gradients = loss_and_grad(model, mx.array(x), mx.array(y))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    return first, losses


def by_torch(x, y, first, dtype, random=None):
    parameters = [torch.tensor(part, dtype=dtype, requires_grad=True) for layer in first for part in layer]
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    losses = []
    for step, x, y in batches(x, y):
        h = torch.tensor(x, dtype=dtype)
        taken, sums = [], []
        for layer in range(len(SIZES) - 1):
            taken.append(h)
            h = h @ parameters[2 * layer].T + parameters[2 * layer + 1]
            h.retain_grad()
            sums.append(h)
            if layer < len(SIZES) - 2:
                h = torch.relu(h)
        loss = torch.nn.functional.cross_entropy(h, torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        optimizer.param_groups[0]["lr"] = rate(step)
        if random is not None:
            for layer, (h, z) in enumerate(zip(taken, sums)):
                magnitudes = [z.grad.abs().T @ h.detach().abs(), z.grad.abs().sum(0)]
                for part, magnitude in zip(parameters[2 * layer :], magnitudes):
                    part.grad += torch.tensor(random.uniform(-1, 1, part.shape)) * 50 * 2.0**-24 * magnitude
        optimizer.step()
        if random is not None:
            with torch.no_grad():
                for part in parameters:
                    part *= 1 + 2.0**-24 * torch.tensor(random.uniform(-1, 1, part.shape))
    return losses


def main():
    torch.set_num_threads(1)
    x, y = data()
    first, mlx = by_mlx(x, y)
    pytorch = by_torch(x, y, first, torch.float32)
    exact = by_torch(x, y, first, torch.float64)
    moved = [by_torch(x, y, first, torch.float64, np.random.default_rng(seed)) for seed in range(32)]
    spread = np.abs(np.array(moved) - np.array(exact)).max(0)
    golden = {
        "versions": {name: version(name) for name in ["mlx", "torch", "numpy"]},
        "classes": y.tolist(),
        "mlx": mlx,
        "pytorch": pytorch,
        "f64": exact,
        "spread": spread.tolist(),
    }
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")


main()
