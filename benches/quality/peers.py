"""Scores of three common tabular learners on a folder of CSV tables.

    python peers.py DATA_FOLDER [--seeds 5] [--only name,name] > peers.md

Every table is split 80/20; the split is train_test_split(random_state=seed) for
seed = 0, 1, ...; the seed also drives the learner. The first split (seed 0) is
reported on its own, then mean and standard deviation over all of them.
Regression is scored by R2, classification by accuracy. Needs scikit-learn,
pandas and lightgbm; one thread is used.
"""
import argparse
import csv
import platform
import sys
import time
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# table: (target, class or number, source)
with open(Path(__file__).with_name("tables.csv"), newline="") as file:
    TABLES = {row["table"]: (row["target"], row["kind"], row["source"]) for row in csv.DictReader(file)}


def read(folder, name):
    """The table's inputs and target; dates become numbers."""
    target, task, _ = TABLES[name]
    path = next(p for p in (folder / f"{name}.csv", folder / f"{name}.csv.gz") if p.exists())
    frame = pd.read_csv(path)
    frame = frame[frame[target].notna()]
    y = frame.pop(target)
    for column in frame.select_dtypes(exclude=["number", "bool"]):
        text = frame[column].astype(str)
        if text.str.match(r"\d{4}-\d\d-\d\d").mean() > 0.9:
            when = pd.to_datetime(frame[column], errors="coerce", utc=True)
            frame[column + "_hour"] = when.dt.hour + when.dt.minute / 60
            frame[column + "_weekday"] = when.dt.dayofweek
            frame[column + "_day"] = (when - when.min()).dt.total_seconds() / 86400
            frame = frame.drop(columns=column)
    bools = frame.select_dtypes("bool").columns
    frame[bools] = frame[bools].astype(float)
    return frame, y.astype(str) if task == "class" else y.astype(float), task


def prepared(model):
    """Standardised numbers, gaps filled and flagged, one-hot categories, then model."""
    number = make_column_selector(dtype_include="number")
    other = make_column_selector(dtype_exclude="number")
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), number),
            (OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=100, sparse_output=False), other),
        ),
        model,
    )


class Boosted:
    """LightGBM as it comes, its category columns given as such."""

    def __init__(self, task, seed):
        kind = lightgbm.LGBMClassifier if task == "class" else lightgbm.LGBMRegressor
        self.model = kind(random_state=seed, n_jobs=1, verbose=-1)

    def shaped(self, X):
        X = X.copy()
        for c in X.columns:
            if c in self.levels:
                X[c] = pd.Categorical(X[c].astype(str), categories=self.levels[c])
        X.columns = [f"x{i}" for i in range(X.shape[1])]
        return X

    def fit(self, X, y):
        texts = X.select_dtypes(exclude="number").columns
        self.levels = {c: sorted(X[c].dropna().astype(str).unique()) for c in texts}
        self.model.fit(self.shaped(X), y)
        return self

    def predict(self, X):
        return self.model.predict(self.shaped(X))


def learners(task, seed):
    if task == "class":
        mlp = MLPClassifier(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=seed)
        return {"linear": prepared(LogisticRegression(max_iter=2000)), "MLP": prepared(mlp), "LightGBM": Boosted(task, seed)}
    mlp = MLPRegressor(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=seed)
    # the MLP learns the standardised target, as raw prices would only slow it down
    mlp = TransformedTargetRegressor(mlp, transformer=StandardScaler())
    return {"linear": prepared(Ridge()), "MLP": prepared(mlp), "LightGBM": Boosted(task, seed)}


def score(model, X, y, task):
    guess = np.asarray(model.predict(X))
    if task == "class":
        return float(np.mean(guess == y.to_numpy()))
    return float(1 - ((guess - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    names = [n for n in options.only.split(",") if n] or list(TABLES)
    have = {p.name.split(".csv")[0] for p in options.data.iterdir()}
    versions = [f"{m.__name__} {m.__version__}" for m in (sklearn, lightgbm, pd, np)]
    print(f"Python {platform.python_version()}, {', '.join(versions)}\n")
    print("| table | rows | columns | score | linear | MLP (64, 64) | LightGBM | seconds | source |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        if name not in have:
            print(f"{name}: no such table here, left out", file=sys.stderr)
            continue
        X, y, task = read(options.data, name)
        got, spent = {}, {}
        for seed in range(options.seeds):
            parts = train_test_split(X, y, test_size=0.2, random_state=seed)
            for which, model in learners(task, seed).items():
                began = time.perf_counter()
                model.fit(parts[0], parts[2])
                got.setdefault(which, []).append(score(model, parts[1], parts[3], task))
                spent[which] = spent.get(which, 0) + time.perf_counter() - began
        cells = [f"{s[0]:.4f}; {np.mean(s):.4f} ± {np.std(s):.4f}" for s in got.values()]
        times = " / ".join(f"{s / options.seeds:.1f}" for s in spent.values())
        what = "accuracy" if task == "class" else "R2"
        print(f"| {name} | {len(X)} | {X.shape[1]} | {what} | {' | '.join(cells)} | {times} | {TABLES[name][2]} |", flush=True)


if __name__ == "__main__":
    main()
