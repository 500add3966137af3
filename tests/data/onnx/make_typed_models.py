"""Makes the models with other inputs and outputs: python make_typed_models.py

Run once, with scikit-learn, skl2onnx, onnx and onnxruntime, as they were at the
end of 2026. typed.json holds what the Python runtime answered for each model on
the rows of golden.json, which make_models.py makes.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "golden.json").read_text())
INPUTS = GOLDEN["inputs"]
ROWS = pandas.DataFrame(GOLDEN["rows"], columns=INPUTS)
WHOLE = [name for name in INPUTS if "_NB_TX_" in name or "DURING" in name]
KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def labels():
    rng = np.random.default_rng(11)
    chance = 0.05 + 0.8 * (ROWS["TX_AMOUNT"] > 80)
    return (rng.random(len(ROWS)) < chance).astype(int)


def pipeline(frame):
    """What the tutorials of scikit-learn and sklearn-onnx do with a data frame."""
    scale = ColumnTransformer([("scale", StandardScaler(), list(frame.columns))])
    model = make_pipeline(scale, LogisticRegression(max_iter=2000))
    return to_onnx(model.fit(frame, labels()), frame[:1], options={"zipmap": False})


def network(name, last, shape):
    """A network of two layers whose answer is that of the nodes `last`."""
    rng = np.random.default_rng(3)
    first = (rng.normal(size=(len(INPUTS), 4)) / 50).astype(np.float32)
    second = rng.normal(size=(4, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "first"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["positive"]),
            helper.make_node("MatMul", ["positive", "second"], ["margin"]),
            *last,
        ],
        name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", len(INPUTS)])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(first, "first"),
            numpy_helper.from_array(second, "second"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(np.array([1 << 40], np.int64), "huge"),
        ],
    )
    return made(graph)


def made(graph):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def sigmoid(shape):
    if len(shape) == 2:
        return [helper.make_node("Sigmoid", ["margin"], ["answer"])]
    return [
        helper.make_node("Sigmoid", ["margin"], ["chance"]),
        helper.make_node("Squeeze", ["chance", "axis"], ["answer"]),
    ]


def logistic_trees():
    """Trees as a regression of the margin with a logistic function behind, as boosters are converted."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[80.0, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[-2.5, 1.75],
    )
    return made(
        helper.make_graph(
            [node, *sigmoid(["rows", 1])],
            "trees",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", len(INPUTS)])],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["rows", 1])],
        )
    )


def with_body(operator):
    """A network with a Loop, an If or a Scan in it, whose bodies do nothing."""
    kind, out = TensorProto.FLOAT, helper.make_tensor_value_info
    same = helper.make_node("Identity", ["a"], ["b"])
    margin = ["rows", 1]
    if operator == "If":
        branch = helper.make_graph(
            [helper.make_node("Identity", ["margin"], ["b"])], "branch", [], [out("b", kind, margin)]
        )
        yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
        nodes = [yes, helper.make_node("If", ["yes"], ["c"], then_branch=branch, else_branch=branch)]
    elif operator == "Loop":
        body = helper.make_graph(
            [same, helper.make_node("Identity", ["go"], ["on"])],
            "body",
            [
                out("round", TensorProto.INT64, []),
                out("go", TensorProto.BOOL, []),
                out("a", kind, margin),
            ],
            [out("on", TensorProto.BOOL, []), out("b", kind, margin)],
        )
        yes = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
        nodes = [yes, helper.make_node("Loop", ["", "yes", "margin"], ["c"], body=body)]
    else:
        body = helper.make_graph([same], "body", [out("a", kind, [1])], [out("b", kind, [1])])
        nodes = [helper.make_node("Scan", ["margin"], ["c"], body=body, num_scan_inputs=1)]
    return [*nodes, helper.make_node("Sigmoid", ["c"], ["answer"])]


def main():
    parquet = ROWS.astype({name: np.int32 for name in WHOLE})
    whole = ROWS[WHOLE[2:4]].astype(np.int64)
    column, flat = ["rows", 1], ["rows"]
    models = {
        # As `features` writes them to Parquet: int32 and double.
        "typed_parquet": pipeline(parquet),
        # A column each of float, int64, double and bool.
        "typed_mixed": mixed_columns(),
        "typed_whole": pipeline(whole),
        "sigmoid_column": network("column", sigmoid(column), column),
        "sigmoid_flat": network("flat", sigmoid(flat), flat),
        "sigmoid_trees": logistic_trees(),
    }
    scores = {}
    for name, model in models.items():
        onnx.checker.check_model(model)
        data = model.SerializeToString()
        (FOLDER / f"{name}.onnx").write_bytes(data)
        scores[name] = scores_of(data)
    (FOLDER / "typed.json").write_text(json.dumps(scores) + "\n")

    random = helper.make_node("RandomNormalLike", ["margin"], ["noise"])
    grown = helper.make_node("ConstantOfShape", ["huge"], ["zeros"])
    sizes = helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0)
    refused = {
        "loop": with_body("Loop"),
        "if": with_body("If"),
        "scan": with_body("Scan"),
        "random": [
            random,
            helper.make_node("Add", ["margin", "noise"], ["c"]),
            helper.make_node("Sigmoid", ["c"], ["answer"]),
        ],
        "huge": [
            grown,
            sizes,
            helper.make_node("Add", ["margin", "zero"], ["c"]),
            helper.make_node("Sigmoid", ["c"], ["answer"]),
        ],
        "no_sigmoid": [helper.make_node("Tanh", ["margin"], ["answer"])],
    }
    for name, last in refused.items():
        model = network(name, last, column)
        onnx.checker.check_model(model)
        (FOLDER / f"refused_{name}.onnx").write_bytes(model.SerializeToString())


def mixed_columns():
    """A column each of int64, double, bool and float, in an order of its own."""
    types = {
        "TERMINAL_ID_NB_TX_7DAY_WINDOW": TensorProto.INT64,
        "TX_AMOUNT": TensorProto.DOUBLE,
        "TX_DURING_NIGHT": TensorProto.BOOL,
        "CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW": TensorProto.FLOAT,
    }
    casts = [
        helper.make_node("Cast", [name], [f"as_float_{name}"], to=TensorProto.FLOAT)
        for name in types
    ]
    weights = np.array([[0.1], [0.02], [-0.7], [-0.01]], np.float32)
    graph = helper.make_graph(
        [
            *casts,
            helper.make_node("Concat", [f"as_float_{name}" for name in types], ["all"], axis=1),
            helper.make_node("MatMul", ["all", "weights"], ["margin"]),
            helper.make_node("Sigmoid", ["margin"], ["answer"]),
        ],
        "mixed",
        [helper.make_tensor_value_info(name, type, ["rows", 1]) for name, type in types.items()],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return made(graph)


def scores_of(data):
    session = onnxruntime.InferenceSession(data)
    inputs = session.get_inputs()
    if len(inputs) > 1:
        feed = {put.name: ROWS[[put.name]].to_numpy().astype(KINDS[put.type]) for put in inputs}
    else:
        feed = {inputs[0].name: ROWS.to_numpy().astype(KINDS[inputs[0].type])}
    print([(put.name, put.type) for put in inputs][:4])
    found = session.run(None, feed)[-1]
    return (found[:, 1] if found.ndim == 2 and found.shape[1] == 2 else found.ravel()).tolist()


main()
