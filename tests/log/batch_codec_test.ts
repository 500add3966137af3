import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeBatch,
  encodeBatch,
  encodeRecords,
  joinBatches,
} from "../../src/log/batch_codec.ts";
import {
  batchTail,
  type RecordBatch,
  RecordBatchBuilder,
} from "../../src/log/record_batch.ts";
import { builderOf, record, recordsOf, type TextRecord } from "./records.ts";

const texts: fc.Arbitrary<TextRecord> = fc.record({
  key: fc.string({ maxLength: 6, unit: "grapheme" }),
  value: fc.oneof(
    fc.string({ maxLength: 40, unit: "grapheme" }),
    fc.constant("x".repeat(1000)),
  ),
  time: fc.oneof(
    fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    fc.maxSafeInteger(),
  ),
}, { noNullPrototype: true });
/** Count, form and length of the payload. */
const HEADER_BYTES = 12;

const some = fc.array(texts, { minLength: 1, maxLength: 150 });

function decoded(data: Uint8Array, baseOffset = 0): RecordBatch {
  const batch = decodeBatch(data, baseOffset);
  assert.ok(batch);
  return batch;
}

Deno.test("a batch that is encoded decodes to the same records, small or large", () => {
  fc.assert(fc.property(some, fc.nat(2 ** 40), (records, base) => {
    const batch = decoded(encodeBatch(builderOf(records)), base);
    assert.deepEqual(recordsOf(batch), records);
    assert.deepEqual(
      [...batch.offsets],
      records.map((_, i) => base + i),
    );
  }));
});

Deno.test("a blob decodes wherever it lies in memory", () => {
  const data = encodeBatch(builderOf([record("a"), record("b")]));
  for (let shift = 0; shift < 8; shift++) {
    const memory = new Uint8Array(data.length + 8);
    memory.set(data, shift);
    const moved = memory.subarray(shift, shift + data.length);
    assert.deepEqual(decoded(moved), decoded(data));
  }
});

Deno.test("encodeRecords() makes a blob for each record, with its key", () => {
  fc.assert(fc.property(some, (records) => {
    const blobs = encodeRecords(builderOf(records));
    assert.deepEqual(
      blobs.map(({ data }) => recordsOf(decoded(data))[0]),
      records,
    );
    assert.deepEqual(
      blobs.map(({ key }) => new TextDecoder().decode(key)),
      records.map(({ key }) => key),
    );
  }));
});

Deno.test("an encoded blob is its own: the builder may be used again", () => {
  const builder = builderOf([record("first")]);
  const [{ key }] = encodeRecords(builder);
  const data = encodeBatch(builder);
  builder.clear();
  builder.add(new Uint8Array(20), new Uint8Array(20), 5);
  assert.deepEqual(recordsOf(decoded(data)), [record("first")]);
  assert.equal(new TextDecoder().decode(key), "key of first");
});

Deno.test("a blob that is cut anywhere is seen to be damaged", () => {
  for (const value of ["short", "long ".repeat(500)]) {
    const data = encodeBatch(builderOf([record(value), record("b")]));
    for (let length = 0; length < data.length; length++) {
      assert.equal(decodeBatch(data.subarray(0, length), 0), undefined);
    }
  }
});

Deno.test("a blob with changed bytes is seen to be damaged or reads within its bounds", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(
      some,
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (records, changes) => {
        const data = encodeBatch(builderOf(records));
        for (const [at, flip] of changes) data[at % data.length] ^= flip;
        const batch = decodeBatch(data, 0);
        if (!batch) return;
        const { positions, bytes, count } = batch;
        assert.equal(positions.length, 4 * count);
        for (let i = 0; i + 1 < 4 * count; i++) {
          assert.ok(positions[i] <= positions[i + 1], "positions go back");
        }
        assert.ok(count === 0 || positions[4 * count - 1] === bytes.length);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("a blob whose lengths go back and forth is seen to be damaged", () => {
  const data = encodeBatch(builderOf([{ key: "ab", value: "cd", time: 0 }]));
  const lengths = new DataView(data.buffer, HEADER_BYTES + 8, 8);
  lengths.setInt32(0, -6, true);
  lengths.setInt32(4, 10, true);
  assert.equal(decodeBatch(data, 0), undefined);
});

Deno.test("joinBatches() puts batches, and tails of batches, behind each other", () => {
  const parts = fc.array(fc.tuple(some, fc.nat()), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(fc.property(parts, (parts) => {
    let base = 0;
    const tails = parts.map(([records, skip]) => {
      const batch = decoded(encodeBatch(builderOf(records)), base);
      base += records.length + 3;
      return batchTail(batch, skip % records.length);
    });
    const joined = joinBatches(tails);
    assert.deepEqual(recordsOf(joined), tails.flatMap(recordsOf));
    assert.deepEqual(
      [...joined.offsets],
      tails.flatMap((tail) => [...tail.offsets]),
    );
  }));
});

Deno.test("a builder that is cleared starts anew", () => {
  const builder = new RecordBatchBuilder();
  builder.add(new Uint8Array(3), new Uint8Array(4), 5);
  builder.clear();
  assert.equal(builder.count, 0);
  assert.equal(builder.writer.length, 0);
  builder.add(new Uint8Array(1), new Uint8Array(2), 6);
  assert.deepEqual([...builder.lengths], [1, 2]);
  assert.deepEqual([...builder.timestamps], [6]);
});
