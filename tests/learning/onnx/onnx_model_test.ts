import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ModelError } from "../../../src/base/error.ts";
import {
  type OnnxModel,
  openOnnxModel,
} from "../../../src/learning/onnx/onnx_model.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { offeredInputs } from "../../../src/scoring/open_model.ts";
import {
  bytesField,
  concatenate,
  integerField,
  messageField,
  readFields,
  textField,
} from "../../../src/learning/onnx/protobuf.ts";
import { testReading } from "../../permission.ts";
import type { OnnxQuestion } from "./onnx_worker.ts";

const IS_WHOLE = offeredInputs(HANDBOOK_FEATURES).isWhole;

const FOLDER = new URL("../../data/onnx/", import.meta.url);

/** Scores in Python, with the models that make_models.py made. */
interface Golden {
  readonly inputs: readonly string[];
  readonly rows: readonly (readonly number[])[];
  readonly scores: Readonly<Record<string, readonly number[]>>;
  readonly libraries: Readonly<Record<string, readonly number[]>>;
}

function readGolden(): Golden {
  return JSON.parse(Deno.readTextFileSync(new URL("golden.json", FOLDER)));
}

function readModel(name: string): Uint8Array {
  return Deno.readFileSync(new URL(`${name}.onnx`, FOLDER));
}

/** Scores of the golden rows. */
async function scoresOf(
  { scorer }: OnnxModel,
  { inputs, rows }: Golden,
): Promise<Float64Array> {
  const columns = scorer.inputs.map((name) => inputs.indexOf(name));
  const values = rows.flatMap((row) => columns.map((column) => row[column]));
  const scores = new Float64Array(rows.length).fill(NaN);
  await scorer.score(Float64Array.from(values), rows.length, scores);
  return scores;
}

function assertClose(
  actual: Float64Array,
  expected: readonly number[],
  what: string,
): void {
  assert.equal(actual.length, expected.length);
  for (const [row, score] of expected.entries()) {
    const apart = Math.abs(actual[row] - score);
    assert.ok(apart <= 1e-6, `${what}, row ${row}: ${actual[row]}, ${score}`);
  }
}

function open(
  bytes: Uint8Array,
  inputs: readonly string[] = readGolden().inputs,
): Promise<OnnxModel> {
  return openOnnxModel(bytes, "m.onnx", {
    names: inputs,
    isWhole: IS_WHOLE,
  });
}

async function assertRefused(
  action: () => Promise<unknown>,
  message: RegExp,
): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof ModelError, String(error));
    assert.match(error.message, message);
    assert.match(error.message, /^m\.onnx/);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

/** A model with one more metadata property. */
function withProperty(bytes: Uint8Array, value: string): Uint8Array {
  const entry = [textField(1, "fraudstream.inputs"), textField(2, value)];
  return concatenate([bytes, messageField(14, entry)]);
}

testReading(
  "models trained in Python score as in the Python runtime",
  async () => {
    const golden = readGolden();
    const names = Object.keys(golden.scores);
    assert.ok(names.length >= 9);
    for (const name of names) {
      const scores = await scoresOf(await open(readModel(name)), golden);
      assertClose(scores, golden.scores[name], name);
    }
  },
);

testReading(
  "their scores are those of the libraries that trained them",
  async () => {
    const golden = readGolden();
    const names = Object.keys(golden.libraries);
    assert.deepEqual(names.sort(), [
      "lightgbm",
      "scikit_forest",
      "scikit_linear",
      "xgboost",
    ]);
    for (const name of names) {
      const scores = await scoresOf(await open(readModel(name)), golden);
      assertClose(scores, golden.libraries[name], name);
    }
  },
);

testReading(
  "models with whole numbers, mixed columns or one probability score as in Python",
  async () => {
    const golden = readGolden();
    const scores: Golden["scores"] = JSON.parse(
      Deno.readTextFileSync(new URL("typed.json", FOLDER)),
    );
    assert.deepEqual(Object.keys(scores), [
      "typed_parquet",
      "typed_mixed",
      "typed_whole",
      "sigmoid_column",
      "sigmoid_flat",
      "sigmoid_trees",
    ]);
    for (const [name, expected] of Object.entries(scores)) {
      const found = await scoresOf(await open(readModel(name)), golden);
      assertClose(found, expected, name);
      assert.ok(new Set(found).size > 1, name);
    }
  },
);

testReading("an input of whole numbers gets no others", async () => {
  const model = await open(readModel("typed_whole"));
  const values = new Float64Array(2);
  for (const bad of [0.5, -0.5, 2 ** 53]) {
    values[1] = bad;
    await assertRefused(
      () => Promise.resolve(model.scorer.score(values, 1, new Float64Array(1))),
      /its input CUSTOMER_ID_NB_TX_7DAY_WINDOW takes whole numbers from .* and a payment has/,
    );
  }
  const mixed = await open(readModel("typed_mixed"));
  const row = Float64Array.from(mixed.scorer.inputs, (name) => {
    return name === "TX_DURING_NIGHT" ? 2 : 1;
  });
  await assertRefused(
    () => Promise.resolve(mixed.scorer.score(row, 1, new Float64Array(1))),
    /TX_DURING_NIGHT takes whole numbers from 0 to 1 \(bool\)/,
  );
});

