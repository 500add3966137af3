/** Label records: of payments of any shape, as they are written and in other spellings. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { CELL, FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import {
  LabelJsonWriter,
  ShapedJsonReader,
} from "../../src/payment/payment_json.ts";
import {
  labelCells,
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { START_SECONDS } from "./rows.ts";
import {
  objectOf,
  type PaymentObject,
  paymentsOf,
  rowOf,
  shapes,
} from "./shapes.ts";

/** A label, its moments in seconds since 1970. */
interface Label {
  readonly payment: PaymentObject;
  readonly fraud: 0 | 1 | null;
  readonly scenario: number;
  readonly known: number;
  readonly knownTime: number;
}

const labelled = shapes
  .filter(({ hasLabels }) => hasLabels)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      label: fc.record({
        payment: paymentsOf(shape),
        fraud: fc.constantFrom(0, 1, null) as fc.Arbitrary<0 | 1 | null>,
        scenario: fc.nat(9),
        known: fc.nat(2 ** 31).map((after) => START_SECONDS + after),
        knownTime: fc.nat(2 ** 31).map((after) => START_SECONDS + after),
      }, { noNullPrototype: true }),
    })
  );

/** The members that a label record should have. */
function membersOf({ payment, fraud, scenario, known }: Label) {
  return {
    ...payment,
    TX_FRAUD: fraud,
    TX_FRAUD_SCENARIO: scenario,
    KNOWN_AT: formatDatetime(known),
  };
}

function written(shape: PaymentShape, label: Label, isAccepted: boolean) {
  const heap = new TextHeap();
  const row = rowOf(shape, label.payment, heap);
  row[CELL.fraud] = label.fraud ?? FRAUD_UNKNOWN;
  row[CELL.scenario] = label.scenario;
  const cells = Float64Array.from([0, ...row, label.known, label.knownTime]);
  const writer = new ByteWriter();
  new LabelJsonWriter(shape, { isAccepted }).write(writer, cells, 1, heap);
  return new TextDecoder().decode(writer.view());
}

/** What a reader makes of a text: a payment, a label, or the message of its defect. */
function read(shape: PaymentShape, text: string) {
  const bytes = new TextEncoder().encode(text);
  const reader = new ShapedJsonReader(shape);
  // Nothing of the record before may be left.
  const before = JSON.stringify({ KNOWN_AT: "2018-04-01 00:00:01" });
  reader.read(new TextEncoder().encode(before), 0, before.length, 0);
  const defect = reader.read(bytes, 0, bytes.length, START_SECONDS);
  if (defect) return defect.message;
  const { cells, texts, isLabel } = reader;
  const payment = objectOf(shape, cells, texts);
  const fraud = cells[CELL.fraud];
  if (!isLabel) {
    assert.equal(fraud, FRAUD_UNKNOWN);
    assert.equal(cells[CELL.scenario], 0);
    return { payment };
  }
  const { knownAt, knownTime } = labelCells(shape);
  assert.equal(reader.knownSeconds, cells[knownAt] - START_SECONDS);
  return {
    payment,
    fraud: fraud === FRAUD_UNKNOWN ? null : fraud,
    scenario: cells[CELL.scenario],
    known: cells[knownAt],
    knownTime: cells[knownTime],
  };
}

Deno.test("a label of a payment of any shape is written as JSON.stringify writes it, and read back in any spelling", () => {
  fc.assert(
    fc.property(labelled, fc.nat(), ({ shape, label }, turn) => {
      const members = membersOf(label);
      const json = written(shape, label, false);
      assert.equal(json, JSON.stringify(members));
      const early = { ...label, knownTime: label.known };
      assert.deepEqual(read(shape, json), early);
      const entries = [...Object.entries(members), ["more", 1]];
      const at = turn % entries.length;
      const turned = [...entries.slice(at), ...entries.slice(0, at)];
      const spelled = JSON.stringify(Object.fromEntries(turned), null, 1);
      assert.deepEqual(read(shape, spelled), early);
    }),
    { numRuns: 300 },
  );
});

