"""Makes models.json: a small set and what others learn from it.

    python3 make_models.py > models.json

Needs scikit-learn (made with 1.9.1) and xgboost (made with 3.2.0).
"""

import json

import numpy as np
import xgboost as xgb
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

INPUTS = ["AMOUNT", "COUNT", "RISK", "AVERAGE", "FLAG"]
ROWS = 400
TOLD_ROWS = 40


def make_rows():
    rng = np.random.RandomState(3)
    amount = np.round(np.abs(rng.normal(50, 30, ROWS)), 2)
    count = rng.poisson(3, ROWS)
    risk = np.round(rng.beta(0.3, 6, ROWS), 3)
    average = np.round(np.abs(rng.normal(50, 15, ROWS)), 2)
    flag = rng.randint(0, 2, ROWS)
    margin = (
        -4.5 + 0.03 * (amount - 50) + 9 * risk + 0.25 * count
        - 0.02 * (average - 50) + rng.normal(0, 1, ROWS)
    )
    labels = (rng.rand(ROWS) < 1 / (1 + np.exp(-margin))).astype(int)
    labels[amount > 130] = 1
    # XGBoost keeps inputs as float32; so that both see the same, they are.
    values = np.column_stack([amount, count, risk, average, flag])
    return values.astype("f4").astype("f8"), labels


def columns_of(leaf, split_by, threshold, left, right, value, cover):
    return {
        "input": np.where(leaf, -1, split_by).tolist(),
        "threshold": np.where(leaf, 0, threshold).tolist(),
        "left": np.where(leaf, 0, left).tolist(),
        "right": np.where(leaf, 0, right).tolist(),
        "value": np.where(leaf, value, 0).tolist(),
        "cover": np.asarray(cover).tolist(),
    }


def logistic_regression(values, labels):
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(
        C=1, tol=1e-12, max_iter=1000, solver="newton-cholesky"
    ).fit(scaler.transform(values), labels)
    return {
        "mean": scaler.mean_.tolist(),
        "deviation": scaler.scale_.tolist(),
        "coefficients": model.coef_[0].tolist(),
        "intercept": model.intercept_[0],
    }


def decision_tree(values, labels, depth, leaf_rows):
    found = []
    for seed in range(8):  # the seed decides between splits that are as good
        tree = DecisionTreeClassifier(
            max_depth=depth, min_samples_leaf=leaf_rows, random_state=seed
        ).fit(values, labels).tree_
        found.append(
            columns_of(
                tree.children_left < 0, tree.feature, tree.threshold,
                tree.children_left, tree.children_right,
                tree.value[:, 0, 1], tree.n_node_samples,
            )
        )
    assert all(tree == found[0] for tree in found), (depth, leaf_rows)
    return {"depthMax": depth, "leafRowsMin": leaf_rows, "tree": found[0]}


def boosting(values, labels):
    share = labels.mean()
    model = xgb.XGBClassifier(
        n_estimators=6, max_depth=3, learning_rate=0.3, tree_method="exact",
        reg_lambda=1, min_child_weight=1, base_score=float(share), n_jobs=1,
    ).fit(values, labels)
    booster = model.get_booster()
    saved = json.loads(booster.save_raw("json").decode())
    trees = []
    for tree in saved["learner"]["gradient_booster"]["model"]["trees"]:
        left = np.array(tree["left_children"])
        condition = np.array(tree["split_conditions"], dtype="f4")
        # There a row goes left below the condition, here up to the threshold.
        below = np.nextafter(condition, np.float32(-np.inf)).astype("f8")
        trees.append(
            columns_of(
                left < 0, tree["split_indices"], below, left,
                tree["right_children"], condition.astype("f8"),
                tree["sum_hessian"],
            )
        )
    told = xgb.DMatrix(values[:TOLD_ROWS])
    return {
        "base": float(np.log(share / (1 - share))),
        "trees": trees,
        "margins": booster.predict(told, output_margin=True).tolist(),
        "contributions": booster.predict(told, pred_contribs=True).tolist(),
    }


values, labels = make_rows()
print(
    json.dumps(
        {
            "inputs": INPUTS,
            "columns": values.T.tolist(),
            "labels": labels.tolist(),
            "logisticRegression": logistic_regression(values, labels),
            "decisionTrees": [
                decision_tree(values, labels, 2, 1),
                decision_tree(values, labels, 3, 10),
                decision_tree(values, labels, 5, 25),
            ],
            "boosting": boosting(values, labels),
        }
    )
)
