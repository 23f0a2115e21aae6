"""Writes mlx_init.json: what MLX draws for a seed, bit for bit.

    pip install 'mlx[cpu]'
    python tests/golden/mlx_init.py

Numbers are stored as the hexadecimal digits of their 32 bits. Arrays of more than WHOLE numbers are stored as
their count, their first and last four numbers, and the FNV-1a hash (64 bits) of all their little-endian bytes.

"erfinv" is of MLX's inverse error function at every fraction that mx.random.normal can give it, from the smallest
up: their count, and the sum over i of bits[i] * (2 i + 1) modulo 2^64. That takes seconds and about 1 GB.

MLX's CPU device takes its logarithm from the system; the file was written on Linux with glibc.
"""

import json
import math
import pathlib
from importlib.metadata import version

import mlx.core as mx
import mlx.nn as nn
import numpy as np

WHOLE = 40
SEEDS = [0, 1, 42, 2**32 + 7, 2**63, 2**64 - 1]
NETWORKS = [[1, 1], [3, 2, 1], [13, 5, 7], [4, 11, 3, 3], [784, 129, 10]]
# One word drawn with this seed as the key is so high that it rounds to 1 as a fraction.
CLAMPED_SEED = 43287483
# Outputs and inputs: one row, one column, odd and even counts, wide and tall.
SHAPES = [[1, 1], [1, 2], [1, 7], [5, 1], [3, 3], [4, 6], [7, 5], [65, 33]]
INITS = [
    ("constant(0.1)", lambda: nn.init.constant(0.1)),
    ("normal", lambda: nn.init.normal()),
    ("normal(mean=-0.3, std=0.02)", lambda: nn.init.normal(-0.3, 0.02)),
    ("normal(mean=0, std=0)", lambda: nn.init.normal(0.0, 0.0)),
    ("uniform", lambda: nn.init.uniform()),
    ("uniform(low=-0.3, high=2.7)", lambda: nn.init.uniform(-0.3, 2.7)),
    ("identity", lambda: nn.init.identity()),
    ("glorot_normal", lambda: nn.init.glorot_normal()),
    ("glorot_normal(gain=0)", lambda: lambda a: nn.init.glorot_normal()(a, gain=0.0)),
    ("glorot_normal(gain=1.4142135623730951)", lambda: lambda a: nn.init.glorot_normal()(a, gain=math.sqrt(2.0))),
    ("glorot_uniform", lambda: nn.init.glorot_uniform()),
    ("glorot_uniform(gain=0.1)", lambda: lambda a: nn.init.glorot_uniform()(a, gain=0.1)),
    ("he_normal", lambda: nn.init.he_normal()),
    ("he_normal(gain=1.4142135623730951, mode=fan_out)",
        lambda: lambda a: nn.init.he_normal()(a, mode="fan_out", gain=math.sqrt(2.0))),
    ("he_uniform", lambda: nn.init.he_uniform()),
    ("he_uniform(gain=0.1, mode=fan_out)", lambda: lambda a: nn.init.he_uniform()(a, mode="fan_out", gain=0.1)),
    ("sparse(sparsity=0.1)", lambda: nn.init.sparse(0.1)),
    ("sparse(sparsity=0.5, mean=-0.3, std=0.02)", lambda: nn.init.sparse(0.5, -0.3, 0.02)),
    ("sparse(sparsity=0)", lambda: nn.init.sparse(0.0)),
    ("sparse(sparsity=1)", lambda: nn.init.sparse(1.0)),
    # Not of nn.init, but of mx.random: Keras' normal numbers are cut like these.
    ("truncated_normal(mean=-0.3, std=0.02)",
        lambda: lambda a: mx.array(0.02) * mx.random.truncated_normal(-2, 2, a.shape) + mx.array(-0.3)),
    ("linear", lambda: lambda a: nn.Linear(a.shape[1], a.shape[0], bias=False).weight),
]


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


def stored_whole(array):
    return [f"{word:08x}" for word in array.reshape(-1).view(mx.uint32).tolist()]


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


def erfinv():
    # As MLX's uniform computes them from all words: from 2^24 on, several words give one float.
    words = [np.arange(2**24, dtype=np.float32)]
    words += [np.arange(2**23, 2**24, dtype=np.float32) * np.float32(2 ** (1 + octave)) for octave in range(8)]
    units = np.minimum(np.concatenate(words) / np.float32(2**32), np.float32(1 - 2**-24))
    fractions = np.unique(np.float32(2) * units + np.nextafter(np.float32(-1), np.float32(0)))
    bits = np.array(mx.erfinv(mx.array(fractions))).view(np.uint32).astype(np.uint64)
    factors = 2 * np.arange(len(bits), dtype=np.uint64) + np.uint64(1)
    return {"count": len(bits), "sum": f"{int((bits * factors).sum()):016x}"}


def normal(seed, n):
    numbers = mx.random.normal(shape=[n], loc=-0.3, scale=2.7, key=mx.random.key(seed))
    return {"seed": seed, "n": n, "numbers": stored(numbers)}


def initializer(name, make, seed, shape):
    """Two draws of one seed: the second shows how many keys the first took."""
    mx.random.seed(seed)
    first, second = make()(mx.zeros(shape)), mx.random.uniform(shape=[1])
    return {"init": name, "seed": seed, "shape": shape, "numbers": stored(first), "next": stored(second)[0]}


def sparse_tie(seed):
    """Ends the zeros between two equal ranks, so that the order of equal ones tells which becomes zero."""
    n = 12000
    mx.random.seed(seed)
    ranks = np.sort(np.array(mx.random.uniform(shape=[n])))
    n_zeros = int(np.flatnonzero(ranks[1:] == ranks[:-1])[0]) + 1
    sparsity = (n_zeros - 0.5) / n
    return initializer(f"sparse(sparsity={sparsity!r})", lambda: nn.init.sparse(sparsity), seed, [1, n])


def orthogonal(gain, seed, shape):
    """The numbers as such, since their last bits depend on LAPACK, and the condition of the matrix behind them."""
    mx.random.seed(seed)
    numbers = nn.init.orthogonal(gain)(mx.zeros(shape))
    mx.random.seed(seed)
    matrix = np.array(mx.random.normal(shape=[max(shape)] * 2), dtype=np.float64)
    condition = float(f"{np.linalg.cond(matrix):.3g}")
    return {"gain": gain, "seed": seed, "shape": shape, "condition": condition, "numbers": stored_whole(numbers)}


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
    "erfinv": erfinv(),
    "normal": [normal(seed, n) for n in (1, 2, 5, 41, 4096) for seed in SEEDS],
    "initializers": [
        initializer(name, make, seed, shape)
        for name, make in INITS
        for shape in SHAPES
        if name != "identity" or shape[0] == shape[1]
        for seed in (0, 2**63 + 42)
    ],
    "sparse_ties": [sparse_tie(seed) for seed in SEEDS],
    "orthogonal": [
        orthogonal(gain, seed, shape)
        for gain, shape in [(1, [1, 1]), (2.5, [1, 4]), (1, [5, 1]), (1, [4, 6]), (0.1, [7, 5]), (1, [11, 11])]
        for seed in (0, 42)
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
