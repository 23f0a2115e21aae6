"""Writes mlx_losses.json: loss values and gradients by MLX, and by PyTorch or in float64 where MLX has no such loss.

    pip install 'mlx[cpu]' torch numpy
    python tests/golden/mlx_losses.py

A case has the text of a loss, the rows of its output, targets (numbers, or "classes"), weights where there are any, the
reduction, and what came out: the reduced value, the loss values, and the gradient by each operand. Numbers are written
with all digits of their f32. "source" says who computed it; "note" what MLX itself gives where that is not right.
"""

import json
import math
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import torch

mx.set_default_device(mx.cpu)
losses = nn.losses
random = np.random.default_rng(8)


def uniform(low, high, *shape):
    # Sixteenths: exact in text and in f32.
    return (np.round(random.uniform(low, high, shape) * 16) / 16).astype(np.float32)


def number(x):
    x = float(x)
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    assert not math.isnan(x)
    return float(f"{x:.9g}")


def listed(array):
    array = np.asarray(array)
    return [number(x) if array.dtype != np.uint32 else int(x) for x in array.reshape(-1)]


cases = []


def add(loss, source, inputs, reduction, value, values, gradients, **more):
    cases.append({
        "loss": loss, "source": source, "columns": int(np.asarray(next(iter(inputs.values()))).shape[-1]),
        **{name: listed(array) for name, array in inputs.items()},
        "reduction": reduction, "value": number(value), "values": listed(values),
        **{"d" + name: listed(gradient) for name, gradient in gradients.items()}, **more,
    })


def by_mlx(loss, f, inputs, given, wanted=("output",), weights=None, reductions=("none", "mean", "sum"), **more):
    """f(*inputs, reduction); the gradients by the inputs that are wanted; the rest is given as it is."""
    names = list(inputs)
    arrays = [mx.array(inputs[name]) for name in names]
    for reduction in reductions:
        values = f(*arrays, "none")
        reduced = f(*arrays, reduction)
        positions = [names.index(name) for name in wanted]
        # Of what is not reduced, the gradient of the sum.
        gradients = mx.grad(lambda *a: mx.sum(f(*a, reduction)), argnums=positions)(*arrays)
        gradients = gradients if isinstance(gradients, tuple) else [gradients]
        value = mx.sum(reduced)
        more_inputs = {**inputs, **given} if weights is None else {**inputs, **given, "weights": weights}
        add(loss, "mlx", more_inputs, reduction, value, values, dict(zip(wanted, gradients)), **more)


p, t = uniform(-3, 3, 5, 3), uniform(-3, 3, 5, 3)
p[1, 1] = t[1, 1]
p[2, 0] = t[2, 0] + 1
row_weights = uniform(0.25, 2, 5, 1)
classes = np.array([0, 2, 1, 1, 0], dtype=np.uint32)
shares = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [1, 0, 0], [0.125, 0.375, 0.5], [0, 0.5, 0.5]], dtype=np.float32)
odd_shares = uniform(0, 1, 5, 3)
logs = np.asarray(mx.log(mx.softmax(mx.array(p), axis=-1)))
target_logs = np.asarray(mx.log(mx.softmax(mx.array(t), axis=-1)))
probabilities = uniform(0.1, 0.9, 5, 3)
yes = (random.uniform(0, 1, (5, 3)) < 0.5).astype(np.float32)
signs = 2 * yes - 1


def pointwise(loss, f, output, target, **settings):
    by_mlx(loss, lambda x, r: f(x, mx.array(target), reduction=r, **settings), {"output": output}, {"targets": target})


pointwise("mse", losses.mse_loss, p, t)
pointwise("l1", losses.l1_loss, p, t)
pointwise("huber(1)", losses.huber_loss, p, t)
pointwise("huber(0.5)", losses.huber_loss, p, t, delta=0.5)
pointwise("smooth_l1(1)", losses.smooth_l1_loss, p, t)
pointwise("smooth_l1(2)", losses.smooth_l1_loss, p, t, beta=2.0)
pointwise("log_cosh", losses.log_cosh_loss, p, t)
pointwise("hinge", losses.hinge_loss, p, signs)
pointwise("binary_cross_entropy", losses.binary_cross_entropy, p, yes)
pointwise("binary_cross_entropy", losses.binary_cross_entropy, p, probabilities)
pointwise("binary_cross_entropy_of_probabilities", losses.binary_cross_entropy, probabilities, yes, with_logits=False)
pointwise("kl_div", losses.kl_div_loss, logs, target_logs)
pointwise("cosine_similarity(0.00000001)", losses.cosine_similarity_loss, p, t)
pointwise("cosine_similarity(4)", losses.cosine_similarity_loss, p, t, eps=4.0)

