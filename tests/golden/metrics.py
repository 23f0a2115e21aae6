"""Writes metrics.json: measures and simple predictors by scikit-learn.

    pip install scikit-learn numpy
    python tests/golden/metrics.py

A case has the kind of truth, answers and truth by row, weights of the rows where there are any, and the value of every
measure by its name here; "parts" holds those of each target, class or label. Answers are multiples of 1/1024, exact in
f32, so that both sides see the same numbers and equal ones are equal.

"baselines" has cases of features and targets with the answers of Ridge and LogisticRegression behind a StandardScaler
that leaves columns of 0 and 1 alone.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("error")
random = np.random.default_rng(11)


def rounded(x):
    return np.round(np.asarray(x) * 1024) / 1024


def probabilities(rows, classes, truth, strength):
    z = random.normal(size=(rows, classes))
    z[np.arange(rows), truth] += strength
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    # Coarse, so that there are equal ones; the largest takes what is missing to 1.
    p = np.maximum(np.floor(p * 64), 1) / 64
    p[np.arange(rows), p.argmax(1)] += 1 - p.sum(1)
    assert (p > 0).all() and (p.sum(1) == 1).all()
    return p


def ece(p, y, w, bins=15):
    top, hit = p.max(1), p.argmax(1) == y
    place = np.clip(np.ceil(top * bins).astype(int), 1, bins)
    total = 0.0
    for b in range(1, bins + 1):
        at = place == b
        if w[at].sum() > 0:
            mean = np.average
            total += w[at].sum() * abs(mean(hit[at], weights=w[at]) - mean(top[at], weights=w[at]))
    return total / w.sum()


def numbers(y, p, w):
    def of(a, b):
        return {
            "r2": m.r2_score(a, b, sample_weight=w),
            "rmse": m.root_mean_squared_error(a, b, sample_weight=w),
            "mae": m.mean_absolute_error(a, b, sample_weight=w),
            "median_absolute_error": m.median_absolute_error(a, b, sample_weight=w),
            "mape": m.mean_absolute_percentage_error(a, b, sample_weight=w) if (a > 0).all() else None,
        }

    parts = [of(y[:, k], p[:, k]) for k in range(y.shape[1])]
    defined = {name: [part[name] for part in parts if part[name] is not None] for name in parts[0]}
    mean = {name: np.mean(values) if values else None for name, values in defined.items()}
    return mean, parts if len(parts) > 1 else []


def classes(y, p, w):
    n, answer = p.shape[1], p.argmax(1)
    one_hot = np.eye(n)[y]
    score = lambda k: (y == k, p[:, k])
    areas = [1] if n == 2 else range(n)
    out = {
        "accuracy": m.accuracy_score(y, answer, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(y, answer, sample_weight=w),
        "log_loss": m.log_loss(y, p, sample_weight=w, labels=range(n)),
        "macro_f1": m.f1_score(y, answer, average="macro", sample_weight=w),
        "weighted_f1": m.f1_score(y, answer, average="weighted", sample_weight=w),
        "mcc": m.matthews_corrcoef(y, answer, sample_weight=w),
        "auroc": np.mean([m.roc_auc_score(*score(k), sample_weight=w) for k in areas]),
        "auprc": np.mean([m.average_precision_score(*score(k), sample_weight=w) for k in areas]),
        "brier": m.brier_score_loss(y, p[:, 1], sample_weight=w) if n == 2
        else np.average(((p - one_hot) ** 2).sum(1), weights=w),
        "calibration_error": ece(p, y, w),
    }
    # scikit-learn puts the last of equal ones first here; minute differences put the first first.
    earlier = p - np.arange(n) * 1e-9
    if n > 3:
        out["top_3_accuracy"] = m.top_k_accuracy_score(y, earlier, k=3, sample_weight=w, labels=range(n))
    if n > 5:
        out["top_5_accuracy"] = m.top_k_accuracy_score(y, earlier, k=5, sample_weight=w, labels=range(n))
    precision, recall, f1, _ = m.precision_recall_fscore_support(
        y, answer, labels=range(n), sample_weight=w, zero_division=0)
    parts = [
        {"precision": precision[k], "recall": recall[k], "f1": f1[k], "auroc": m.roc_auc_score(*score(k), sample_weight=w)}
        for k in range(n)
    ]
    return out, parts


def labels(y, p, w):
    answer = (p >= 0.5).astype(int)
    each = range(y.shape[1])
    out = {
        "subset_accuracy": m.accuracy_score(y, answer, sample_weight=w),
        "hamming_loss": m.hamming_loss(y, answer, sample_weight=w),
        "micro_f1": m.f1_score(y, answer, average="micro", sample_weight=w),
        "macro_f1": m.f1_score(y, answer, average="macro", sample_weight=w),
        "auroc": m.roc_auc_score(y, p, average="macro", sample_weight=w),
        "auprc": m.average_precision_score(y, p, average="macro", sample_weight=w),
        "log_loss": np.mean([m.log_loss(y[:, k], p[:, k], sample_weight=w) for k in each]),
    }
    precision, recall, f1, _ = m.precision_recall_fscore_support(y, answer, sample_weight=w, average=None)
    parts = [
        {"precision": precision[k], "recall": recall[k], "f1": f1[k],
         "auroc": m.roc_auc_score(y[:, k], p[:, k], sample_weight=w)}
        for k in each
    ]
    return out, parts


def case(kind, measures, truth, answers, weighted):
    rows = len(truth)
    w = random.integers(0, 5, rows) / 2 if weighted else None
    scores, parts = measures(truth, answers, np.ones(rows) if w is None else w)
    plain = lambda values: {name: None if x is None else float(x) for name, x in values.items()}
    return {
        "kind": kind,
        "truth": truth.tolist(),
        "answers": answers.tolist(),
        "weights": None if w is None else w.tolist(),
        "scores": plain(scores),
        "parts": [plain(part) for part in parts],
    }


def measure_cases():
    out = []
    for weighted in [False, True]:
        y = rounded(random.normal(size=(37, 1)) * 3)
        out.append(case("numbers", numbers, y, rounded(y + random.normal(size=y.shape)), weighted))
        y = rounded(random.uniform(1, 9, size=(23, 3)))
        out.append(case("numbers", numbers, y, rounded(y + random.normal(size=y.shape)), weighted))
        for rows, n in [(41, 2), (53, 3), (61, 7)]:
            y = np.concatenate([np.arange(n), np.arange(n), random.integers(0, n, rows - 2 * n)])
            out.append(case("classes", classes, y, probabilities(rows, n, y, 1.0), weighted))
        y = random.integers(0, 2, (43, 4))
        p = np.clip(np.round((0.25 + 0.5 * y + 0.3 * random.normal(size=y.shape)) * 32), 1, 31) / 32
        out.append(case("labels", labels, y, p, weighted))
    return out


def baselines():
    rows, others = 60, 7
    x = np.column_stack([
        random.normal(size=(rows + others, 3)) * [1, 20, 0.05] + [0, 5, 1],
        random.integers(0, 2, (rows + others, 2)),
    ])
    x = rounded(x)
    scaler = make_column_transformer((StandardScaler(), [0, 1, 2]), remainder="passthrough")
    signal = x @ [1.0, 0.1, 20.0, -1.0, 0.5]
    noise = random.normal(size=(rows + others, 3))
    targets = {
        "numbers": rounded(np.column_stack([signal + noise[:, 0], noise[:, 1]])),
        "two": (signal + noise[:, 0] > np.median(signal)).astype(int),
        "three": np.argmax(np.column_stack([signal - signal.mean(), noise[:, :2]]), 1),
        "labels": (np.column_stack([signal - signal.mean(), x[:, 0]]) + noise[:, :2] > 0).astype(int),
    }
    logistic = LogisticRegression(tol=1e-12, max_iter=10_000)
    out = []
    for name, y in targets.items():
        model = {"numbers": Ridge(), "labels": MultiOutputClassifier(logistic)}.get(name, logistic)
        # The last column of 0 and 1 is a little collinear with the others, as names turned into columns are.
        model = make_pipeline(scaler, model).fit(x[:rows], y[:rows])
        if name == "numbers":
            answers = model.predict(x[rows:])
        elif name == "labels":
            answers = np.column_stack([p[:, 1] for p in model.predict_proba(x[rows:])])
        else:
            answers = model.predict_proba(x[rows:])
        out.append({
            "name": name,
            "features": x[:rows].tolist(),
            "targets": y[:rows].tolist(),
            "others": x[rows:].tolist(),
            "answers": answers.tolist(),
        })
    return out


result = {"versions": {"scikit-learn": sklearn.__version__}, "cases": measure_cases(), "baselines": baselines()}
path = pathlib.Path(__file__).with_suffix(".json")
lines = ",\n".join(
    f'"{key}": [\n' + ",\n".join(json.dumps(case) for case in value) + "\n]" if isinstance(value, list)
    else f'"{key}": {json.dumps(value)}'
    for key, value in result.items()
)
path.write_text("{\n" + lines + "\n}\n")
