import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import {
  emptyPayment,
  type Payment,
  PAYMENT_FIELDS,
} from "../../src/payment/payment.ts";
import {
  PaymentJsonReader,
  PaymentJsonWriter,
  RECORD_BYTES_MAX,
} from "../../src/payment/payment_json.ts";
import { type Defect, fillPayment } from "../../src/payment/validation.ts";
import { payments, START_SECONDS } from "./rows.ts";

/** The record of a row, the plainest way. */
function jsonOf(row: Payment): string {
  return JSON.stringify(fieldsOf(row));
}

function fieldsOf(row: Payment): Record<string, unknown> {
  return {
    TRANSACTION_ID: row.transactionId,
    TX_DATETIME: formatDatetime(row.datetimeSeconds),
    CUSTOMER_ID: row.customerId,
    TERMINAL_ID: row.terminalId,
    TX_AMOUNT: row.amount,
    TX_TIME_SECONDS: row.timeSeconds,
    TX_TIME_DAYS: Math.floor(row.timeSeconds / 86_400),
    TX_FRAUD: row.fraud,
    TX_FRAUD_SCENARIO: row.scenario,
  };
}

type Reading = { row: Payment } | { defect: Defect["reason"] };

const reader = new PaymentJsonReader();

function read(bytes: Uint8Array, start: number | undefined): Reading {
  const row = emptyPayment();
  // Beside other bytes, as records lie in a batch.
  const beside = new Uint8Array(bytes.length + 9).fill(48);
  beside.set(bytes, 4);
  const defect = reader.read(beside, 4, 4 + bytes.length, start, row);
  return defect ? { defect: defect.reason } : { row };
}

/** What read() promises: JSON.parse and the rules, nothing clever. */
function readPlainly(bytes: Uint8Array, start: number | undefined): Reading {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { defect: "not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { defect: "not JSON" };
  }
  const object = value as Record<string, unknown>;
  const values = PAYMENT_FIELDS.map((field) => object[field]);
  const row = emptyPayment();
  const defect = fillPayment(values, start, row);
  return defect ? { defect: defect.reason } : { row };
}

const encoder = new TextEncoder();

Deno.test("any valid row that is written reads as the same row", () => {
  const writer = new ByteWriter();
  const json = new PaymentJsonWriter();
  fc.assert(
    fc.property(payments, (row) => {
      writer.clear();
      json.write(writer, row);
      assert.equal(new TextDecoder().decode(writer.view()), jsonOf(row));
      assert.deepEqual(read(writer.view(), START_SECONDS), { row });
      assert.deepEqual(read(writer.view(), undefined), { row });
    }),
    { numRuns: 2000 },
  );
});

/** A change to the bytes of a record. */
type Mutation = (bytes: Uint8Array) => Uint8Array;

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const byte = fc.oneof(
  fc.nat(255),
  fc.constantFrom(...encoder.encode('0123456789.eE+-",:{} \n')),
);

const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, byte).map(([where, value]): Mutation => (bytes) => {
    bytes[Math.floor(where * bytes.length)] = value;
    return bytes;
  }),
  fc.tuple(place, fc.nat(3)).map(([where, length]): Mutation => (bytes) => {
    const at = Math.floor(where * bytes.length);
    return Uint8Array.from([
      ...bytes.subarray(0, at),
      ...bytes.subarray(at + length),
    ]);
  }),
  fc.tuple(place, fc.array(byte, { maxLength: 3 })).map(
    ([where, inserted]): Mutation => (bytes) => {
      const at = Math.floor(where * bytes.length);
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        ...inserted,
        ...bytes.subarray(at),
      ]);
    },
  ),
);

