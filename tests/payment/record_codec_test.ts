import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { JsonScanner } from "../../src/payment/json_scanner.ts";
import { PAYMENT_FIELDS } from "../../src/payment/payment.ts";
import {
  CELL,
  PAYMENT_CELLS,
  toCells,
} from "../../src/payment/payment_cells.ts";
import {
  csvMarks,
  jsonMarks,
  RecordScanner,
  RecordWriter,
} from "../../src/payment/record_codec.ts";
import {
  PAYMENT_RECORD,
  PREDICTION_RECORD,
} from "../../src/payment/record_field.ts";
import { payments } from "./rows.ts";

const MARKS = jsonMarks(PAYMENT_RECORD);

function scanned(text: string, marks = MARKS): number[] | undefined {
  const bytes = new TextEncoder().encode(text);
  const scanner = new JsonScanner();
  scanner.start(bytes, 0, bytes.length);
  const cells = new Float64Array(2 + PAYMENT_CELLS);
  const known = new RecordScanner(PAYMENT_RECORD, marks)
    .scan(scanner, cells, 2);
  return known && scanner.atEnd ? [...cells.subarray(2)] : undefined;
}

Deno.test("the record of a payment has its fields in their order, and a cell for all but the day", () => {
  assert.deepEqual(PAYMENT_RECORD.map(({ name }) => name), PAYMENT_FIELDS);
  const cells = PAYMENT_RECORD.filter(({ kind }) => kind !== "day")
    .map(({ cell }) => cell);
  assert.deepEqual(cells, Object.values(CELL));
});

Deno.test("what a prediction shares with its payment lies in the same cells", () => {
  for (const { name, kind, cell } of PREDICTION_RECORD) {
    const field = PAYMENT_RECORD.find((field) => field.name === name);
    if (field) assert.deepEqual([field.kind, field.cell], [kind, cell]);
    else assert.match(name, /^(SCORE|ALERT)$/);
  }
});

for (
  const [form, marks] of [
    ["JSON", MARKS],
    ["CSV", csvMarks(PAYMENT_RECORD)],
  ] as const
) {
  Deno.test(`fields that are written are scanned to the same cells, as ${form}`, () => {
    const json = new RecordWriter(PAYMENT_RECORD, marks);
    fc.assert(fc.property(payments, (payment) => {
      // More digits are left to the slow path.
      const row = {
        ...payment,
        transactionId: payment.transactionId % 10 ** 15,
      };
      const cells = new Float64Array(PAYMENT_CELLS);
      toCells(row, cells, 0);
      const writer = new ByteWriter(16);
      json.write(writer, cells, 0);
      const text = new TextDecoder().decode(writer.view());
      assert.deepEqual(scanned(text, marks), [...cells]);
    }));
  });
}

Deno.test("each field's range is that of its declaration, and a day must be that of the time", () => {
  const good = [7, "2018-04-02 00:00:31", 5, 6, 1.25, 86_431, 1, 0, 0];
  const csv = (values: readonly unknown[]) =>
    scanned(values.join(), csvMarks(PAYMENT_RECORD));
  assert.ok(csv(good));
  for (const [i, { name, kind, max }] of PAYMENT_RECORD.entries()) {
    const wrong: readonly (string | number)[] | undefined = {
      whole: [-1, 0.5, max + 1],
      flag: [-1, 2],
      number: [-1],
      amount: [-1, max + 1, 0.001],
      datetime: ["2018-04-02", "2018-02-30 00:00:00"],
      day: [0, 2],
    }[kind as "whole"];
    assert.ok(wrong, kind);
    for (const value of wrong) {
      assert.equal(csv(good.with(i, value)), undefined, `${name} ${value}`);
    }
  }
});