testReading(
  "operators that may not end or are random are refused by name",
  async () => {
    for (const operator of ["Loop", "If", "Scan"]) {
      await assertRefused(
        () => open(readModel(`refused_${operator.toLowerCase()}`)),
        RegExp(`has the operator ${operator}, which may never end; export the`),
      );
    }
    await assertRefused(
      () => open(readModel("refused_random")),
      /has the operator RandomNormalLike, which gives another score each time/,
    );
    await assertRefused(
      () => open(readModel("refused_huge")),
      /has the operator ConstantOfShape for more than 16777216 numbers/,
    );
  },
);

testReading(
  "an operator is refused in a function of the model too",
  async () => {
    const node = messageField(7, [textField(4, "Loop")]);
    const withFunction = concatenate([
      readModel("sigmoid_column"),
      messageField(25, [textField(1, "own"), node]),
    ]);
    await assertRefused(
      () => open(withFunction),
      /the operator Loop, which may/,
    );
  },
);

testReading("many rows score as each by itself", async () => {
  const golden = readGolden();
  const rows = Array.from({ length: 95 }, () => golden.rows).flat();
  const model = await open(readModel("lightgbm"));
  const scores = await scoresOf(model, { ...golden, rows });
  const one = await scoresOf(model, golden);
  assert.equal(scores.length, 9500);
  scores.forEach((score, row) => assert.equal(score, one[row % one.length]));
  await model.scorer.score(new Float64Array(), 0, new Float64Array());
});

testReading("a model scores in a thread as here, made after it", async () => {
  const { inputs, rows, scores } = readGolden();
  const { Worker: own } = globalThis;
  await open(readModel("xgboost"));
  assert.equal(globalThis.Worker, own);
  const question: OnnxQuestion = {
    bytes: readModel("xgboost"),
    inputs,
    row: rows[0],
  };
  const url = new URL("onnx_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  try {
    const answer = await new Promise<unknown>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(question);
    });
    assert.ok(typeof answer === "number", String(answer));
    assertClose(Float64Array.of(answer), scores.xgboost.slice(0, 1), "xgboost");
  } finally {
    worker.terminate();
  }
});

testReading(
  "the inputs are those that the metadata or the model name",
  async () => {
    const golden = readGolden();
    const inputs = [
      "TERMINAL_ID_RISK_30DAY_WINDOW",
      "TX_AMOUNT",
      "CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW",
    ];
    for (const name of ["named_inputs", "columns"]) {
      const { scorer } = await open(readModel(name));
      assert.deepEqual(scorer.inputs, inputs);
      await assertRefused(
        () => open(readModel(name), golden.inputs.slice(0, -1)),
        /needs the input TERMINAL_ID_RISK_30DAY_WINDOW, which does not exist/,
      );
    }
  },
);

testReading(
  "a model without names takes all inputs or is refused",
  async () => {
    const { inputs } = readGolden();
    const { scorer, version, metadata } = await open(readModel("xgboost"));
    assert.deepEqual(scorer.inputs, inputs);
    assert.equal(metadata.size, 0);
    assert.match(version, /^[0-9a-f]{12}$/);
    await assertRefused(
      () => open(readModel("xgboost"), inputs.slice(1)),
      /takes 15 inputs and there are 14; name the model's in its metadata/,
    );
    await assertRefused(
      () => open(withProperty(readModel("xgboost"), '["TX_AMOUNT"]')),
      /takes 15 inputs and its metadata fraudstream.inputs name 1;/,
    );
    const broken = ["", "{}", "[]", "[1]", '["TX_AMOUNT","TX_AMOUNT"]'];
    for (const value of broken) {
      await assertRefused(
        () => open(withProperty(readModel("xgboost"), value)),
        /must be a list of different names as JSON/,
      );
    }
  },
);

testReading("the version is the file's", async () => {
  const bytes = readModel("xgboost");
  const { version } = await open(bytes);
  const hash = await crypto.subtle.digest("SHA-256", bytes.slice());
  assert.equal(
    version,
    Buffer.from(hash).toString("hex").slice(0, 12),
  );
  const other = await open(concatenate([bytes, textField(6, "a note")]));
  assert.notEqual(other.version, version);
});

