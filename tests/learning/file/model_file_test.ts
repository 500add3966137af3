import assert from "node:assert/strict";
import { ModelError } from "../../../src/base/error.ts";
import {
  fitModel,
  KIND_NAMES,
  kindOf,
  scorerOf,
} from "../../../src/learning/kinds/kinds.ts";
import {
  checkInputs,
  declarationsSum,
  formatModelFile,
  parseModelFile,
  type TrainedModel,
  withVersion,
} from "../../../src/learning/file/model_file.ts";
import { examplesOf, scoreRows } from "../../../src/learning/data/payments.ts";
import { usualOf } from "../../../src/learning/explain/usual_values.ts";
import { randomPayments } from "../small_payments.ts";

const PAYMENTS = randomPayments(4, 100);
const ROWS = Int32Array.from({ length: PAYMENTS.rows }, (_, row) => row);

function trained(kind: string): TrainedModel {
  return withVersion({
    kind,
    inputs: PAYMENTS.inputs,
    featureParameters: {
      set: "handbook",
      windowDays: [1, 7, 30],
      delayDays: 7,
      useLabels: true,
    },
    training: {
      firstDay: 0,
      firstDate: "2018-04-01",
      days: 4,
      delayDays: 7,
      rows: 400,
      frauds: 40,
      fingerprint: "f",
    },
    usual: usualOf(examplesOf(PAYMENTS, ROWS)),
    settings: { trees: 3, seed: 0 },
    metrics: {
      "auc_roc": 0.9,
      "average_precision": NaN,
      "card_precision_100": 1 / 3,
    },
    body: fitModel(
      kind,
      examplesOf(PAYMENTS, ROWS),
      "trees" in kindOf(kind).settings ? { trees: 3 } : {},
    ),
  });
}

/** Asserts that a file is refused by one line that names it. */
function refused(text: string, message: RegExp): void {
  assert.throws(() => parseModelFile(text, "m.json"), (error) => {
    assert.ok(error instanceof ModelError);
    assert.match(error.message, /^m\.json is [^\n]*$/);
    assert.match(error.message, message);
    return true;
  });
}

for (const kind of KIND_NAMES) {
  Deno.test(`a model file holds the model exactly: ${kind}`, async () => {
    const model = trained(kind);
    const read = parseModelFile(formatModelFile(model), "m.json");
    assert.deepEqual(read, { ...model, settings: { seed: 0, trees: 3 } });
    const scores = await Promise.all([model, read].map(({ body }) => {
      return scoreRows(scorerOf(body, PAYMENTS.inputs), PAYMENTS, ROWS);
    }));
    assert.deepEqual(scores[1], scores[0]);
  });
}

Deno.test("the version follows from the content, not from the order of its fields", () => {
  const model = trained("decision-tree");
  assert.match(model.version, /^[0-9a-f]{12}$/);
  assert.equal(withVersion(model).version, model.version);
  const { settings, training, ...rest } = model;
  const { trees, seed } = settings;
  assert.equal(
    withVersion({ training, ...rest, settings: { seed, trees } }).version,
    model.version,
  );
  assert.notEqual(
    withVersion({ ...model, settings: { ...settings, trees: 4 } }).version,
    model.version,
  );
});

Deno.test("a model that was not tested has no metrics", () => {
  const model = withVersion({
    ...trained("decision-tree"),
    metrics: undefined,
  });
  const read = parseModelFile(formatModelFile(model), "m.json");
  assert.equal(read.metrics, undefined);
});

