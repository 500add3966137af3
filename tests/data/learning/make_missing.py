"""Makes missing.json, trees of scikit-learn on rows that lack values: python make_missing.py

Run once, with scikit-learn 1.3 or later, whose trees also try missing values on
either side of each border. The values are continuous and the leaves not small,
so no two splits are equally good.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.tree import DecisionTreeClassifier

FOLDER = Path(__file__).parent
ROWS = 300


def main():
    rng = np.random.default_rng(5)
    labels = (rng.random(ROWS) < 0.25).astype(int)
    columns = np.round(rng.random((ROWS, 4)) + labels[:, None] * 0.15, 9)
    for column, share in enumerate((0.0, 0.1, 0.5, 0.2)):
        lacks = rng.random(ROWS) < share * (1 + labels * (column == 3))
        columns[lacks, column] = np.nan
    scores = {}
    for depth in range(1, 6):
        tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=12, random_state=0)
        tree.fit(columns, labels)
        scores[depth] = tree.predict_proba(columns)[:, 1].tolist()
    data = {
        "columns": [
            [None if np.isnan(value) else value for value in column] for column in columns.T
        ],
        "labels": labels.tolist(),
        "scores": scores,
    }
    (FOLDER / "missing.json").write_text(json.dumps(data) + "\n")


main()