testReading("what is no classifier of frauds is refused", async () => {
  const { inputs } = readGolden();
  const refused: [string, RegExp][] = [
    [
      "regressor",
      /no probabilities of two classes among its outputs \(variable float32\[\?, 1\]\)/,
    ],
    [
      "no_sigmoid",
      /\(answer float32\[\?, 1\]\), and none from a Sigmoid; export/,
    ],
    ["three_classes", /its classes are 0, 1, 2 and must be 0, 1/],
    ["text_labels", /its classes are fraud, genuine and must be 0, 1/],
    [
      "whole_numbers",
      /its input X takes whole numbers \(int64\), and TX_AMOUNT is not one; export/,
    ],
  ];
  for (const [name, message] of refused) {
    await assertRefused(() => open(readModel(`refused_${name}`)), message);
  }
  await assertRefused(
    () => open(readModel("refused_other_labels"), inputs.slice(0, 2)),
    /its classes are 1, 2 and must be 0, 1/,
  );
});

testReading("raw scores are no probabilities", async () => {
  const model = await open(readModel("refused_raw_scores"));
  await assertRefused(
    () => scoresOf(model, readGolden()),
    /gave row 0 the probabilities \S+ and \S+; export it so that/,
  );
});

testReading(
  "a value that is not a number is refused, naming the input",
  async () => {
    const { inputs, rows } = readGolden();
    const { scorer } = await open(readModel("xgboost"));
    for (const value of [NaN, Infinity]) {
      const values = Float64Array.from([...rows[0], ...rows[1]]);
      values[inputs.length + 2] = value;
      await assert.rejects(
        async () => await scorer.score(values, 2, new Float64Array(2)),
        (error) => {
          assert.ok(error instanceof ModelError);
          assert.match(error.message, /TX_DURING_NIGHT of row 1 is (NaN|Inf)/);
          return true;
        },
      );
    }
  },
);

testReading(
  "a model that takes missing values scores them, another is refused when it is opened",
  async () => {
    const { inputs, rows } = readGolden();
    const offered = {
      names: inputs,
      isWhole: IS_WHOLE,
      nullable: [inputs[2]],
    };
    const { scorer } = await openOnnxModel(
      readModel("xgboost"),
      "m.onnx",
      offered,
    );
    assert.deepEqual(scorer.nullable, [inputs[2]]);
    const values = Float64Array.from(rows[0]);
    values[2] = NaN;
    const scores = new Float64Array(1).fill(NaN);
    await scorer.score(values, 1, scores);
    assert.ok(scores[0] > 0 && scores[0] < 1);
    values[3] = NaN;
    await assert.rejects(async () => await scorer.score(values, 1, scores), {
      message: `${
        inputs[3]
      } of row 0 is NaN; a model needs a number for every input`,
    });
    await assertRefused(
      () => openOnnxModel(readModel("scikit_linear"), "m.onnx", offered),
      /m\.onnx gives no score where a value is missing, and TX_DURING_NIGHT can be/,
    );
    const whole = { ...offered, nullable: ["TX_DURING_WEEKEND"] };
    await assertRefused(
      () => openOnnxModel(readModel("typed_parquet"), "m.onnx", whole),
      /takes whole numbers \(\w+\), and TX_DURING_WEEKEND can be missing/,
    );
  },
);

testReading("a broken or foreign file is refused", async () => {
  const bytes = readModel("xgboost");
  const foreign = new TextEncoder().encode('{"format": "fraudstream-model"}');
  const empty = new Uint8Array();
  for (const wrong of [empty, foreign, bytes.subarray(0, 9000)]) {
    await assertRefused(
      () => open(wrong),
      /is not an ONNX model \(.+\); export/,
    );
  }
  // A graph whose only node has an operator that nobody knows.
  const node = [textField(1, "X"), textField(2, "Y"), textField(4, "Guess")];
  const graph = readFields(bytes).map(({ number, encoded }) => {
    return number === 7
      ? messageField(7, [messageField(1, node), textField(2, "g")])
      : encoded;
  });
  await assertRefused(
    () => open(concatenate(graph)),
    /cannot be run by the ONNX runtime \(.+\); export it again/,
  );
  const future = concatenate([bytes, integerField(1, 1000)]);
  await assertRefused(() => open(future), /cannot be run by the ONNX runtime/);
});

testReading("a file with any byte changed scores or is refused", async () => {
  const golden = readGolden();
  const bytes = readModel("scikit_linear");
  let refused = 0;
  for (let at = 0; at < bytes.length; at += 7) {
    const changed = bytes.slice();
    changed[at] ^= 0x14;
    try {
      const scores = await scoresOf(await open(changed), golden);
      assert.ok(scores.every((score) => score >= 0 && score <= 1));
    } catch (error) {
      assert.ok(error instanceof ModelError, `byte ${at}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 20, `${refused} were refused`);
});

testReading(
  "what this program does not know of a model stays in it",
  async () => {
    const golden = readGolden();
    const strange = concatenate([
      readModel("lightgbm"),
      bytesField(1000, Uint8Array.of(1, 2)),
    ]);
    const scores = await scoresOf(await open(strange), golden);
    assertClose(scores, golden.scores.lightgbm, "lightgbm");
  },
);
