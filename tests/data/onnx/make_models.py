"""Makes the models and scores in this folder: python make_models.py

Run once, with scikit-learn 1.9.1, XGBoost 3.2.0, LightGBM 4.7.0, skl2onnx,
onnxmltools and onnxruntime. golden.json holds the rows that the tests score,
and what the Python runtime answered for each model.
"""

import json
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxruntime
import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(__file__).parent

INPUTS = ["TX_AMOUNT", "TX_DURING_WEEKEND", "TX_DURING_NIGHT"]
for who, what in [("CUSTOMER", "AVG_AMOUNT"), ("TERMINAL", "RISK")]:
    for days in (1, 7, 30):
        INPUTS += [f"{who}_ID_NB_TX_{days}DAY_WINDOW", f"{who}_ID_{what}_{days}DAY_WINDOW"]


def payments(rng, rows):
    """Payments with the handbook's features, about as it has them."""
    amount = np.round(rng.gamma(2, 25, rows), 2)
    columns = [amount, rng.integers(0, 2, rows), rng.integers(0, 2, rows)]
    for days in (1, 7, 30):
        count = rng.integers(1, 4 * days + 1, rows)
        columns += [count, rng.integers(100, 20000, rows) / 100 / count]
    for days in (1, 7, 30):
        count = rng.integers(0, 3 * days + 1, rows)
        fraud = rng.binomial(count, rng.choice([0, 0, 0, 0.8], rows))
        columns += [count, fraud / np.maximum(count, 1)]
    values = np.stack(columns, axis=1).astype(np.float64)
    chance = np.where(amount > 120, 0.9, 0.02) + 0.6 * values[:, -1]
    return values, (rng.random(rows) < chance).astype(int)


def main():
    rng = np.random.default_rng(5)
    values, labels = payments(rng, 2000)
    x = values.astype(np.float32)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, labels)
    forest = RandomForestClassifier(20, max_depth=5, random_state=0).fit(x, labels)
    boosted = xgboost.XGBClassifier(n_estimators=30, max_depth=3).fit(x, labels)
    light = lightgbm.LGBMClassifier(n_estimators=30, num_leaves=8, verbose=-1).fit(x, labels)
    one = [("X", ToolsFloat([None, len(INPUTS)]))]

    models = {
        # As the converters do it by themselves: with a ZipMap at the end.
        "scikit_linear": to_onnx(linear, x[:1]),
        "scikit_forest": to_onnx(forest, x[:1]),
        "lightgbm": onnxmltools.convert_lightgbm(light, initial_types=one),
        "xgboost": onnxmltools.convert_xgboost(boosted, initial_types=one),
        # Without it.
        "scikit_forest_tensor": to_onnx(forest, x[:1], options={"zipmap": False}),
        "lightgbm_tensor": onnxmltools.convert_lightgbm(light, initial_types=one, zipmap=False),
        # In doubles.
        "scikit_linear_double": to_onnx(
            linear,
            initial_types=[("X", DoubleTensorType([None, len(INPUTS)]))],
            options={"zipmap": False},
        ),
    }
    # On some inputs, in an order of its own, which the metadata tell.
    some = [INPUTS.index(name) for name in (INPUTS[-1], "TX_AMOUNT", INPUTS[4])]
    few = LogisticRegression(max_iter=2000).fit(x[:, some], labels)
    models["named_inputs"] = to_onnx(few, x[:1, some], options={"zipmap": False})
    onnx.helper.set_model_props(
        models["named_inputs"],
        {"fraudstream.inputs": json.dumps([INPUTS[i] for i in some])},
    )
    # A tensor for each column, named after it.
    import pandas

    frame = pandas.DataFrame({INPUTS[i]: x[:, i] for i in some})
    models["columns"] = to_onnx(
        make_pipeline(
            ColumnTransformer([("scaled", StandardScaler(), list(frame.columns))]),
            LogisticRegression(max_iter=2000),
        ).fit(frame, labels),
        initial_types=[(name, FloatTensorType([None, 1])) for name in frame.columns],
        options={"zipmap": False},
    )

    rows = payments(rng, 100)[0]
    golden = {"inputs": INPUTS, "rows": rows.tolist(), "scores": {}}
    for name, model in models.items():
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        (FOLDER / f"{name}.onnx").write_bytes(data)
        golden["scores"][name] = scores(data, rows)
    golden["libraries"] = {
        "scikit_linear": linear.predict_proba(rows.astype(np.float32))[:, 1].tolist(),
        "scikit_forest": forest.predict_proba(rows.astype(np.float32))[:, 1].tolist(),
        "xgboost": boosted.predict_proba(rows.astype(np.float32))[:, 1].tolist(),
        "lightgbm": light.predict_proba(rows.astype(np.float32))[:, 1].tolist(),
    }
    (FOLDER / "golden.json").write_text(json.dumps(golden) + "\n")

    # What is to be refused.
    refused = {
        "regressor": to_onnx(RandomForestRegressor(2, max_depth=2).fit(x, labels), x[:1]),
        "three_classes": to_onnx(
            LogisticRegression(max_iter=2000).fit(x, labels + (x[:, 0] > 60)),
            x[:1],
            options={"zipmap": False},
        ),
        "other_labels": to_onnx(
            LogisticRegression(max_iter=2000).fit(x[:, :2], np.where(labels == 1, 1, 2)),
            x[:1, :2],
        ),
        "text_labels": to_onnx(
            LogisticRegression(max_iter=2000).fit(x, np.where(labels == 1, "fraud", "genuine")),
            x[:1],
        ),
        "raw_scores": to_onnx(
            LogisticRegression(max_iter=2000).fit(x, labels),
            x[:1],
            options={"zipmap": False, "raw_scores": True},
        ),
        "whole_numbers": to_onnx(
            LogisticRegression(max_iter=2000).fit(x, labels),
            initial_types=[("X", Int64TensorType([None, len(INPUTS)]))],
            options={"zipmap": False},
        ),
    }
    for name, model in refused.items():
        (FOLDER / f"refused_{name}.onnx").write_bytes(model.SerializeToString())


def scores(data, rows):
    session = onnxruntime.InferenceSession(data)
    inputs = session.get_inputs()
    named = session.get_modelmeta().custom_metadata_map.get("fraudstream.inputs")
    if len(inputs) > 1:
        names = [put.name for put in inputs]
    else:
        names = json.loads(named) if named else INPUTS
    kind = np.float64 if inputs[0].type == "tensor(double)" else np.float32
    x = rows[:, [INPUTS.index(name) for name in names]].astype(kind)
    if len(inputs) > 1:
        feed = {name: x[:, [at]] for at, name in enumerate(names)}
    else:
        feed = {inputs[0].name: x}
    found = session.run(None, feed)[1]
    if isinstance(found, list):
        return [float(row[1]) for row in found]
    return found[:, 1].astype(float).tolist()


main()
