"""Every schedule at each of 50 steps by MLX, and by PyTorch where MLX has none.

Written with mlx 0.32.4 and torch's CPU build; run as `python mlx_schedules.py > mlx_schedules.json`. The names are
what `Schedule` reads. MLX computes in 32 bits, PyTorch in 64; both are written with all their digits.
"""

import json

import mlx.core as mx
import mlx.optimizers as optim
import torch

STEPS = 50


def by_mlx(schedule):
    return [float(mx.array(schedule(mx.array(step)), dtype=mx.float32).item()) for step in range(STEPS)]


def by_torch(make, rate):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


lr = torch.optim.lr_scheduler
cases = {
    "mlx": {
        "exponential(0.1, 0.9)": by_mlx(optim.exponential_decay(0.1, 0.9)),
        "step(0.1, 0.5, 7)": by_mlx(optim.step_decay(0.1, 0.5, 7)),
        "cosine(0.1, 30)": by_mlx(optim.cosine_decay(0.1, 30)),
        "cosine(0.1, 30, 0.01)": by_mlx(optim.cosine_decay(0.1, 30, 0.01)),
        "linear(0, 0.1, 20)": by_mlx(optim.linear_schedule(0, 0.1, 20)),
        "linear(0.1, 0.02, 60)": by_mlx(optim.linear_schedule(0.1, 0.02, 60)),
        "join(linear(0, 0.1, 10), 10, cosine(0.1, 25))": by_mlx(
            optim.join_schedules([optim.linear_schedule(0, 0.1, 10), optim.cosine_decay(0.1, 25)], [10])
        ),
        "join(linear(0, 0.1, 5), 5, step(0.1, 0.5, 4), 20, exponential(0.2, 0.75))": by_mlx(
            optim.join_schedules(
                [optim.linear_schedule(0, 0.1, 5), optim.step_decay(0.1, 0.5, 4), optim.exponential_decay(0.2, 0.75)],
                [5, 20],
            )
        ),
    },
    "torch": {
        # Each is told one step more than is asked for, because PyTorch refuses to go beyond the last.
        "one_cycle(0.1, 51)": by_torch(lambda o: lr.OneCycleLR(o, max_lr=0.1, total_steps=51, cycle_momentum=False), 0.1),
        "one_cycle(0.2, 60, 0.25, 10, 100)": by_torch(
            lambda o: lr.OneCycleLR(
                o, 0.2, total_steps=60, pct_start=0.25, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
            0.1,
        ),
        "restarts(0.1, 7, 2)": by_torch(lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=7, T_mult=2), 0.1),
        "restarts(0.1, 9, 1, 0.01)": by_torch(lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=9, eta_min=0.01), 0.1),
        "milestones(0.1, 0.3, 5, 17, 18)": by_torch(lambda o: lr.MultiStepLR(o, milestones=[5, 17, 18], gamma=0.3), 0.1),
    },
}
versions = {"mlx": mx.__version__, "torch": torch.__version__}
print(json.dumps({"versions": versions, "cases": cases}))
