/** Arbitrary shapes of payments, and payments of them, for property tests. */
import fc from "fast-check";
import { formatDatetime } from "../../src/payment/calendar.ts";
import {
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../src/payment/payment_cells.ts";
import { recordFields } from "../../src/payment/payment_json.ts";
import { type PaymentShape } from "../../src/payment/payment_shape.ts";
import type { Field } from "../../src/payment/record_field.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { START_SECONDS } from "./rows.ts";

const idKind = fc.constantFrom("number", "text") as fc.Arbitrary<
  "number" | "text"
>;

/** Shapes of any kind. */
export const shapes: fc.Arbitrary<PaymentShape> = fc.record({
  transactionId: idKind,
  customerId: idKind,
  terminalId: idKind,
  decimals: fc.nat(4),
  currency: fc.constantFrom(null, "USD"),
  refunds: fc.boolean(),
  hasFraud: fc.boolean(),
  hasScenario: fc.boolean(),
  hasLabels: fc.boolean(),
  kept: fc.array(
    fc.constantFrom("text", "number", "flag", "time") as fc.Arbitrary<
      "text" | "number" | "flag" | "time"
    >,
    { maxLength: 4 },
  ).map((types) => types.map((type, i) => ({ name: `kept${i}`, type }))),
}, { noNullPrototype: true }).map((shape) =>
  shape.hasLabels ? { ...shape, hasFraud: false, hasScenario: false } : shape
);

const ENCODER = new TextEncoder();

/** A text without what the rules refuse, of 1 to `max` bytes. */
function texts(max: number, refused: RegExp): fc.Arbitrary<string> {
  const characters = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(..."azAZ09 -_.") },
    fc.constantFrom(..."\"\\/é中😀€'{},:", "\u2028", "\u00a0"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  return fc.oneof(
    fc.array(characters, { minLength: 1, maxLength: max }).map((found) => {
      let text = "";
      for (const character of found) {
        if (refused.test(character)) continue;
        const longer = text + character;
        if (ENCODER.encode(longer).length > max) break;
        text = longer;
      }
      return text || "x";
    }),
    fc.constantFrom("4111111111111111119", "0", "007", "x".repeat(max)),
    fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String),
  );
}

const ids = texts(128, /[\p{Cc}\p{Cs}\uFFFD]/u);
const keptTexts = texts(1024, /[\0\p{Cs}]/u);
const wholes = fc.oneof(
  fc.nat(1000),
  fc.maxSafeNat(),
  fc.constantFrom(2 ** 53 - 1, 2 ** 31, 2 ** 32 + 1),
);
const numbers = fc.double({ noNaN: true, noDefaultInfinity: true })
  .map((number) => number + 0);

/** A payment as an object of JSON values, as its record has them. */
export type PaymentObject = Readonly<Record<string, string | number | null>>;

/** Payments of a shape, of a stream that began at START_SECONDS. */
export function paymentsOf(shape: PaymentShape): fc.Arbitrary<PaymentObject> {
  const values: Record<string, fc.Arbitrary<string | number | null>> = {
    TRANSACTION_ID: shape.transactionId === "text" ? ids : wholes,
    TX_DATETIME: fc.constant(""),
    CUSTOMER_ID: shape.customerId === "text" ? ids : wholes,
    TERMINAL_ID: shape.terminalId === "text" ? ids : wholes,
    TX_AMOUNT: fc.integer({ min: shape.refunds ? -1e11 : 0, max: 1e11 })
      .map((units) => units / 10 ** shape.decimals),
    TX_TIME_SECONDS: fc.nat(2 ** 31 - 1),
    TX_TIME_DAYS: fc.constant(0),
  };
  if (shape.hasFraud) values.TX_FRAUD = fc.constantFrom(0, 1);
  if (shape.hasScenario) values.TX_FRAUD_SCENARIO = fc.nat(2 ** 31 - 1);
  for (const { name, type } of shape.kept) {
    values[name] = fc.oneof(
      fc.constant(null),
      {
        text: keptTexts,
        number: numbers,
        flag: fc.constantFrom(0, 1),
        time: fc.nat(2 ** 32).map(formatDatetime),
      }[type],
    );
  }
  return fc.record(values, { noNullPrototype: true }).map((payment) => {
    const time = Number(payment.TX_TIME_SECONDS);
    return {
      ...payment,
      TX_DATETIME: formatDatetime(START_SECONDS + time),
      TX_TIME_DAYS: Math.floor(time / 86_400),
    };
  });
}

/** A payment's row, its kept fields from cell `keptFrom` on, the plainest way. */
export function rowOf(
  shape: PaymentShape,
  payment: PaymentObject,
  heap: TextHeap,
  keptFrom = PAYMENT_CELLS,
): number[] {
  const row = new Array(keptFrom + shape.kept.length).fill(0);
  if (!shape.hasFraud) row[6] = FRAUD_UNKNOWN;
  for (const { name, kind, cell } of recordFields(shape, keptFrom)) {
    if (kind !== "day") row[cell] = cellOf(kind, payment[name], heap);
  }
  return row;
}

function cellOf(
  kind: Field["kind"],
  value: string | number | null,
  heap: TextHeap,
): number {
  if (value === null) return kind === "keptText" ? NO_TEXT : NaN;
  if (typeof value === "number") return value;
  return kind === "datetime" || kind === "keptTime"
    ? Date.parse(value.replace(" ", "T") + "Z") / 1000
    : heap.addText(value);
}

/** A row as an object of JSON values again. */
export function objectOf(
  shape: PaymentShape,
  row: ArrayLike<number>,
  heap: TextHeap,
  keptFrom = PAYMENT_CELLS,
): PaymentObject {
  const entries = recordFields(shape, keptFrom).map(({ name, kind, cell }) => {
    const value = row[cell];
    if (kind === "day") return [name, Math.floor(value / 86_400)] as const;
    if (kind === "text" || kind === "keptText") {
      return [name, heap.text(value)] as const;
    }
    if (Number.isNaN(value)) return [name, null] as const;
    const isTime = kind === "datetime" || kind === "keptTime";
    return [name, isTime ? formatDatetime(value) : value] as const;
  });
  return Object.fromEntries(entries);
}
