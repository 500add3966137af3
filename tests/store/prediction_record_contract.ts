/** What every store promises of prediction records: findAll() returns what PredictionJsonReader reads, bit for bit. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import type { PaymentShape } from "../../src/payment/payment_shape.ts";
import {
  emptyPredictions,
  NO_MODEL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../src/payment/prediction.ts";
import { PredictionJsonReader } from "../../src/payment/prediction_json.ts";
import { idsOf, textCellsOf } from "../../src/store/cell_rows.ts";
import { predictionTable } from "../../src/store/tables.ts";
import {
  type Own,
  ownPayments,
  type OwnShapeOptions,
  START,
} from "./own_shape_contract.ts";

const ENCODER = new TextEncoder();

const SHARE = fc.double({ min: 0, max: 1, noNaN: true });
const TEXTS = fc.array(fc.constantFrom("a", 'big "x"', "Ä😀"), {
  maxLength: 3,
});
const NUMBERS = fc.dictionary(
  fc.constantFrom("TX_AMOUNT", "0123456789ab", "Ä"),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** What a record says besides the payment. */
const JUDGEMENT = fc.oneof(
  fc.record({ SCORE: SHARE }),
  fc.record({
    SCORE: fc.option(SHARE),
    DECISION: fc.constantFrom("approve", "review", "decline"),
    RULES_VERSION: fc.constant("0123456789abcdef"),
    RULES: TEXTS,
    SHADOW_RULES: TEXTS,
    REASONS: TEXTS,
    LISTS_VERSION: fc.option(fc.constant("00000000ffffffff")),
    THRESHOLD: fc.option(SHARE),
  }, {
    requiredKeys: ["SCORE", "DECISION", "RULES_VERSION"],
  }),
);

const BESIDE = fc.record({
  ALERT: fc.nat(1),
  MODEL_VERSION: fc.constantFrom(NO_MODEL, "0123456789ab"),
  CONTRIBUTIONS: NUMBERS,
  SHADOW_SCORES: NUMBERS,
}, { requiredKeys: ["ALERT", "MODEL_VERSION"] });

const PLACE = fc.tuple(fc.nat(2 ** 31 - 1), fc.maxSafeNat());

function recordOf(own: Own, others: object): Uint8Array {
  return ENCODER.encode(JSON.stringify({
    TRANSACTION_ID: own.id,
    TX_DATETIME: formatDatetime(START + own.seconds),
    CUSTOMER_ID: own.customer,
    TERMINAL_ID: own.terminal,
    TX_AMOUNT: own.amount,
    TX_TIME_SECONDS: own.seconds,
    ...others,
  }));
}

/** Rows by their ids, with the texts themselves. */
function byId(rows: PredictionRows, shape: PaymentShape) {
  const table = predictionTable(shape);
  const textCells = textCellsOf(table);
  return new Map(
    idsOf(rows, table).map((id, row) => {
      const at = row * PREDICTION_CELLS;
      const cells = [...rows.cells.subarray(at, at + PREDICTION_CELLS)];
      return [id, {
        cells: cells.map((cell, i) => textCells.includes(i) ? null : cell),
        texts: textCells.map((cell) => rows.texts.text(cells[cell])),
        version: rows.versions[row],
        contributions: rows.contributions[row],
        decision: rows.decisions[row],
        shadowScores: rows.shadowScores[row],
        place: [rows.partitions[row], rows.offsets[row]],
      }];
    }),
  );
}

/** Defines the test for a kind of store and streams of a shape. */
export function testPredictionRecords(
  { name, test, open, runs }: OwnShapeOptions,
  shapes: Readonly<Record<string, PaymentShape>>,
): void {
  for (const [what, shape] of Object.entries(shapes)) {
    test(`${name}, ${what}: findAll() returns what the records of predictions say`, async () => {
      await fc.assert(
        fc.asyncProperty(
          ownPayments(HANDBOOK_FEATURES, shape),
          fc.array(fc.tuple(JUDGEMENT, BESIDE, PLACE), {
            minLength: 50,
            maxLength: 50,
          }),
          async (all, others) => {
            const payments = [
              ...new Map(all.map((own) => [own.id, own])).values(),
            ];
            const rows = emptyPredictions(payments.length);
            const reader = new PredictionJsonReader(shape);
            for (const [i, own] of payments.entries()) {
              const [judgement, beside, place] = others[i];
              const record = recordOf(own, { ...judgement, ...beside });
              const defect = reader.read(record, 0, record.length, rows, i);
              assert.equal(defect, undefined);
              [rows.partitions[i], rows.offsets[i]] = place;
            }
            rows.count = payments.length;
            const wanted = byId(rows, shape);
            await using store = await open(HANDBOOK_FEATURES, shape);
            const table = store.predictions();
            await table.write(rows);
            const found = await table.findAll(payments.map(({ id }) => id));
            assert.deepEqual(byId(found, shape), wanted);
          },
        ),
        { numRuns: runs },
      );
    });
  }
}