for smoothing in [0.0, 0.25]:
    name = f"cross_entropy({smoothing})" if smoothing else "cross_entropy"
    for target, key in [(classes, "classes"), (shares, "targets")]:
        for weights in [None, row_weights]:
            flat = None if weights is None else mx.array(weights[:, 0])
            by_mlx(name, lambda x, r: losses.cross_entropy(x, mx.array(target), flat, label_smoothing=smoothing,
                                                           reduction=r),
                   {"output": p}, {key: target}, weights=weights)

# One weight for each element, as MLX has it, and one for each row.
for weights in [uniform(0.25, 2, 5, 3), row_weights]:
    whole = mx.array(np.broadcast_to(weights, (5, 3)).copy())
    by_mlx("binary_cross_entropy", lambda x, r: losses.binary_cross_entropy(x, mx.array(yes), whole, reduction=r),
           {"output": p}, {"targets": yes}, weights=weights)

by_mlx("nll", lambda x, r: losses.nll_loss(x, mx.array(classes), reduction=r), {"output": logs}, {"classes": classes})

variances = uniform(0.125, 2, 5, 3)
variances[0, 0] = 0.0
for eps, full in [(1e-6, False), (0.5, True)]:
    by_mlx(f"gaussian_nll({eps:.6f}, {int(full)})",
           lambda x, v, r: losses.gaussian_nll_loss(x, mx.array(t), v, full=full, eps=eps, reduction=r),
           {"output": p + (t - p) * (variances == 0), "variances": variances}, {"targets": t},
           wanted=("output", "variances"))

anchors, positives, negatives = uniform(-2, 2, 5, 3), uniform(-2, 2, 5, 3), uniform(-2, 2, 5, 3)
positives[0] = anchors[0]
for degree, margin in [(2, 1.0), (1, 0.5), (3, 0.0)]:
    by_mlx("triplet", lambda a, b, c, r: losses.triplet_loss(a, b, c, p=degree, margin=margin, reduction=r),
           {"anchors": anchors, "positives": positives, "negatives": negatives}, {},
           wanted=("anchors", "positives", "negatives"), p=degree, margin=margin)
for margin in [0.0, 1.0]:
    x2 = t.copy()
    by_mlx("margin_ranking", lambda a, b, r: losses.margin_ranking_loss(a, b, mx.array(signs), margin, reduction=r),
           {"x1": p, "x2": x2}, {"targets": signs}, wanted=("x1", "x2"), margin=margin)


def by_torch(loss, f, output, given, source="torch", **more):
    """f gives the loss values; autograd the gradient."""
    for reduction in ("none", "mean", "sum"):
        x = torch.tensor(np.asarray(output, dtype=np.float64), requires_grad=True)
        values = f(x)
        value = values.mean() if reduction == "mean" else values.sum()
        value.backward()
        add(loss, source, {"output": np.asarray(output, dtype=np.float32), **given}, reduction, value.item(),
            values.detach().numpy(), {"output": x.grad.numpy()}, **more)


F = torch.nn.functional


def wide(array):
    return torch.tensor(np.asarray(array, dtype=np.float64))


counts = np.array([[0, 1, 4], [2, 0, 0], [7, 1, 3], [1, 0, 2], [0, 5, 1]], dtype=np.float32)
amounts = uniform(0.25, 4, 5, 3)
by_torch("poisson", lambda x: F.poisson_nll_loss(x, wide(counts), log_input=True, reduction="none"), p,
         {"targets": counts})
by_torch("gamma", lambda x: x + wide(amounts) / x.exp(), p, {"targets": amounts}, source="float64")
for power in [1.5, 1.25, 1.75]:
    by_torch(f"tweedie({power})",
             lambda x: x.exp() ** (2 - power) / (2 - power) - wide(counts) * x.exp() ** (1 - power) / (1 - power), p,
             {"targets": counts}, source="float64")
