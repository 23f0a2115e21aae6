"""Twenty steps of every optimizer by MLX, and by PyTorch where its convention is another.

Written with mlx 0.32.4 on its CPU backend and torch's CPU build; run as `python mlx_optimizers.py > mlx_optimizers.json`.
Two parameters, a matrix [6, 5] and a vector [7], and 20 random gradients for each, multiples of 1/64, are moved by each
rule with a learning rate that falls linearly from 1/16 to 1/64 over 16 steps. Settings are powers of two where MLX
computes 1 - beta in 64 bits, so that both begin with the same numbers. Each case holds both parameters after each
fifth step, as the bits of 32-bit floats.
"""

import json

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import torch

STEPS = 20
random = np.random.default_rng(5)
draw = lambda *shape: (random.integers(-64, 65, shape) / 64).astype(np.float32)
first = {"matrix": draw(6, 5), "vector": draw(7)}
gradients = [{"matrix": draw(6, 5), "vector": draw(7)} for _ in range(STEPS)]
START, END, OVER = 1 / 16, 1 / 64, 16
schedule = optim.linear_schedule(START, END, OVER)
rate = lambda step: START + min(step, OVER) * ((END - START) / OVER)


def bits(parameters):
    return {name: np.asarray(value, dtype=np.float32).ravel().view(np.uint32).tolist() for name, value in parameters.items()}


def by_mlx(optimizer):
    parameters = {name: mx.array(value) for name, value in first.items()}
    after = []
    for step, gradient in enumerate(gradients):
        parameters = optimizer.apply_gradients({name: mx.array(value) for name, value in gradient.items()}, parameters)
        mx.eval(parameters)
        if step % 5 == 4:
            after.append(bits({name: np.array(value) for name, value in parameters.items()}))
    return after


def by_torch(make, decayed=None):
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in first.items()}
    optimizer = make(list(parameters.values()))
    after = []
    for step, gradient in enumerate(gradients):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        for name, value in gradient.items():
            parameters[name].grad = torch.tensor(value)
        optimizer.step()
        if step % 5 == 4:
            after.append(bits({name: value.detach().numpy() for name, value in parameters.items()}))
    return after


BETAS = [0.875, 0.96875]
cases = {
    "sgd": by_mlx(optim.SGD(schedule)),
    "momentum": by_mlx(optim.SGD(schedule, momentum=0.875, weight_decay=0.125)),
    "momentum, dampened": by_mlx(optim.SGD(schedule, momentum=0.875, dampening=0.5)),
    "momentum, Nesterov": by_mlx(optim.SGD(schedule, momentum=0.875, weight_decay=0.125, nesterov=True)),
    "rmsprop": by_mlx(optim.RMSprop(schedule, alpha=0.96875, eps=1e-8)),
    "adagrad": by_mlx(optim.Adagrad(schedule, eps=1e-8)),
    "adadelta": by_mlx(optim.AdaDelta(schedule, rho=0.875, eps=1e-6)),
    "adam, not corrected": by_mlx(optim.Adam(schedule, betas=BETAS, eps=1e-8)),
    "adam": by_mlx(optim.Adam(schedule, betas=BETAS, eps=1e-8, bias_correction=True)),
    "adamw": by_mlx(optim.AdamW(schedule, betas=BETAS, eps=1e-8, weight_decay=0.125, bias_correction=True)),
    "adamax": by_mlx(optim.Adamax(schedule, betas=BETAS, eps=1e-8)),
    "lion": by_mlx(optim.Lion(schedule, betas=BETAS, weight_decay=0.125)),
    "adafactor": by_mlx(optim.Adafactor()),
    "adafactor, warming up": by_mlx(optim.Adafactor(warmup_init=True, scale_parameter=False)),
    "adafactor, with a rate": by_mlx(
        optim.Adafactor(schedule, relative_step=False, beta_1=0.875, weight_decay=0.125, clip_threshold=0.5)
    ),
    "muon": by_mlx(optim.Muon(schedule, momentum=0.875, weight_decay=0.125)),
    "muon, not Nesterov": by_mlx(optim.Muon(schedule, momentum=0.875, weight_decay=0.0, nesterov=False, ns_steps=4)),
    "torch momentum, dampened": by_torch(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.875, dampening=0.5)),
    "torch rmsprop": by_torch(lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.96875, eps=1e-8)),
    "torch adagrad": by_torch(lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-8)),
    "torch adam": by_torch(lambda p: torch.optim.Adam(p, lr=0.1, betas=BETAS, eps=1e-3)),
    "torch adamw": by_torch(lambda p: torch.optim.AdamW(p, lr=0.1, betas=BETAS, eps=1e-8, weight_decay=0.125)),
    "torch adamax": by_torch(lambda p: torch.optim.Adamax(p, lr=0.1, betas=BETAS, eps=1e-8)),
}
print(
    json.dumps(
        {
            "versions": {"mlx": mx.__version__, "torch": torch.__version__},
            "rates": [float(schedule(mx.array(step)).item()) for step in range(STEPS)],
            "first": bits(first),
            "gradients": [bits(gradient) for gradient in gradients],
            "cases": cases,
        }
    )
)