Deno.test("read() gives the verdict and values of JSON.parse for records with changed bytes", () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      payments,
      fc.array(mutations, { minLength: 1, maxLength: 2 }),
      fc.boolean(),
      (row, changes, known) => {
        let bytes = encoder.encode(jsonOf(row));
        for (const change of changes) bytes = change(bytes).slice();
        const start = known ? START_SECONDS : undefined;
        const expected = readPlainly(bytes, start);
        if ("row" in expected) accepted++;
        assert.deepEqual(read(bytes, start), expected);
      },
    ),
    { numRuns: 10_000 },
  );
  assert.ok(accepted > 100, `only ${accepted} were still good`);
});

/** Other spellings of numbers, good and bad. */
const numbers = fc.oneof(
  fc.nat(3_000_000).map(String),
  fc.double().map(String),
  fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String),
  fc.constantFrom(
    ..."00 01 -0 -1 0.0 1.0 1e3 1E+2 12e-1 1.50 .5 5. 1e999 1e-400".split(" "),
    ..."9007199254740991 9007199254740992 9007199254740993".split(" "),
    ..."2147483647 2147483648 999999999999999 0999999999999999".split(" "),
    ..."285.79999999999995 285.799999999999954525 1000000000.000".split(" "),
    ..."0.1000000000000000055511151231257827 12.340000000000000001".split(" "),
    ..."1000000000.01 NaN Infinity null true false [] {}".split(" "),
    '"1"',
    '""',
    "1 ",
    "\t1",
    "",
  ),
);

const datetimes = fc.constantFrom(
  "2018-04-01 00:00:00",
  "2018-04-01 24:00:00",
  "2018-04-31 00:00:00",
  "2018-02-30 00:00:00",
  "2018-04-01T00:00:00",
  "0000-04-01 00:00:00",
  "9999-12-31 23:59:59",
  "2018-04-01 00:00:00 ",
  "２018-04-01 00:00:00",
);

Deno.test("read() gives the verdict and values of JSON.parse for other spellings", () => {
  const value = {
    row: payments,
    field: fc.integer({ min: 0, max: 8 }),
    value: fc.option(numbers),
    datetime: fc.option(datetimes, { freq: 2 }),
  };
  const field = fc.integer({ min: 0, max: 8 });
  const fields = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const canonical = fc.record({
    ...value,
    order: fc.constant(fields),
    repeated: fc.constant(null),
    colon: fc.constant(":"),
    comma: fc.constant(","),
    around: fc.constant(""),
    more: fc.constant(""),
  });
  const free = fc.record({
    ...value,
    order: fc.oneof(
      fc.constant(fields),
      fc.shuffledSubarray(fields, { minLength: 8 }),
    ),
    repeated: fc.option(field, { freq: 1 }),
    colon: fc.constantFrom(":", ":", ": ", " :", ":\n"),
    comma: fc.constantFrom(",", ",", ", ", " ,", ",,"),
    around: fc.constantFrom("", "", " ", "\uFEFF", "x"),
    more: fc.constantFrom("", "", ',"EXTRA":1', ',"__proto__":{"TX_FRAUD":1}'),
  });
  const spelling = fc.oneof(canonical, free);
  let accepted = 0;
  fc.assert(
    fc.property(spelling, (s) => {
      const values = Object.values(fieldsOf(s.row)).map((v) =>
        JSON.stringify(v)
      );
      if (s.value !== null) values[s.field] = s.value;
      if (s.datetime !== null) values[1] = JSON.stringify(s.datetime);
      const order = [...s.order];
      if (s.repeated !== null) order.push(s.repeated);
      const pairs = order.map((field) =>
        `"${PAYMENT_FIELDS[field]}"${s.colon}${values[field]}`
      );
      const text = `${s.around}{${pairs.join(s.comma)}${s.more}}${s.around}`;
      const bytes = encoder.encode(text);
      const expected = readPlainly(bytes, START_SECONDS);
      if ("row" in expected) accepted++;
      assert.deepEqual(read(bytes, START_SECONDS), expected, text);
    }),
    { numRuns: 10_000 },
  );
  assert.ok(accepted > 100, `only ${accepted} were good`);
});