apart = p + (p == t) * 0.5
for level in [0.5, 0.9]:
    by_torch(f"quantile({level})",
             lambda x: torch.maximum(level * (wide(t) - x), (level - 1) * (wide(t) - x)), apart, {"targets": t},
             source="float64")


def binary_focal(x, target, gamma):
    # torchvision.ops.sigmoid_focal_loss without its alpha.
    share = torch.sigmoid(x)
    value = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    return value * (1 - (share * target + (1 - share) * (1 - target))) ** gamma


for gamma in [2.0, 0.5, 3.0, 0.0]:
    by_torch(f"binary_focal({gamma})", lambda x: binary_focal(x, wide(yes), gamma), p, {"targets": yes},
             source="float64")
    own = lambda x: F.log_softmax(x, -1)[range(5), classes.astype(int)]
    by_torch(f"focal({gamma})", lambda x: -((1 - own(x).exp()) ** gamma) * own(x), p, {"classes": classes},
             source="float64")
by_torch("binary_focal(2)", lambda x: binary_focal(x, wide(probabilities), 2.0), p, {"targets": probabilities},
         source="float64")

# Class weights: the mean of PyTorch is divided by the sum of the weights.
class_weights = np.array([0.5, 2.0, 1.25], dtype=np.float32)
for name, f in [("cross_entropy", lambda x, **k: F.cross_entropy(x, torch.tensor(classes.astype(np.int64)), **k)),
                ("nll", lambda x, **k: F.nll_loss(x, torch.tensor(classes.astype(np.int64)), **k))]:
    for reduction, kind in [("weighted-mean", "mean"), ("sum", "sum")]:
        output = logs if name == "nll" else p
        x = wide(output).requires_grad_()
        value = f(x, weight=wide(class_weights), reduction=kind)
        value.backward()
        values = f(x, weight=wide(class_weights), reduction="none").detach().numpy()
        if reduction == "weighted-mean":
            values = values * 5 / class_weights[classes].sum()
        add(name, "torch", {"output": output, "classes": classes, "class_weights": class_weights}, reduction,
            value.item(), values, {"output": x.grad.numpy()})

# Extreme inputs, with what is right; computed in float64, which holds all of these.
inf = math.inf


def extreme(loss, output, given, values, gradient, note=None):
    more = {} if note is None else {"note": note}
    output = np.array([output], dtype=np.float32)
    given = {name: np.array([value], dtype=np.uint32 if name == "classes" else np.float32)
             for name, value in given.items()}
    add(loss, "by hand", {"output": output, **given}, "sum", sum(values), np.array(values), {"output": gradient},
        **more)


e1 = math.exp(-1)
third = 1 / 3
shift_loss, shift_p = math.log(1 + e1), 1 / (1 + math.e)
for shift in [1e4, -1e4, 1e6]:
    extreme("cross_entropy", [1 + shift, 2 + shift], {"classes": [1]}, [shift_loss], [shift_p, -shift_p])
    extreme("cross_entropy", [1 + shift, 2 + shift], {"targets": [0, 1]}, [shift_loss], [shift_p, -shift_p])
    extreme("focal(2)", [1 + shift, 2 + shift], {"classes": [1]}, [shift_p**2 * shift_loss],
            [x * (shift_p**2 + 2 * shift_p * (1 - shift_p) * shift_loss) for x in (shift_p, -shift_p)])
extreme("cross_entropy", [1e20, 1e20], {"classes": [0]}, [math.log(2)], [-0.5, 0.5])
extreme("cross_entropy", [1e20, 1e20], {"targets": [0.5, 0.5]}, [math.log(2)], [0, 0])
extreme("cross_entropy(0.25)", [1e20, 1e20], {"classes": [0]}, [math.log(2)], [-0.375, 0.375])
extreme("focal(2)", [1e20, 1e20], {"classes": [0]}, [0.25 * math.log(2)],
        [x * (0.25 + math.log(2) / 2) for x in (-0.5, 0.5)])