Deno.test("a file that is broken, foreign or edited is refused", () => {
  const good = formatModelFile(trained("decision-tree"));
  refused("", /m\.json is not JSON/);
  refused(good.slice(0, good.length / 2), /not JSON/);
  refused("[]", /the file must be an object, not \[\]/);
  refused("{}", /format must be fraudstream-model/);
  const edits: [string, RegExp, RegExp][] = [
    [
      '"formatVersion": 4',
      /"formatVersion": 2/,
      /formatVersion is 4 and this program reads 1 to 3/,
    ],
    [
      '"formatVersion": 3',
      /"formatVersion": 2/,
      /formatVersion is 3 and its content is that of 2/,
    ],
    ['"usual": {}', /"usual": .*\}\}/, /usual.TX_AMOUNT must be an object/],
    [
      '"usual": {"A":1}',
      /"usual": .*\}\}/,
      /usual.A is not an input/,
    ],
    [
      '"usual": {"TX_AMOUNT":{"mean":"1"',
      /"usual": \{"TX_AMOUNT":\{"mean":[0-9.]+/,
      /usual.TX_AMOUNT.mean must be a number, not "1"/,
    ],
    ['"median":99', /"median":[0-9.]+/, /its content has version/],
    [
      '"kind": "oracle"',
      /"kind": "decision-tree"/,
      /kind must be logistic-regression, .*, not "oracle"/,
    ],
    ['"inputs": []', /"inputs": \[[^\]]*\]/, /there are no inputs/],
    [
      '"inputs": ["A","A"]',
      /"inputs": \[[^\]]*\]/,
      /input A comes twice/,
    ],
    ['"inputs": [1,2]', /"inputs": \[[^\]]*\]/, /inputs\[0\] must be text/],
    [
      '"inputs": ["FEATURE","TX_AMOUNT"]',
      /"inputs": \[[^\]]*\]/,
      /the file was changed after it was written/,
    ],
    ['"rows":401', /"rows":400/, /its content has version/],
    [
      '"set":"mine"',
      /"set":"handbook"/,
      /set must be handbook, extended or none/,
    ],
    ['"windowDays":[7,1]', /"windowDays":\[1,7,30\]/, /ascending/],
    ['"auc_roc":"high"', /"auc_roc":0.9/, /metrics.auc_roc must be a number/],
    ['"base":1e999', /"base":0/, /base must be a number, not null/],
    ['"link":"none"', /"link":"identity"/, /link must be logistic or identity/],
  ];
  for (const [replacement, edited, message] of edits) {
    const text = good.replace(edited, replacement);
    assert.notEqual(text, good, replacement);
    refused(text, message);
  }
});

Deno.test("a file of version 1 says nothing of what is usual, and keeps its version", () => {
  const old = withVersion({ ...trained("decision-tree"), usual: undefined });
  const text = formatModelFile(old);
  assert.match(text, /"formatVersion": 1,/);
  assert.doesNotMatch(text, /usual/);
  const read = parseModelFile(text, "m.json");
  assert.equal(read.usual, undefined);
  assert.equal(formatModelFile(read), text);
});

/** A model whose second input may be missing, and is in half of the payments. */
function trainedMissing(kind: string): TrainedModel {
  const examples = examplesOf(PAYMENTS, ROWS);
  const [name] = examples.inputs.slice(1);
  const nullable = [name];
  const columns = examples.columns.map((column, input) =>
    input === 1 ? column.map((value, row) => row % 2 ? NaN : value) : column
  );
  const lacking = { ...examples, columns, nullable };
  return withVersion({
    ...trained("decision-tree"),
    kind,
    usual: usualOf(lacking),
    body: fitModel(
      kind,
      lacking,
      "trees" in kindOf(kind).settings ? { trees: 3 } : {},
    ),
  });
}

for (const kind of KIND_NAMES.filter((kind) => kindOf(kind).takesMissing)) {
  Deno.test(`a model file says what becomes of missing values: ${kind}`, () => {
    const model = trainedMissing(kind);
    const text = formatModelFile(model);
    assert.match(text, /"formatVersion": 3,/);
    assert.match(text, /"nullable":\[1\],/);
    assert.match(text, /"missing":0\.5\}/);
    const read = parseModelFile(text, "m.json");
    assert.deepEqual(read.body, model.body);
    assert.equal(formatModelFile(read), text);
  });
}

Deno.test("a model names the declarations of its features, if there are any", () => {
  const parameters = trained("decision-tree").featureParameters;
  assert.equal(declarationsSum(parameters), undefined);
  const declared = { columns: [], aggregates: [], expressions: [] };
  const one = declarationsSum({ ...parameters, declared });
  const column = { name: "A", nullable: true, isWhole: false, isRatio: true };
  const other = declarationsSum({
    ...parameters,
    declared: { ...declared, columns: [column] },
  });
  assert.notEqual(one, other);
  const model = withVersion({ ...trained("decision-tree"), declared: one });
  const text = formatModelFile(model);
  assert.equal(parseModelFile(text, "m.json").declared, one);
  refused(text.replace(`${one}`, `${other}`), /its content has version/);
  refused(text.replace(`"${one}"`, "1"), /declared must be text/);
});