/** A good row on 2018-04-02 at 10:17:36. */
const GOOD: Payment = {
  transactionId: 11,
  datetimeSeconds: START_SECONDS + 123_456,
  customerId: 596,
  terminalId: 3156,
  amount: 57.16,
  timeSeconds: 123_456,
  fraud: 1,
  scenario: 2,
};

function defectOf(
  changed: Record<string, unknown>,
  start: number | undefined = START_SECONDS,
): Defect | undefined {
  const text = JSON.stringify({ ...fieldsOf(GOOD), ...changed });
  return defectOfBytes(encoder.encode(text), start);
}

function defectOfBytes(
  bytes: Uint8Array,
  start: number | undefined = START_SECONDS,
): Defect | undefined {
  return reader.read(bytes, 0, bytes.length, start, emptyPayment());
}

Deno.test("a record is good if every field is", () => {
  assert.equal(defectOf({}), undefined);
});

const defects: [string, Record<string, unknown>, Defect][] = [
  ["a TRANSACTION_ID of 2^53", { TRANSACTION_ID: 2 ** 53 }, {
    reason: "out of range",
    message: "TRANSACTION_ID 9007199254740992 is not in 0…9007199254740991",
  }],
  ["a TRANSACTION_ID with a fraction", { TRANSACTION_ID: 1.5 }, {
    reason: "wrong type",
    message: "TRANSACTION_ID 1.5 is not a whole number",
  }],
  ["a CUSTOMER_ID of 2^31", { CUSTOMER_ID: 2 ** 31 }, {
    reason: "out of range",
    message: "CUSTOMER_ID 2147483648 is not in 0…2147483647",
  }],
  ["a negative TERMINAL_ID", { TERMINAL_ID: -1 }, {
    reason: "out of range",
    message: "TERMINAL_ID -1 is not in 0…2147483647",
  }],
  ["a CUSTOMER_ID that is no plain number", { CUSTOMER_ID: "0596" }, {
    reason: "wrong type",
    message: 'CUSTOMER_ID "0596" is not a whole number',
  }],
  ["a CUSTOMER_ID that is null", { CUSTOMER_ID: null }, {
    reason: "wrong type",
    message: "CUSTOMER_ID null is not a whole number",
  }],
  ["no TERMINAL_ID", { TERMINAL_ID: undefined }, {
    reason: "missing field",
    message: "TERMINAL_ID is missing",
  }],
  ["a negative TX_AMOUNT", { TX_AMOUNT: -0.01 }, {
    reason: "out of range",
    message: "TX_AMOUNT -0.01 is not in 0…1000000000",
  }],
  ["a TX_AMOUNT above the greatest", { TX_AMOUNT: 1_000_000_000.01 }, {
    reason: "out of range",
    message: "TX_AMOUNT 1000000000.01 is not in 0…1000000000",
  }],
  ["a TX_AMOUNT with half a cent", { TX_AMOUNT: 57.165 }, {
    reason: "not whole cents",
    message: "TX_AMOUNT 57.165 is not a whole number of cents",
  }],
  ["a TX_AMOUNT 2e-6 cents off", { TX_AMOUNT: 57.16000002 }, {
    reason: "not whole cents",
    message: "TX_AMOUNT 57.16000002 is not a whole number of cents",
  }],
  ["a TX_DATETIME that is a number", { TX_DATETIME: 20180402 }, {
    reason: "wrong type",
    message: "TX_DATETIME 20180402 is not a text",
  }],
  ["30 February", { TX_DATETIME: "2018-02-30 10:17:36" }, {
    reason: "out of range",
    message: 'TX_DATETIME "2018-02-30 10:17:36" is not a date and time of ' +
      "the form 'YYYY-MM-DD HH:MM:SS'",
  }],
  ["a TX_FRAUD of 2", { TX_FRAUD: 2 }, {
    reason: "out of range",
    message: "TX_FRAUD 2 is not in 0…1",
  }],
  ["a TX_FRAUD that is yes", { TX_FRAUD: "yes" }, {
    reason: "wrong type",
    message: 'TX_FRAUD "yes" is not a whole number',
  }],
  ["a TX_TIME_DAYS of another day", { TX_TIME_DAYS: 2 }, {
    reason: "time mismatch",
    message: "TX_TIME_DAYS 2 is not the day of TX_TIME_SECONDS 123456",
  }],
  ["a TX_TIME_SECONDS of another second", { TX_TIME_SECONDS: 123_457 }, {
    reason: "time mismatch",
    message: "TX_TIME_SECONDS 123457 after the start 2018-04-01 00:00:00 is " +
      "not TX_DATETIME 2018-04-02 10:17:36",
  }],
];