# Not a sum of 1: MLX subtracts the maximum first and so leaves out m (1 - sum t).
extreme("cross_entropy", [1e4, 1e4], {"targets": [0.5, 0.25]}, [math.log(2) + 0.25e4], [0, 0.25],
        f"mlx: {losses.cross_entropy(mx.array([[1e4, 1e4]]), mx.array([[0.5, 0.25]])).item()}, the maximum left out")
for target in [{"classes": [0]}, {"targets": [1, 0, 0]}]:
    note = None if "classes" in target else "mlx: nan, 0 times -inf"
    extreme("cross_entropy", [0, -inf, 0], target, [math.log(2)], [-0.5, 0, 0.5], note)
extreme("cross_entropy", [0, -inf], {"classes": [1]}, [inf], [1, -1])
extreme("cross_entropy(0.25)", [0, -inf], {"classes": [0]}, [inf], [1 - 0.875, -0.125])
extreme("kl_div", [math.log(0.5)] * 2, {"targets": [0, -inf]}, [math.log(2)], [-1, 0], "mlx: nan, 0 times -inf")
for z, target, value, slope in [(1e4, 1, 0, 0), (1e4, 0, 1e4, 1), (-1e4, 1, 1e4, -1), (1e20, 0, 1e20, 1),
                                (-1e20, 0, 0, 0), (-inf, 0, 0, 0), (inf, 1, 0, 0), (-inf, 1, inf, -1)]:
    note = "mlx: nan, 0 times -inf" if math.isinf(z) and value == 0 and target == 0 else None
    extreme("binary_cross_entropy", [z], {"targets": [target]}, [value], [slope], note)
    if not math.isinf(z):
        extreme("binary_focal(2)", [z], {"targets": [target]}, [value], [slope])
# Cut off, the value does not depend on p.
for share, target, value, slope in [(0, 1, 100, 0), (0, 0, 0, 1), (1, 0, 100, 0), (1, 1, 0, -1)]:
    extreme("binary_cross_entropy_of_probabilities", [share], {"targets": [target]}, [value], [slope],
            "mlx: a gradient of nan")
for loss in ["huber(1)", "smooth_l1(1)", "log_cosh", "l1"]:
    offset = {"huber(1)": 0.5, "smooth_l1(1)": 0.5, "log_cosh": math.log(2), "l1": 0}[loss]
    for size in [1e4, -1e6, 1e20]:
        extreme(loss, [size], {"targets": [0]}, [abs(size) - offset], [math.copysign(1, size)])
extreme("log_cosh", [1e-3], {"targets": [0]}, [math.log1p(2 * math.sinh(5e-4) ** 2)], [math.tanh(1e-3)],
        "mlx: 4.77e-7, what is left of 0.6931477 - 0.6931472")
extreme("poisson", [-inf], {"targets": [0]}, [0], [0])
extreme("tweedie(1.5)", [-inf], {"targets": [0]}, [0], [0])
extreme("cosine_similarity(0.00000001)", [3e20, 4e20], {"targets": [4e20, 3e20]}, [0.96],
        [(0.8 - 0.6 * 0.96) / 5e20, (0.6 - 0.8 * 0.96) / 5e20], "mlx: nan, the squares overflow")
extreme("cosine_similarity(0.5)", [0, 0], {"targets": [1, 2]}, [0], [2, 4], "mlx: a gradient of nan")
extreme("gaussian_nll(0.000001, 0)", [1e4, 1], {"targets": [0]}, [0.5e8], [1e4, -0.5e8 + 0.5])

golden = {
    "about": "Losses by MLX and others; written by mlx_losses.py, which explains the form",
    "mlx_version": version("mlx"),
    "torch_version": version("torch"),
    "cases": cases,
}


def text(value, depth=0):
    """JSON with one case on a line, so that a difference can be read."""
    if isinstance(value, dict) and depth == 0:
        return "{\n" + ",\n".join(f" {json.dumps(k)}: {text(v, 1)}" for k, v in value.items()) + "\n}\n"
    if isinstance(value, list) and depth == 1:
        return "[\n" + ",\n".join("  " + json.dumps(item) for item in value) + "\n ]"
    return json.dumps(value)


pathlib.Path(__file__).with_suffix(".json").write_text(text(golden))
