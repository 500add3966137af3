"""Fits and predicts with scikit-learn and XGBoost on one thread.

usage: OMP_NUM_THREADS=1 learning.py FOLDER INPUTS

FOLDER holds train.bin and test.bin (rows of doubles) and labels.bin (a byte a
training row). Prints a line of JSON a model: name, processor seconds of fit and predict.
"""
import json
import sys
import time

import numpy as np
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

folder, width = sys.argv[1], int(sys.argv[2])
train = np.fromfile(f"{folder}/train.bin").reshape(-1, width)
test = np.fromfile(f"{folder}/test.bin").reshape(-1, width)
labels = np.fromfile(f"{folder}/labels.bin", "u1")

SETTINGS = dict(n_jobs=1, random_state=0)
CHOSEN = dict(n_estimators=200, max_depth=4, learning_rate=0.05, subsample=0.8)
SHALLOW = dict(n_estimators=100, max_depth=3, learning_rate=0.1)

MODELS = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000)
    ),
    "decision tree, depth 2": lambda: DecisionTreeClassifier(
        max_depth=2, random_state=0
    ),
    "decision tree, no limit": lambda: DecisionTreeClassifier(random_state=0),
    "random forest, theirs": lambda: RandomForestClassifier(**SETTINGS),
    "random forest, ours": lambda: RandomForestClassifier(
        max_depth=20, min_samples_leaf=2, **SETTINGS
    ),
}
for method in ("hist", "exact"):
    for name, extra in (
        ("theirs", {}), ("depth 3", SHALLOW), ("ours", CHOSEN),
    ):
        MODELS[f"boosting, {name}; {method}"] = (
            lambda method=method, extra=extra: xgboost.XGBClassifier(
                tree_method=method, **SETTINGS, **extra
            )
        )

for name, make in MODELS.items():
    began = time.process_time()
    model = make().fit(train, labels)
    fitted = time.process_time()
    model.predict_proba(test)
    done = time.process_time()
    line = {"name": name, "fit": fitted - began, "predict": done - fitted}
    print(json.dumps(line), flush=True)