for (const [name, changed, defect] of defects) {
  Deno.test(`a record with ${name} is refused: ${defect.reason}`, () => {
    assert.deepEqual(defectOf(changed), defect);
  });
}

/** The same payment in other words, and how its record differs from GOOD. */
const spellings: [string, Record<string, unknown>][] = [
  ["every number as text", {
    TRANSACTION_ID: "11",
    CUSTOMER_ID: "596",
    TERMINAL_ID: "3156",
    TX_AMOUNT: "57.16",
    TX_TIME_SECONDS: "123456",
    TX_TIME_DAYS: "1",
    TX_FRAUD: "1",
    TX_FRAUD_SCENARIO: "2",
  }],
  ["zeros behind the point", { TX_AMOUNT: "57.160", TX_TIME_DAYS: "1.0" }],
  ["an exponent", { TX_AMOUNT: "5716e-2", CUSTOMER_ID: "5.96e2" }],
  ["a label that is true", { TX_FRAUD: true }],
  ["a label that is True", { TX_FRAUD: "True" }],
  ["ISO 8601", { TX_DATETIME: "2018-04-02T10:17:36Z" }],
  ["ISO 8601 with an offset", { TX_DATETIME: "2018-04-02T12:17:36+02:00" }],
  ["ISO 8601 west of UTC", { TX_DATETIME: "2018-04-02 05:47:36-0430" }],
  ["a fraction of a second", { TX_DATETIME: "2018-04-02 10:17:36.999999" }],
  ["a time without seconds", { TX_DATETIME: "2018-04-02 10:17" }],
  ["UTC in letters", { TX_DATETIME: "2018-04-02 10:17:36 UTC" }],
  ["seconds since 1970", { TX_DATETIME: 1_522_664_256 }],
  ["milliseconds since 1970", { TX_DATETIME: 1_522_664_256_999 }],
  ["microseconds as text", { TX_DATETIME: "1522664256999999" }],
  ["nanoseconds as text", { TX_DATETIME: "1522664256999999999" }],
];

for (const [name, changed] of spellings) {
  Deno.test(`a record with ${name} is the same payment`, () => {
    const bytes = encoder.encode(
      JSON.stringify({ ...fieldsOf(GOOD), ...changed }),
    );
    assert.deepEqual(read(bytes, START_SECONDS), { row: GOOD });
  });
}

/** Values that are ambiguous, or exact in no reading. */
const inexact: [string, unknown][] = [
  ["TRANSACTION_ID", "9007199254740993"],
  ["TRANSACTION_ID", "9007199254740990.25"],
  ["TRANSACTION_ID", "0x11"],
  ["TRANSACTION_ID", " 11"],
  ["TRANSACTION_ID", ""],
  ["CUSTOMER_ID", "596.5"],
  ["CUSTOMER_ID", true],
  ["TX_AMOUNT", "57,16"],
  ["TX_AMOUNT", "1.005"],
  ["TX_AMOUNT", "1,000.50"],
  ["TX_AMOUNT", "NaN"],
  ["TX_AMOUNT", "$57.16"],
  ["TX_FRAUD", "t"],
  ["TX_DATETIME", "03/04/2018 10:17:36"],
  ["TX_DATETIME", "2018-04-02"],
  ["TX_DATETIME", "20180402"],
  ["TX_DATETIME", "20180402101736"],
  ["TX_DATETIME", 43_192.428],
  ["TX_DATETIME", "2018-04-02 24:00:00"],
  ["TX_DATETIME", "2018-04-02 10:17:60"],
  ["TX_DATETIME", "2018-04-02T10:17:36+25:00"],
  ["TX_DATETIME", "2018-04-02 10:17:36 CET"],
  ["TX_DATETIME", "2018-4-2 10:17:36"],
  ["TX_DATETIME", "0001-01-01T00:00:00+01:00"],
];

