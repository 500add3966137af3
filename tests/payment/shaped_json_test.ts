import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import {
  recordFields,
  ShapedJsonReader,
  ShapedJsonWriter,
} from "../../src/payment/payment_json.ts";
import type { PaymentShape } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { START_SECONDS } from "./rows.ts";
import {
  objectOf,
  type PaymentObject,
  paymentsOf,
  rowOf,
  shapes,
} from "./shapes.ts";

const shaped = shapes.chain((shape) =>
  fc.record({ shape: fc.constant(shape), payment: paymentsOf(shape) })
);
const SAMPLE: PaymentShape = {
  transactionId: "text",
  customerId: "text",
  terminalId: "number",
  decimals: 2,
  currency: null,
  refunds: false,
  hasFraud: true,
  hasScenario: false,
  hasLabels: false,
  kept: [{ name: "category", type: "text" }, { name: "city", type: "number" }],
};
const PAYMENT: PaymentObject = {
  TRANSACTION_ID: "t1",
  TX_DATETIME: "2018-04-01 00:00:07",
  CUSTOMER_ID: "4111111111111111119",
  TERMINAL_ID: 5,
  TX_AMOUNT: 1.25,
  TX_TIME_SECONDS: 7,
  TX_TIME_DAYS: 0,
  TX_FRAUD: 0,
  category: "café",
  city: null,
};

function read(
  shape: PaymentShape,
  text: string | Uint8Array,
): PaymentObject | string {
  const bytes = typeof text === "string"
    ? new TextEncoder().encode(text)
    : text;
  const beside = new Uint8Array(bytes.length + 9).fill(48);
  beside.set(bytes, 4);
  const reader = new ShapedJsonReader(shape);
  const defect = reader.read(beside, 4, 4 + bytes.length, START_SECONDS);
  return defect?.reason ?? objectOf(shape, reader.cells, reader.texts);
}

function written(shape: PaymentShape, payment: PaymentObject, rest = "") {
  const heap = new TextHeap();
  const cells = Float64Array.from([0, 0, ...rowOf(shape, payment, heap)]);
  const writer = new ByteWriter(16);
  const json = new ShapedJsonWriter(shape);
  json.write(writer, cells, 2, heap, rest);
  return new TextDecoder().decode(writer.view());
}

Deno.test("a payment of any shape is written as JSON.stringify writes it, and read back", () => {
  fc.assert(
    fc.property(shaped, ({ shape, payment }) => {
      const json = written(shape, payment);
      assert.equal(json, JSON.stringify(payment));
      assert.deepEqual(read(shape, json), payment);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a payment of any shape is read in any spelling, whatever else its record holds", () => {
  const rest = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(shaped, rest, fc.nat(), ({ shape, payment }, rest, turn) => {
      const names = recordFields(shape).map(({ name }) => name);
      const more = Object.entries(rest).filter(([name]) =>
        !names.includes(name)
      );
      const members = JSON.stringify(Object.fromEntries(more)).slice(1, -1);
      assert.deepEqual(read(shape, written(shape, payment, members)), payment);
      const entries = [...Object.entries(payment), ...more];
      const at = turn % entries.length;
      const turned = [...entries.slice(at), ...entries.slice(0, at)];
      const spelled = JSON.stringify(Object.fromEntries(turned), null, 1)
        .replace(
          /"(?:[^"\\]|\\.)*"/g,
          (text) => text.replace(/a/g, "\\u0061"),
        );
      assert.deepEqual(read(shape, spelled), payment);
    }),
    { numRuns: 500 },
  );
});

Deno.test("no changed byte is read as anything but what JSON.parse reads", () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), {
    minLength: 1,
    maxLength: 2,
  });
  fc.assert(
    fc.property(shaped, changes, ({ shape, payment }, changes) => {
      const bytes = new TextEncoder().encode(
        written(shape, payment, '"more":"x\\n","n":[1,-2.5e3,null]'),
      );
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      const found = read(shape, bytes);
      if (typeof found === "string") return;
      const decoder = new TextDecoder("utf-8", { fatal: true });
      const value = JSON.parse(decoder.decode(bytes));
      for (const [name, field] of Object.entries(found)) {
        if (typeof value[name] !== typeof field) continue; // another spelling
        // A time may be spelled in more than one way.
        if (typeof field === "string" && /^\d{4}-/.test(field)) continue;
        const same = typeof field === "number" ? value[name] + 0 : value[name];
        assert.deepEqual(same, field, name);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("numbers of any digits are read as text ids, as they are written", () => {
  for (const id of ["4111111111111111119", "7", "9007199254740993"]) {
    const json = JSON.stringify(PAYMENT).replace('"4111111111111111119"', id);
    assert.deepEqual(read(SAMPLE, json), { ...PAYMENT, CUSTOMER_ID: id });
  }
});

Deno.test("what breaks a rule is refused with its reason", () => {
  const wrong: [string, unknown, string][] = [
    ["CUSTOMER_ID", "", "wrong type"],
    ["CUSTOMER_ID", null, "missing field"],
    ["CUSTOMER_ID", 1.5, "wrong type"],
    ["CUSTOMER_ID", "x".repeat(129), "out of range"],
    ["CUSTOMER_ID", "😀".repeat(33), "out of range"],
    ["CUSTOMER_ID", "a\tb", "out of range"],
    ["CUSTOMER_ID", "a\u0085b", "out of range"],
    ["CUSTOMER_ID", "a\uFFFDb", "out of range"],
    ["CUSTOMER_ID", "\ud800", "out of range"],
    ["TERMINAL_ID", "five", "wrong type"],
    ["TERMINAL_ID", 2 ** 53, "out of range"],
    ["TX_AMOUNT", -1, "out of range"],
    ["TX_AMOUNT", 1.255, "not whole minor units"],
    ["category", "x\0", "out of range"],
    ["category", "x".repeat(1025), "out of range"],
    ["city", "many", "wrong type"],
    ["TX_TIME_DAYS", 1, "time mismatch"],
  ];
  for (const [name, value, reason] of wrong) {
    const json = JSON.stringify({ ...PAYMENT, [name]: value });
    assert.equal(read(SAMPLE, json), reason, `${name} ${value}`);
  }
  assert.equal(
    read(SAMPLE, JSON.stringify({ ...PAYMENT, TX_AMOUNT: undefined })),
    "missing field",
  );
});

Deno.test("a kept field that is missing or empty is null, and of a repeated key the last counts", () => {
  const { category: _, ...lacking } = PAYMENT;
  const none = { ...PAYMENT, category: null };
  assert.deepEqual(read(SAMPLE, JSON.stringify(lacking)), none);
  assert.deepEqual(
    read(SAMPLE, JSON.stringify({ ...PAYMENT, category: "" })),
    none,
  );
  const twice = JSON.stringify(PAYMENT).slice(0, -1) + ',"TX_AMOUNT":2}';
  assert.deepEqual(read(SAMPLE, twice), { ...PAYMENT, TX_AMOUNT: 2 });
});
