import assert from "node:assert/strict";
import fc from "fast-check";
import { fromCells, toCells } from "../../src/payment/payment_cells.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { PackBuilder, packWidth, readPack } from "../../src/stream/pack.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";
import { payments } from "../payment/rows.ts";

const FEATURES = { ...HANDBOOK_FEATURES, windowDays: [1, 7] };
const WIDTH = packWidth(FEATURES);

interface Packed {
  row: Payment;
  totals: number[];
}

const packedRow = fc.record({
  row: payments,
  totals: fc.array(fc.maxSafeNat(), { minLength: 4, maxLength: 4 }),
}, { noNullPrototype: true });
const packedRows = fc.array(packedRow, { minLength: 1, maxLength: 150 });

function packOf(
  rows: readonly Packed[],
  builder = new PackBuilder(FEATURES, 0),
) {
  for (const { row, totals } of rows) {
    const at = builder.next();
    toCells(row, builder.cells, at);
    builder.cells.set(totals, at + 8);
  }
  return builder;
}

function rowsOf(cells: Float64Array): Packed[] {
  const rows: Packed[] = [];
  for (let at = 0; at < cells.length; at += WIDTH) {
    const row = emptyPayment();
    fromCells(cells, at, row);
    rows.push({ row, totals: [...cells.subarray(at + 8, at + WIDTH)] });
  }
  return rows;
}

function readRows(bytes: Uint8Array): Packed[] | string {
  const cells = readPack(bytes, FEATURES);
  return typeof cells === "string" ? cells : rowsOf(cells);
}

/** The bytes of a pack of one good row, with a cell of another value. */
function packWith(cell: number, value: number): Uint8Array {
  const [sample] = fc.sample(packedRow, { numRuns: 1, seed: 1 });
  const builder = packOf([sample]);
  builder.cells[cell] = value;
  return builder.bytes();
}

Deno.test("rows come out of a pack as they went in, also from a builder used again", () => {
  const builder = new PackBuilder(FEATURES, 0);
  fc.assert(fc.property(packedRows, (rows) => {
    builder.clear();
    packOf(rows, builder);
    assert.equal(builder.count, rows.length);
    assert.deepEqual(readRows(builder.bytes()), rows);
    const newest = Math.max(...rows.map(({ row }) => row.datetimeSeconds));
    assert.equal(builder.newestMs(), newest * 1000);
  }));
});

Deno.test("a pack reads wherever it lies in memory", () => {
  const [rows] = fc.sample(packedRows, { numRuns: 1, seed: 2 });
  const bytes = packOf(rows).bytes();
  for (let shift = 0; shift < 8; shift++) {
    const memory = new Uint8Array(bytes.length + 8);
    memory.set(bytes, shift);
    const moved = memory.subarray(shift, shift + bytes.length);
    assert.deepEqual(readRows(moved), rows);
  }
});

Deno.test("what is no pack is refused with a sentence", () => {
  const [rows] = fc.sample(packedRows, { numRuns: 1, seed: 3 });
  const good = packOf(rows).bytes().slice();
  const changed = (at: number, value: number) => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint32(at, value, true);
    return bytes;
  };
  const bad: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /shorter than a pack's header/],
    [good.subarray(0, 15), /shorter than a pack's header/],
    [new TextEncoder().encode('{"TRANSACTION_ID":1}'), /not a pack/],
    [changed(0, 1), /not a pack/],
    [changed(4, 0), /bytes that should hold 0 rows/],
    [changed(4, 2 ** 32 - 1), /should hold 4294967295 rows/],
    [changed(8, WIDTH + 2), new RegExp(`rows of ${WIDTH + 2} numbers`)],
    [good.subarray(0, good.length - 1), /bytes that should hold/],
  ];
  for (const [bytes, sentence] of bad) {
    const read = readPack(bytes, FEATURES);
    assert.equal(typeof read, "string");
    assert.match(String(read), sentence);
  }
});

const CELLS = [
  "TRANSACTION_ID",
  "TX_DATETIME",
  "CUSTOMER_ID",
  "TERMINAL_ID",
  "TX_AMOUNT",
  "TX_TIME_SECONDS",
  "TX_FRAUD",
  "TX_FRAUD_SCENARIO",
  "count",
];

for (const [cell, name] of CELLS.entries()) {
  Deno.test(`a pack whose ${name} is no value of its kind is refused`, () => {
    const values = [NaN, Infinity, -1e15, 2 ** 53, 0.123456789, 1e300];
    for (const value of values) {
      assert.match(
        String(readPack(packWith(cell, value), FEATURES)),
        /row 0 of the pack has a value out of its range/,
        `${value}`,
      );
    }
  });
}

Deno.test("a pack whose date no calendar holds is refused", () => {
  const first = Date.parse("0001-01-01T00:00:00Z") / 1000;
  const last = Date.parse("9999-12-31T23:59:59Z") / 1000;
  for (const seconds of [first, last]) {
    assert.notEqual(typeof readPack(packWith(1, seconds), FEATURES), "string");
  }
  for (const seconds of [first - 1, last + 1, 1e15, -1e15]) {
    assert.equal(typeof readPack(packWith(1, seconds), FEATURES), "string");
  }
});

Deno.test("a pack whose TX_FRAUD is neither 0 nor 1 is refused", () => {
  assert.equal(typeof readPack(packWith(6, 2), FEATURES), "string");
});

Deno.test("random bytes are never a pack, and no changed byte makes readPack() throw", () => {
  fc.assert(fc.property(packedRows, fc.nat(), fc.nat(255), (rows, at, byte) => {
    const bytes = packOf(rows).bytes();
    bytes[at % bytes.length] = byte;
    readPack(bytes, FEATURES);
    const random = bytes.slice(16);
    assert.equal(typeof readPack(random.subarray(0, 16), FEATURES), "string");
  }));
});