Deno.test("an accepted label has the time from which it can be learned from", () => {
  fc.assert(
    fc.property(labelled, ({ shape, label }) => {
      const json = written(shape, label, true);
      const KNOWN_TIME = formatDatetime(label.knownTime);
      assert.equal(json, JSON.stringify({ ...membersOf(label), KNOWN_TIME }));
      assert.deepEqual(read(shape, json), label);
      const spelled = JSON.stringify(JSON.parse(json), null, 1);
      assert.deepEqual(read(shape, spelled), label);
    }),
    { numRuns: 300 },
  );
});

const PAYMENT: PaymentObject = {
  TRANSACTION_ID: 2 ** 40,
  TX_DATETIME: "2018-04-02 01:01:01",
  CUSTOMER_ID: 7,
  TERMINAL_ID: 8,
  TX_AMOUNT: 12.34,
  TX_TIME_SECONDS: 90_061,
  TX_TIME_DAYS: 1,
};
const KNOWN_AT = "2018-04-02 03:46:40";

function readWith(more: object) {
  return read(UNLABELLED_SHAPE, JSON.stringify({ ...PAYMENT, ...more }));
}

Deno.test("a payment is read without a label, whatever it says", () => {
  assert.deepEqual(readWith({}), { payment: PAYMENT });
  const more = { TX_FRAUD: 1, TX_FRAUD_SCENARIO: 3, x: 1 };
  assert.deepEqual(readWith(more), { payment: PAYMENT });
  assert.deepEqual(readWith({ TX_FRAUD: "?" }), { payment: PAYMENT });
  const shape = { ...UNLABELLED_SHAPE, hasLabels: false };
  const json = JSON.stringify({ ...PAYMENT, TX_FRAUD: 1, KNOWN_AT });
  assert.deepEqual(read(shape, json), { payment: PAYMENT });
});

Deno.test("a label record of another program may leave the scenario out and write the time otherwise", () => {
  const known = START_SECONDS + 100_000;
  for (
    const KNOWN_AT of ["2018-04-02T03:46:40Z", "2018-04-02T05:46:40+02:00"]
  ) {
    assert.deepEqual(readWith({ x: [], KNOWN_AT, TX_FRAUD: true }), {
      payment: PAYMENT,
      fraud: 1,
      scenario: 0,
      known,
      knownTime: known,
    });
  }
});

Deno.test("a label record that cannot be right is refused with the reason", () => {
  assert.match(String(readWith({ KNOWN_AT })), /TX_FRAUD is missing/);
  assert.match(
    String(readWith({ TX_FRAUD: 2, KNOWN_AT })),
    /TX_FRAUD 2 is not in 0…1/,
  );
  for (const wrong of ["yesterday", "2018-02-30 00:00:00"]) {
    for (const name of ["KNOWN_AT", "KNOWN_TIME"]) {
      assert.match(
        String(readWith({ TX_FRAUD: 1, KNOWN_AT, [name]: wrong })),
        /KNOWN_\w+ .* is not a date and time/,
      );
    }
  }
  assert.match(
    String(readWith({ TX_FRAUD: 1, KNOWN_AT: {} })),
    /is not a text/,
  );
  assert.match(
    String(readWith({ TX_FRAUD: 1, KNOWN_AT: null })),
    /KNOWN_AT is missing/,
  );
  assert.match(
    String(readWith({ TX_FRAUD: 1, KNOWN_AT: "2018-03-31 23:59:59" })),
    /KNOWN_AT is before the first day/,
  );
  const json = JSON.stringify(PAYMENT).slice(0, -1);
  const label = `${json},"TX_FRAUD":,"TX_FRAUD_SCENARIO":0,"KNOWN_AT":"x"}`;
  assert.equal(typeof read(UNLABELLED_SHAPE, label), "string");
});
