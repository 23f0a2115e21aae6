"""Writes mlx_init.json: what MLX draws for a seed, bit for bit.

    pip install 'mlx[cpu]'
    python tests/golden/mlx_init.py

Numbers are stored as the hexadecimal digits of their 32 bits. Arrays of more than WHOLE numbers are stored as
their count, their first and last four numbers, and the FNV-1a hash (64 bits) of all their little-endian bytes.
"""

import json
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn

WHOLE = 40
SEEDS = [0, 1, 42, 2**32 + 7, 2**63, 2**64 - 1]
NETWORKS = [[1, 1], [3, 2, 1], [13, 5, 7], [4, 11, 3, 3], [784, 129, 10]]
# One word drawn with this seed as the key is so high that it rounds to 1 as a fraction.
CLAMPED_SEED = 43287483


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def stored(array):
    words = array.reshape(-1)
    if words.dtype == mx.float32:
        words = words.view(mx.uint32)
    words = words.tolist()
    digits = [f"{word:08x}" for word in words]
    if len(words) <= WHOLE:
        return digits
    data = b"".join(word.to_bytes(4, "little") for word in words)
    return {"count": len(words), "first": digits[:4], "last": digits[-4:], "fnv1a": f"{fnv1a(data):016x}"}


def network(seed, sizes):
    mx.random.seed(seed)
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in zip(sizes, sizes[1:])]
    return {
        "seed": seed,
        "sizes": sizes,
        "layers": [{"weights": stored(layer.weight), "biases": stored(layer.bias)} for layer in layers],
    }


def split(seed, keys):
    # The only way from Python to the bare words: row-major [keys, 2].
    return {"seed": seed, "words": stored(mx.random.split(mx.random.key(seed), keys))}


def uniform(seed, low, high, n):
    numbers = mx.random.uniform(low, high, shape=[n], key=mx.random.key(seed))
    low, high = (stored(mx.array([bound], dtype=mx.float32))[0] for bound in (low, high))
    return {"seed": seed, "low": low, "high": high, "n": n, "numbers": stored(numbers)}


mx.set_default_device(mx.cpu)
assert mx.random.uniform(shape=[1], key=mx.random.key(CLAMPED_SEED)).item() == 1 - 2**-24

golden = {
    "about": "What MLX draws for a seed; written by mlx_init.py, which explains the form",
    "mlx_version": version("mlx"),
    "device": str(mx.default_device()),
    "splits": [split(seed, keys) for keys in (1, 2, 7, 33) for seed in SEEDS],
    "uniform": [
        *(uniform(seed, -0.3, 2.7, n) for n in (1, 2, 5, 41) for seed in SEEDS),
        uniform(CLAMPED_SEED, 0.0, 1.0, 1),
        uniform(CLAMPED_SEED, -0.3, 2.7, 1),
    ],
    "networks": [network(seed, sizes) for sizes in NETWORKS for seed in SEEDS],
}


def text(value, depth=0):
    """JSON with one case on a line, so that a difference can be read."""
    if isinstance(value, dict) and depth == 0:
        return "{\n" + ",\n".join(f" {json.dumps(k)}: {text(v, 1)}" for k, v in value.items()) + "\n}\n"
    if isinstance(value, list) and depth == 1:
        return "[\n" + ",\n".join("  " + json.dumps(item) for item in value) + "\n ]"
    return json.dumps(value)


pathlib.Path(__file__).with_suffix(".json").write_text(text(golden))
