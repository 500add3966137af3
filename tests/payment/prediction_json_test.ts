/** Predictions as JSON: what rules decided comes back, on the fast path and on the slow one. */
import assert from "node:assert/strict";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import {
  emptyPredictions,
  NO_MODEL,
  PREDICTION_CELL,
  PREDICTION_CELLS,
} from "../../src/payment/prediction.ts";
import {
  PredictionJsonReader,
  PredictionJsonWriter,
  readShadowScores,
} from "../../src/payment/prediction_json.ts";

const CELLS = Float64Array.of(7, 1_522_540_800, 3, 4, 12.5, 0, 0, 0);
const ENCODER = new TextEncoder();

const DECLINED = ',"DECISION":"decline","RULES":["a","b"],' +
  '"SHADOW_RULES":["c"],"REASONS":["big \\"x\\"","far"],' +
  '"RULES_VERSION":"0123456789abcdef","LISTS_VERSION":null,"THRESHOLD":0.5';
const APPROVED = ',"DECISION":"approve",' +
  '"RULES_VERSION":"0123456789abcdef","LISTS_VERSION":"ff","THRESHOLD":null';

function record(
  decision: string | undefined,
  score = 0.25,
  explained = false,
): Uint8Array {
  const writer = new ByteWriter();
  new PredictionJsonWriter().write(writer, CELLS, 0, {
    score,
    alert: false,
    version: Number.isNaN(score) ? NO_MODEL : "lr-1",
    inputs: ["TX_AMOUNT"],
    contributions: explained ? Float64Array.of(1.5) : undefined,
    decision: decision === undefined ? undefined : ENCODER.encode(decision),
  });
  return writer.view().slice();
}

Deno.test("a prediction without rules keeps its bytes", () => {
  assert.equal(
    new TextDecoder().decode(record(undefined, 0.25, true)),
    '{"TRANSACTION_ID":7,"TX_DATETIME":"2018-04-01 00:00:00",' +
      '"CUSTOMER_ID":3,"TERMINAL_ID":4,"TX_AMOUNT":12.5,' +
      '"TX_TIME_SECONDS":0,"SCORE":0.25,"ALERT":0,"MODEL_VERSION":"lr-1",' +
      '"CONTRIBUTIONS":{"TX_AMOUNT":1.5}}',
  );
});

Deno.test("what rules decided comes back, whatever the record before was", () => {
  const declined = {
    decision: "decline",
    rules: '["a","b"]',
    shadowRules: '["c"]',
    reasons: '["big \\"x\\"","far"]',
    rulesVersion: "0123456789abcdef",
    listsVersion: null,
    threshold: 0.5,
  };
  const approved = {
    ...declined,
    decision: "approve",
    rules: null,
    shadowRules: null,
    reasons: null,
    listsVersion: "ff",
    threshold: null,
  };
  const cases = [
    [record(DECLINED), declined],
    [record(APPROVED), approved],
    [record(undefined), null],
    [record(DECLINED, NaN), declined],
    [record(APPROVED, 0.25, true), approved],
  ] as const;
  const reader = new PredictionJsonReader();
  // Each after each, and the second of a kind on the fast path.
  for (const first of cases) {
    for (const second of cases) {
      for (const [bytes, expected] of [first, second, second]) {
        const rows = emptyPredictions(2);
        assert.equal(
          reader.read(bytes, 0, bytes.length, rows, 1),
          undefined,
        );
        assert.deepEqual(rows.decisions[1], expected);
        const score = rows.cells[PREDICTION_CELLS + PREDICTION_CELL.score];
        assert.equal(Number.isNaN(score), rows.versions[1] === NO_MODEL);
      }
    }
  }
});

Deno.test("a prediction with neither score nor decision, or with a broken decision, is refused", () => {
  const reader = new PredictionJsonReader();
  const cases = [
    [record(undefined, NaN), /SCORE is missing/],
    [record(',"DECISION":7,"RULES_VERSION":"x"'), /DECISION is not a text/],
    [record(',"DECISION":"approve"'), /RULES_VERSION is not a text/],
    [
      record(`${APPROVED},"RULES":[1]`),
      /RULES is not a list of texts/,
    ],
    [
      record(',"DECISION":"review","RULES_VERSION":"x","THRESHOLD":2'),
      /THRESHOLD is not a number or null/,
    ],
  ] as const;
  for (const [bytes, message] of cases) {
    const rows = emptyPredictions(1);
    for (let again = 0; again < 2; again++) {
      const defect = reader.read(bytes, 0, bytes.length, rows, 0);
      assert.match(defect?.message ?? "none", message);
    }
  }
});

Deno.test("scores of shadow models come back, in any spelling, and change nothing else", () => {
  const writer = new ByteWriter();
  new PredictionJsonWriter().write(
    writer,
    CELLS,
    0,
    {
      ...{ score: 0.25, alert: false, version: "lr-1", inputs: [] },
      contributions: undefined,
      shadows: [
        { version: "a1", scores: Float64Array.of(0, 1e-7) },
        { version: "b2", scores: Float64Array.of(1, 0.5) },
      ],
    },
    undefined,
    1,
  );
  const shadowed = writer.view().slice();
  const text = new TextDecoder().decode(shadowed);
  const members = '"SHADOW_SCORES":{"a1":1e-7,"b2":0.5},';
  assert.ok(text.includes(members), text);
  const plain = record(undefined);
  assert.equal(text.replace(members, ""), new TextDecoder().decode(plain));
  const spaced = ENCODER.encode(text.replace('{"a1":', '{ "a1" : '));
  const reader = new PredictionJsonReader();
  // Each after each, and the second of a kind on the fast path.
  for (const bytes of [shadowed, shadowed, plain, plain, spaced, shadowed]) {
    const rows = emptyPredictions(2);
    assert.equal(reader.read(bytes, 0, bytes.length, rows, 1), undefined);
    const scores = [...readShadowScores(rows.shadowScores[1])];
    const expected = bytes === plain ? [] : [["a1", 1e-7], ["b2", 0.5]];
    assert.deepEqual(scores, expected);
    assert.equal(rows.versions[1], "lr-1");
  }
  const broken = ENCODER.encode(text.replace("1e-7", '"x"'));
  const defect = reader.read(broken, 0, broken.length, emptyPredictions(1), 0);
  assert.match(defect?.message ?? "", /SHADOW_SCORES is not an object/);
});
