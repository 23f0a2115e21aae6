"""What scikit-learn's scalers make of a column.

    pip install scikit-learn numpy
    python tests/golden/preprocessing.py

The column has 1500 rows, `k * k / 1024` with `k = i * 7919 mod 701`, so that each number occurs two or three times; the
quantile transformer takes 1000 landmarks of all rows. The probes lie on landmarks, between them and beyond the ends, but
not within 1e-7 of an end, where scikit-learn takes them for the end.
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

column = np.array([float((i * 7919 % 701) ** 2) / 1024 for i in range(1500)])
probes = np.array(
    [-1e9, -5.0, 0.0, 1 / 1024, 4 / 1024, 0.5, 1.0, 7.25, 24.5, 100.0, 123.456, 250.0, 313.1, 400.0, 477.0, 478.515625]
    + [479.0, 1e9]
)
scalers = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(unit_variance=True),
    "quantile": QuantileTransformer(n_quantiles=1000, subsample=None, output_distribution="normal"),
}
results = {}
for name, scaler in scalers.items():
    scaler.fit(column[:, None])
    results[name] = scaler.transform(probes[:, None])[:, 0].tolist()

golden = {"sklearn": version("scikit-learn"), "probes": probes.tolist(), "scaled": results}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, indent=1) + "\n")