for (const [field, value] of inexact) {
  Deno.test(`a record with ${field} ${JSON.stringify(value)} is refused`, () => {
    const defect = defectOf({ [field]: value });
    assert.ok(defect?.message.startsWith(`${field} `), String(defect?.message));
  });
}

Deno.test("fillPayment() refuses a TX_AMOUNT that is not a number", () => {
  const values = Object.values(fieldsOf(GOOD));
  values[4] = NaN;
  assert.deepEqual(
    fillPayment(values, START_SECONDS, emptyPayment()),
    { reason: "wrong type", message: "TX_AMOUNT NaN is not a number" },
  );
});

Deno.test("a time of another day is refused only where the start is known", () => {
  const another = { TX_DATETIME: "2018-04-09 10:17:36" };
  assert.equal(defectOf(another)?.reason, "time mismatch");
  const row = encoder.encode(JSON.stringify({ ...fieldsOf(GOOD), ...another }));
  assert.equal(
    reader.read(row, 0, row.length, undefined, emptyPayment()),
    undefined,
  );
});

Deno.test("another time of day is refused even where the start is unknown", () => {
  const text = JSON.stringify({
    ...fieldsOf(GOOD),
    TX_DATETIME: "2018-04-02 10:17:37",
  });
  const bytes = encoder.encode(text);
  assert.deepEqual(
    reader.read(bytes, 0, bytes.length, undefined, emptyPayment()),
    {
      reason: "time mismatch",
      message: "TX_TIME_SECONDS 123456 has another time of day than " +
        "TX_DATETIME 2018-04-02 10:17:37",
    },
  );
});

Deno.test("a record is read up to the greatest length and refused beyond", () => {
  const record = (length: number) => {
    const text = jsonOf(GOOD);
    return encoder.encode(text + " ".repeat(length - text.length));
  };
  assert.equal(defectOfBytes(record(RECORD_BYTES_MAX)), undefined);
  assert.deepEqual(defectOfBytes(record(RECORD_BYTES_MAX + 1)), {
    reason: "out of range",
    message: "a record of 65537 bytes; the longest that is read has 65536",
  });
});

Deno.test("what is no JSON object is refused as not JSON", () => {
  const broken: (string | Uint8Array)[] = [
    "",
    "{",
    "null",
    "[]",
    "17",
    '"text"',
    jsonOf(GOOD) + jsonOf(GOOD),
    Uint8Array.from([0xff, 0xfe]),
  ];
  for (const record of broken) {
    const bytes = typeof record === "string" ? encoder.encode(record) : record;
    const defect = defectOfBytes(bytes);
    assert.equal(defect?.reason, "not JSON", String(record));
    // People see it behind the reason.
    assert.match(defect?.message ?? "", /^(?!not JSON)./);
  }
});

Deno.test("a record with a byte that is no UTF-8 is refused even in a key of no interest", () => {
  const text = jsonOf(GOOD).slice(0, -1) + ',"NOTE":"?"}';
  const bytes = encoder.encode(text);
  bytes[bytes.indexOf(63)] = 0xff;
  assert.equal(defectOfBytes(bytes)?.reason, "not JSON");
});

Deno.test("a message shows long values in part only", () => {
  const defect = defectOf({ CUSTOMER_ID: "x".repeat(1000) });
  assert.ok(defect);
  assert.ok(defect.message.length < 120, defect.message);
});
