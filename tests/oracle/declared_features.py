"""The values of declared features, in the plainest form: each aggregate of each
payment goes through all payments that it may count. It knows nothing of the
program.

Reads cases as JSON Lines and writes the features of the payments of each. A
case is {"labels": {"delay": seconds, "grace": seconds or null}, "scale": minor
units of an amount, "features": {name: declaration}, "log": [entry], "arrival":
[index of a payment]}. A condition or an expression is a tree. An entry is a
payment, {"payment": fields, "time": seconds, "partition": number}, or a label,
{"label": index of its payment, "known": seconds, "fraud": 0, 1 or null,
"partition": number}.

The order of an aggregate says which payments it may count: "log", those before
it in the log; "time", all, where several partitions are aligned; "arrival",
those before it in the order that the case gives.
"""

import json
import math
import sys

MAX = sys.float_info.max
RECENT = 1024


def finite(value):
    return max(-MAX, min(MAX, value))


def arithmetic(op, a, b):
    if a is None or b is None:
        return None
    if op == "/":
        return None if b == 0 else finite(a / b)
    if op == "%":
        return None if b == 0 else math.fmod(a, b)
    try:
        return finite({"+": a + b, "-": a - b, "*": a * b}[op])
    except OverflowError:
        return MAX


def compare(op, a, b):
    if a is None or b is None:
        return False
    return {
        "<": a < b,
        "<=": a <= b,
        ">": a > b,
        ">=": a >= b,
        "==": a == b,
        "!=": a != b,
    }[op]


def value_of(tree, names):
    kind, *parts = tree
    if kind == "number" or kind == "text":
        return parts[0]
    if kind == "name":
        return names[parts[0]]
    if kind == "flag":
        return names[parts[0]] == 1
    if kind == "has":
        return names[parts[0]] is not None
    if kind == "in":
        return names[parts[0]] in parts[1]
    if kind == "startsWith":
        text = names[parts[0]]
        return text is not None and text.startswith(parts[1])
    if kind == "not":
        return not value_of(parts[0], names)
    if kind == "minus":
        value = value_of(parts[0], names)
        return None if value is None else -value
    if kind == "?:":
        return value_of(parts[1 if value_of(parts[0], names) else 2], names)
    left, right = (value_of(part, names) for part in parts)
    if kind == "&&":
        return left and right
    if kind == "||":
        return left or right
    if kind in "+-*/%":
        return arithmetic(kind, left, right)
    return compare(kind, left, right)


def fraud_at(payment, own, labels, rule):
    """Whether a payment counts as a fraud when the payment `own` comes."""
    if rule["grace"] is None:
        is_known = payment["time"] + rule["delay"] <= own["time"]
        return payment["fields"]["TX_FRAUD"] if is_known else 0
    best = None
    for label in labels:
        if label["of"] != payment["index"] or label["from"] > own["time"]:
            continue
        if best is None or label["known"] >= best["known"]:
            best = label
    return 1 if best is not None and best["fraud"] == 1 else 0


def aggregate(feature, own, payments, labels, case):
    kind = feature["kind"]
    of = feature["of"]
    fields = own["fields"]
    key = [fields[name] for name in feature["by"]]
    found = []
    if None not in key:
        for payment in payments:
            other = payment["fields"]
            if [other[name] for name in feature["by"]] != key:
                continue
            if feature["where"] and not value_of(feature["where"], other):
                continue
            if of not in ("payments", "TX_FRAUD") and other[of] is None:
                continue
            if payment is own and not feature["self"]:
                continue
            found.append(payment)
    if kind in ("min", "max", "distinct", "seconds_since"):
        found.sort(key=lambda payment: payment["time"])
        found = found[-RECENT:]
    end = own["time"] - feature["delay"]
    found = [
        payment
        for payment in found
        if end - feature["over"] < payment["time"] <= end
    ]
    count = len(found)
    if kind == "count":
        return count
    if kind == "seconds_since":
        if count == 0:
            return None
        return own["time"] - max(payment["time"] for payment in found)
    if of == "TX_FRAUD":
        rule = case["labels"]
        values = [fraud_at(payment, own, labels, rule) for payment in found]
    else:
        values = [payment["fields"][of] for payment in found]
    if kind == "distinct":
        return len(set(values))
    if kind == "share":
        return 0 if count == 0 else sum(values) / count
    if kind in ("min", "max"):
        return (min if kind == "min" else max)(values, default=None)
    scale = case["scale"] if of == "TX_AMOUNT" else 10 ** feature["decimals"]
    total = sum(round(value * scale) for value in values)
    if kind == "sum":
        return total / scale
    return None if count == 0 else total / count / scale


def expression(name, features, names):
    """The value of a feature, those that it needs first."""
    if name in names:
        return
    tree = features[name]["tree"]
    for needed in features[name]["needs"]:
        expression(needed, features, names)
    value = value_of(tree, names)
    names[name] = int(value) if isinstance(value, bool) else value


def everything_in(case):
    """All payments, and all labels with the time from which each counts."""
    payments, labels = [], []
    progress = {}
    for entry in case["log"]:
        partition = entry["partition"]
        newest = progress.get(partition, 0)
        if "payment" in entry:
            payments.append(
                {
                    "index": len(payments),
                    "fields": entry["payment"],
                    "time": entry["time"],
                }
            )
            progress[partition] = max(newest, entry["time"])
        else:
            counts = entry["known"] + case["labels"]["grace"]
            labels.append(
                {
                    "of": entry["label"],
                    "known": entry["known"],
                    "fraud": entry["fraud"],
                    "from": max(counts, newest + 1),
                }
            )
    return payments, labels


def features_of(case):
    features = case["features"]
    payments, labels = everything_in(case)
    arrival = [payments[index] for index in case["arrival"]]
    rows = []
    for own in payments:
        names = dict(own["fields"])
        for name, feature in features.items():
            if feature["kind"] == "expression":
                continue
            if feature["order"] == "time":
                seen = payments
            elif feature["order"] == "log":
                seen = payments[: own["index"] + 1]
            else:
                seen = arrival[: arrival.index(own) + 1]
            names[name] = aggregate(feature, own, seen, labels, case)
        for name in features:
            expression(name, features, names)
        rows.append([names[name] for name in features])
    return rows


with open(sys.argv[1]) as cases, open(sys.argv[2], "w") as results:
    for line in cases:
        json.dump(features_of(json.loads(line)), results)
        results.write("\n")
