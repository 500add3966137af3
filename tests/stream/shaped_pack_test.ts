/** Packs of streams with a definition: texts beside the rows, and everything that can be wrong with them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import {
  hasText,
  type PaymentShape,
  textCells,
} from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import {
  keptPlace,
  PackBuilder,
  packTexts,
  packWidth,
  readPack,
} from "../../src/stream/pack.ts";
import {
  objectOf,
  type PaymentObject,
  paymentsOf,
  rowOf,
  shapes,
} from "../payment/shapes.ts";

const FEATURES = { ...HANDBOOK_FEATURES, windowDays: [1, 7] };
const KEPT = keptPlace(FEATURES);

const packed = shapes.chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    rows: fc.array(paymentsOf(shape), { minLength: 1, maxLength: 100 }),
  })
);
const textShape: PaymentShape = {
  transactionId: "text",
  customerId: "text",
  terminalId: "text",
  decimals: 2,
  currency: null,
  refunds: true,
  hasFraud: true,
  hasScenario: false,
  hasLabels: false,
  kept: [{ name: "category", type: "text" }],
};
const textRows = fc.array(paymentsOf(textShape), {
  minLength: 1,
  maxLength: 20,
});

function packOf(
  shape: PaymentShape,
  rows: readonly PaymentObject[],
  builder = new PackBuilder(FEATURES, 3, shape),
): Uint8Array {
  for (const row of rows) {
    const heap = new TextHeap();
    heap.addText("something before");
    const at = builder.next();
    builder.cells.set(rowOf(shape, row, heap, KEPT), at);
    builder.takeTexts(at, heap);
  }
  return builder.bytes();
}

function rowsOf(
  shape: PaymentShape,
  bytes: Uint8Array,
): PaymentObject[] | string {
  const cells = readPack(bytes, FEATURES, shape);
  if (typeof cells === "string") return cells;
  const heap = new TextHeap(packTexts(bytes));
  const width = packWidth(FEATURES, shape);
  const rows: PaymentObject[] = [];
  for (let at = 0; at < cells.length; at += width) {
    rows.push(objectOf(shape, cells.subarray(at, at + width), heap, KEPT));
  }
  return rows;
}

Deno.test("rows of any shape come out of a pack as they went in, also from a builder used again", () => {
  fc.assert(fc.property(packed, ({ shape, rows }) => {
    const builder = new PackBuilder(FEATURES, 3, shape);
    for (let turn = 0; turn < 2; turn++) {
      builder.clear();
      const bytes = packOf(shape, rows, builder);
      assert.deepEqual(rowsOf(shape, bytes), rows);
      const shifted = new Uint8Array(bytes.length + 3);
      shifted.set(bytes, 3);
      assert.deepEqual(rowsOf(shape, shifted.subarray(3)), rows);
    }
  }));
});

Deno.test("a pack is full by its texts, too", () => {
  const builder = new PackBuilder(FEATURES, 0, textShape);
  const heap = new TextHeap();
  let rows = 0;
  for (; !builder.isFull; rows++) {
    const at = builder.next();
    builder.cells[at] = heap.addText("x".repeat(128));
    builder.takeTexts(at, heap);
    heap.clear();
  }
  assert.ok(builder.bytes().length < 300_000 && rows > 500, `${rows}`);
});

Deno.test("a pack whose reference to a text is damaged is refused", () => {
  const [rows] = fc.sample(textRows, { numRuns: 1, seed: 5 });
  const good = packOf(textShape, rows);
  const texts = packTexts(good).length;
  const bad = [NaN, -1, -2, 0.5, 1e300, Infinity, 2048 * texts + 1, 0, 1025];
  for (const cell of textCells(textShape, KEPT)) {
    for (const value of bad) {
      if (cell === KEPT && value === -1) continue; // no text
      const bytes = good.slice();
      new DataView(bytes.buffer).setFloat64(24 + 8 * cell, value, true);
      const found = rowsOf(textShape, bytes);
      assert.match(String(found), /row 0 of the pack has a value out of its/);
    }
  }
});

Deno.test("a pack whose texts are cut, or not UTF-8, or cut a character, is refused", () => {
  const row = { ...fc.sample(paymentsOf(textShape), 1)[0], category: "é" };
  const good = packOf(textShape, [row]);
  assert.deepEqual(rowsOf(textShape, good), [row]);
  assert.equal(typeof rowsOf(textShape, good.subarray(0, -1)), "string");
  const broken = good.slice();
  broken[broken.length - 1] = 0xff;
  assert.equal(typeof rowsOf(textShape, broken), "string");
  const inside = good.slice();
  const view = new DataView(inside.buffer);
  const at = 24 + 8 * KEPT;
  view.setFloat64(at, view.getFloat64(at, true) - 1, true);
  assert.equal(typeof rowsOf(textShape, inside), "string");
});

Deno.test("a pack of one form is none of another", () => {
  const [rows] = fc.sample(textRows, { numRuns: 1, seed: 6 });
  const bytes = packOf(textShape, rows);
  assert.equal(readPack(bytes, FEATURES), "not a pack");
  const numbers = { ...textShape, kept: [] } as PaymentShape;
  assert.match(String(readPack(bytes, FEATURES, numbers)), /rows of/);
});

Deno.test("no changed byte makes readPack() throw, or lets a row refer beyond the texts", () => {
  fc.assert(
    fc.property(packed, fc.nat(), fc.nat(255), ({ shape, rows }, at, byte) => {
      const bytes = packOf(shape, rows).slice();
      bytes[at % bytes.length] = byte;
      const found = rowsOf(shape, bytes);
      if (typeof found === "string" || !hasText(shape)) return;
      const { length } = packTexts(bytes);
      for (const row of found) {
        for (const value of Object.values(row)) {
          assert.ok(String(value).length <= Math.max(length, 30));
        }
      }
    }),
    { numRuns: 1000 },
  );
});
