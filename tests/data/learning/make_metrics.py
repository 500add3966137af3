"""Makes metrics.json: metrics of scikit-learn on scores with and without ties.

Run once, with scikit-learn 1.9.1, numpy and pandas: python make_metrics.py
Card precision is the handbook's function (shared_functions.py of the Fraud
Detection Handbook), with ties of score going to the smaller CUSTOMER_ID.
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sklearn import metrics

THRESHOLDS = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
TOP_CARDS = [1, 5, 100]


def card_precision(frame, top):
    found, days = set(), []
    for day in sorted(frame.day.unique()):
        rows = frame[(frame.day == day) & ~frame.card.isin(found)]
        cards = rows.groupby("card")[["score", "label"]].max().reset_index()
        cards = cards.sort_values(["score", "card"], ascending=[False, True])
        hits = set(cards.head(top).query("label == 1").card)
        found |= hits
        days.append(
            {
                "day": int(day),
                "cards": len(cards),
                "compromised": int(cards.label.sum()),
                "hits": len(hits),
                "precision": len(hits) / top,
            }
        )
    return {"days": days, "mean": float(np.mean([d["precision"] for d in days]))}


def at_threshold(label, score, amount, threshold):
    alert = score >= threshold
    tn, fp, fn, tp = metrics.confusion_matrix(label, alert, labels=[0, 1]).ravel()
    return {
        "threshold": threshold,
        "alerts": int(alert.sum()),
        "hits": int(tp),
        "truePositiveRate": metrics.recall_score(label, alert),
        "falsePositiveRate": fp / (fp + tn),
        "precision": metrics.precision_score(label, alert, zero_division=0) if alert.any() else None,
        "f1": metrics.f1_score(label, alert, zero_division=0),
        "balancedErrorRate": 1 - metrics.balanced_accuracy_score(label, alert),
        "stoppedAmount": round(float(amount[alert & (label == 1)].sum()), 2),
        "missedAmount": round(float(amount[~alert & (label == 1)].sum()), 2),
    }


def case(name, rng, rows, share, decimals, separation):
    label = (rng.random(rows) < share).astype(int)
    label[:2] = [0, 1]
    raw = rng.random(rows) + separation * label * rng.random(rows)
    score = np.clip(raw / raw.max(), 0, 1)
    if decimals is not None:
        score = np.round(score, decimals)
    day = np.sort(rng.randint(0, 5, rows))
    card = rng.randint(0, max(2, rows // 6), rows)
    amount = np.round(rng.exponential(50, rows), 2)
    precision, recall, pr_thresholds = metrics.precision_recall_curve(label, score)
    fpr, tpr, roc_thresholds = metrics.roc_curve(label, score, drop_intermediate=False)
    frame = pd.DataFrame({"day": day, "card": card, "label": label, "score": score})
    few = rows <= 60
    return {
        "name": name,
        "label": label.tolist(),
        "score": score.tolist(),
        "day": day.tolist(),
        "card": card.tolist(),
        "amount": amount.tolist(),
        "aucRoc": metrics.roc_auc_score(label, score),
        "averagePrecision": metrics.average_precision_score(label, score),
        "precisionRecall": {
            "precision": precision.tolist(),
            "recall": recall.tolist(),
            "thresholds": pr_thresholds.tolist(),
        } if few else None,
        "roc": {
            "falsePositiveRate": fpr.tolist(),
            "truePositiveRate": tpr.tolist(),
            "thresholds": roc_thresholds[1:].tolist(),
        } if few else None,
        "thresholds": [at_threshold(label, score, amount, t) for t in THRESHOLDS],
        "cardPrecision": {str(top): card_precision(frame, top) for top in TOP_CARDS},
    }


rng = np.random.RandomState(20180401)
cases = [
    case("no ties", rng, 60, 0.3, None, 1.0),
    case("many ties", rng, 60, 0.3, 1, 1.0),
    case("all scores equal", rng, 20, 0.3, 0, 0.0),
    case("rare frauds, some ties", rng, 700, 0.02, 2, 3.0),
    case("worse than chance", rng, 300, 0.5, 3, -0.9),
    case("two payments", rng, 2, 0.5, None, 0.5),
]
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text(json.dumps(cases) + "\n")