Deno.test("a file of version 3 that is broken or edited is refused", () => {
  const good = formatModelFile(trainedMissing("decision-tree"));
  const [, directions] = /"missingLeft":\[([^\]]*)\]/.exec(good) ?? [];
  assert.ok(directions.includes("1") && directions.includes("0"));
  const flipped = directions.replace("1", "x").replace("0", "1")
    .replace("x", "0");
  const edits: [string, RegExp, RegExp][] = [
    ['"formatVersion": 2', /"formatVersion": 3/, /its content is that of 3/],
    [`"missingLeft":[${flipped}]`, /"missingLeft":\[[^\]]*\]/, /was changed/],
    ['"missingLeft":[2]', /"missingLeft":\[[^\]]*\]/, /missingLeft/],
    ['"nullable":[0,1]', /"nullable":\[1\]/, /was changed/],
    ['"nullable":[1,0]', /"nullable":\[1\]/, /nullable must be ascending/],
    ['"nullable":[]', /"nullable":\[1\]/, /has missingLeft, and no inputs/],
    ['"missing":0.25', /"missing":0\.5/, /its content has version/],
    ['"missing":"x"', /"missing":0\.5/, /missing must be a number/],
  ];
  for (const [replacement, edited, message] of edits) {
    const text = good.replace(edited, replacement);
    assert.notEqual(text, good, replacement);
    refused(text, message);
  }
});

/** A file whose only tree has the given columns instead of its own. */
function withTree(change: Record<string, number[]>): string {
  const file = JSON.parse(formatModelFile(trained("decision-tree")));
  file.body.ensemble.trees = [{
    input: [0, -1, -1],
    threshold: [5, 0, 0],
    left: [1, 0, 0],
    right: [2, 0, 0],
    value: [0, 0.1, 0.2],
    cover: [3, 1, 2],
    ...change,
  }];
  return JSON.stringify(file);
}

Deno.test("a tree whose links do not make a tree is refused", () => {
  // Well formed, so that only its version is wrong.
  refused(withTree({}), /the file was changed after it was written/);
  const wrong: [Record<string, number[]>, RegExp][] = [
    [{ left: [3, 0, 0] }, /node 0 leads to node 3 of 3/],
    [{ right: [-1, 0, 0] }, /node 0 leads to node -1 of 3/],
    [{ left: [0.5, 0, 0] }, /node 0 leads to node 0.5/],
    [{ left: [0, 0, 0] }, /node 0 leads to node 0 of 3/],
    [{ right: [1, 0, 0] }, /two nodes lead to node 1/],
    [{ input: [-1, -1, -1] }, /no node leads to node 1/],
    [{ input: [2, -1, -1] }, /node 0 splits by input 2 of 2/],
    [{ input: [0.5, -1, -1] }, /node 0 splits by input 0.5/],
    [{ value: [0, 0.1] }, /trees\[0\]\.value must have 3 numbers, not 2/],
    [{ threshold: [] }, /threshold must have 3 numbers, not 0/],
    [{ input: [] }, /must have 0 numbers, not 3/],
    [
      { threshold: [null as unknown as number, 0, 0] },
      /threshold\[0\] must be a number, not null/,
    ],
  ];
  for (const [change, message] of wrong) refused(withTree(change), message);
});

Deno.test("coefficients of another number, and no deviation, are refused", () => {
  const file = (change: Record<string, unknown>) => {
    const parsed = JSON.parse(formatModelFile(trained("logistic-regression")));
    Object.assign(parsed.body.linear, change);
    return JSON.stringify(parsed);
  };
  refused(
    file({ coefficients: [1] }),
    /coefficients must have 2 numbers, not 1/,
  );
  refused(file({ mean: [0, null] }), /mean\[1\] must be a number, not null/);
  refused(file({ deviation: [1, 0] }), /deviation must be greater than 0/);
  refused(file({ intercept: "0" }), /intercept must be a number/);
});

Deno.test("formatModelFile() refuses a model that could not be read back", () => {
  const model = trained("decision-tree");
  const body = {
    kind: "decision-tree" as const,
    ensemble: { link: "identity" as const, base: NaN, trees: [] },
  };
  assert.throws(
    () => formatModelFile(withVersion({ ...model, body })),
    /base must be a number/,
  );
});

Deno.test("checkInputs() tells missing, foreign and reordered inputs", () => {
  const expected = ["TX_AMOUNT", "A", "B"];
  checkInputs(["TX_AMOUNT", "A", "B"], expected, "m.json");
  const cases: [string[], RegExp][] = [
    [["TX_AMOUNT", "B"], /m\.json: .* it lacks A; train it again/],
    [["TX_AMOUNT", "A", "B", "C"], /it wants C;/],
    [["TX_AMOUNT", "A", "X"], /it lacks B and wants X/],
    [["TX_AMOUNT", "B", "A"], /another order: input 2 is B and not A/],
    [["TX_AMOUNT", "A", "B", "B"], /another order/],
  ];
  for (const [inputs, message] of cases) {
    assert.throws(
      () => checkInputs(inputs, expected, "m.json"),
      (error) => error instanceof ModelError && message.test(error.message),
    );
  }
});
