/** The lines of a day's file for payments of any shape, against what a parser of JSON or CSV makes of them. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parse } from "csv-parse/sync";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { featureRowCells } from "../../src/features/feature_row.ts";
import {
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { DayLines } from "../../src/files/day_lines.ts";
import type { DayFormat } from "../../src/files/day_manifest.ts";
import { parseDatetime } from "../../src/payment/calendar.ts";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { chance, forEachSeed } from "../long.ts";

const FEATURES: FeatureParameters = { ...HANDBOOK_FEATURES, windowDays: [1] };

const OWN: PaymentShape = {
  ...HANDBOOK_SHAPE,
  transactionId: "text",
  customerId: "text",
  hasFraud: false,
  hasScenario: false,
  kept: [{ name: "note", type: "text" }, { name: "seen", type: "time" }],
};

const START = parseDatetime("2024-05-01 00:00:00") ?? 0;

/** Characters that JSON or CSV write differently, or that sort differently as UTF-16. */
const CHARACTERS = ['"', "\\", ",", "a", "é", "\u{ffee}", "\u{1f600}", " "];

function text(random: () => number, characters: readonly string[]): string {
  const length = 1 + Math.floor(4 * random());
  return Array.from({ length }, () => {
    return characters[Math.floor(random() * characters.length)];
  }).join("");
}

/** Some rows, as lines in the order written, and as what a reader should find. */
function written(shape: PaymentShape, format: DayFormat, seed: number) {
  const random = chance(seed);
  const lines = new DayLines({ format, features: FEATURES, shape });
  const writer = new ByteWriter();
  const names = featureNames(FEATURES);
  const keptFrom = featureRowCells(FEATURES);
  const rows: Record<string, unknown>[] = [];
  for (let n = 0; n < 60; n++) {
    const cells = new Float64Array(featureRowCells(FEATURES, shape));
    const texts = new TextHeap();
    const time = Math.floor(random() * 86_400);
    const isText = shape === OWN;
    const id = isText ? text(random, CHARACTERS) + n : 7919 * n % 1000;
    const card = isText ? text(random, CHARACTERS) : n;
    const cellOf = (value: string | number) =>
      typeof value === "string" ? texts.addText(value) : value;
    cells.set([cellOf(id), START + time, cellOf(card), 5, n / 4, time], 0);
    names.forEach((_, at) => cells[PAYMENT_CELLS + at] = n % 7);
    const clock = new Date(1000 * time).toISOString().slice(11, 19);
    const note = n % 3 === 0 ? null : text(random, [...CHARACTERS, "\n", "\r"]);
    if (isText) {
      cells[keptFrom] = note === null ? NO_TEXT : texts.addText(note);
      cells[keptFrom + 1] = n % 4 === 0 ? NaN : START;
    }
    lines.write(writer, cells, texts);
    rows.push({
      TRANSACTION_ID: id,
      TX_DATETIME: `2024-05-01 ${clock}`,
      CUSTOMER_ID: card,
      TERMINAL_ID: 5,
      TX_AMOUNT: n / 4,
      TX_TIME_SECONDS: time,
      TX_TIME_DAYS: 0,
      ...isText
        ? { note, seen: n % 4 === 0 ? null : "2024-05-01 00:00:00" }
        : { TX_FRAUD: 0, TX_FRAUD_SCENARIO: 0 },
      ...Object.fromEntries(names.map((name) => [name, n % 7])),
    });
  }
  return { lines, bytes: writer.view(), rows };
}

function parsed(bytes: Uint8Array, format: DayFormat): unknown[] {
  const text = new TextDecoder().decode(bytes);
  return format === "csv"
    ? parse(text, { columns: true, record_delimiter: "\n" })
    : text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** The value as a reader of CSV has it. */
function asText(row: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, `${value ?? ""}`]),
  );
}

for (const format of ["jsonl", "csv"] as const) {
  Deno.test(`a day's ${format} holds each payment, sorted by the bytes of its id`, () =>
    forEachSeed(10, 300, (seed) => {
      for (const shape of [OWN, HANDBOOK_SHAPE]) {
        const { lines, bytes, rows } = written(shape, format, seed);
        const expected = rows.toSorted((a, b) => {
          const [left, right] = [a.TRANSACTION_ID, b.TRANSACTION_ID];
          return typeof left === "number"
            ? left - Number(right)
            : Buffer.compare(Buffer.from(`${left}`), Buffer.from(`${right}`));
        });
        const found = parsed(lines.sorted(bytes), format);
        assert.deepEqual(
          found,
          format === "csv" ? expected.map(asText) : expected,
        );
        // The order of the columns too.
        assert.deepEqual(
          Object.keys(found[0] as object),
          Object.keys(expected[0]),
        );
        // A day that is complete is taken up again without its header.
        const body = lines.sorted(bytes).subarray(lines.header.length);
        assert.deepEqual(lines.sorted(body), lines.sorted(bytes));
      }
    }));
}
