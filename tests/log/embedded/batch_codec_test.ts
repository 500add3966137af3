import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BatchPlace,
  decodeBatch,
  encodeBatch,
  type EncodedBatch,
  encodeRecords,
  isIntact,
  joinBatches,
  sealBatch,
  storedCheck,
} from "../../../src/log/embedded/batch_codec.ts";
import {
  batchTail,
  type RecordBatch,
  RecordBatchBuilder,
} from "../../../src/log/record_batch.ts";
import { builderOf, record, recordsOf, type TextRecord } from "../records.ts";

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
/** Count, form, length of the payload and checksum. */
const HEADER_BYTES = 16;

const some = fc.array(texts, { minLength: 1, maxLength: 150 });

function placeOf(batch: EncodedBatch, base = 0): BatchPlace {
  const { count, key } = batch;
  return { topic: 3, partition: 1, base, next: base + count, key };
}

/** The sealed blob and its place. */
function sealed(batch: EncodedBatch, base = 0): [Uint8Array, BatchPlace] {
  const place = placeOf(batch, base);
  sealBatch(batch, place);
  return [batch.data, place];
}

function decoded(encoded: EncodedBatch, base = 0): RecordBatch {
  const batch = decodeBatch(...sealed(encoded, base), true);
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
  const batch = encodeBatch(builderOf([record("a"), record("b")]));
  const [data, place] = sealed(batch);
  for (let shift = 0; shift < 8; shift++) {
    const memory = new Uint8Array(data.length + 8);
    memory.set(data, shift);
    const moved = memory.subarray(shift, shift + data.length);
    assert.deepEqual(decodeBatch(moved, place, true), decoded(batch));
  }
});

Deno.test("encodeRecords() makes a blob for each record, with its key", () => {
  fc.assert(fc.property(some, (records) => {
    const blobs = encodeRecords(builderOf(records));
    assert.deepEqual(
      blobs.map((blob) => recordsOf(decoded(blob))[0]),
      records,
    );
    assert.deepEqual(
      blobs.map(({ key }) => textOf(key)),
      records.map(({ key }) => key),
    );
  }));
});

Deno.test("an encoded blob is its own: the builder may be used again", () => {
  const builder = builderOf([record("first")]);
  const [{ key }] = encodeRecords(builder);
  const batch = encodeBatch(builder);
  builder.clear();
  builder.add(new Uint8Array(20), new Uint8Array(20), 5);
  assert.deepEqual(recordsOf(decoded(batch)), [record("first")]);
  assert.equal(textOf(key), "key of first");
});

function textOf(key: Uint8Array | null): string {
  assert.ok(key);
  return new TextDecoder().decode(key);
}

/** Sealed blobs of all forms: short and long, with a key and without. */
function blobsOfAllForms(): [Uint8Array, BatchPlace][] {
  return ["short", "long ".repeat(200)].flatMap((value) => {
    const records = builderOf([record(value), record("b")]);
    return [
      sealed(encodeBatch(records), 77),
      sealed(encodeRecords(records)[0], 2 ** 40),
    ];
  });
}

Deno.test("a blob that is cut anywhere is seen to be damaged", () => {
  for (const [data, place] of blobsOfAllForms()) {
    for (let length = 0; length < data.length; length++) {
      const cut = data.subarray(0, length);
      assert.equal(decodeBatch(cut, place, true), undefined);
    }
  }
});

Deno.test("a blob with any one bit or any two bits of its header flipped is seen to be damaged", () => {
  for (const [data, place] of blobsOfAllForms()) {
    const flip = (bit: number) => data[bit >> 3] ^= 1 << (bit & 7);
    for (let bit = 0; bit < 8 * data.length; bit++) {
      flip(bit);
      for (const checked of [true, false]) {
        assert.equal(isIntact(data, place, checked), false, `bit ${bit}`);
      }
      for (let other = 0; other < bit && bit < 8 * HEADER_BYTES; other++) {
        flip(other);
        for (const checked of [true, false]) {
          assert.equal(isIntact(data, place, checked), false);
        }
        flip(other);
      }
      flip(bit);
    }
    assert.ok(isIntact(data, place, true));
  }
});

Deno.test("a blob is damaged in any place but its own", () => {
  for (const [data, place] of blobsOfAllForms()) {
    const others: Partial<BatchPlace>[] = [
      { topic: place.topic + 1 },
      { partition: place.partition - 1 },
      { base: place.base + 1, next: place.next + 1 },
      { next: place.next + 1 },
      { base: place.base - 1 },
      { key: new TextEncoder().encode("other") },
      { key: place.key ? null : new Uint8Array() },
    ];
    for (const other of others) {
      assert.equal(decodeBatch(data, { ...place, ...other }, true), undefined);
    }
  }
});

Deno.test("a blob with changed bytes is seen to be damaged", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(
      some,
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (records, changes) => {
        const [data, place] = sealed(encodeBatch(builderOf(records)));
        const before = data.slice();
        for (const [at, flip] of changes) data[at % data.length] ^= flip;
        if (data.every((byte, at) => byte === before[at])) return;
        assert.equal(decodeBatch(data, place, true), undefined);
      },
    ),
    { numRuns: 1000 },
  );
});

/** A blob as the first version of the log wrote it: a shorter header, no checksum. */
function unchecked({ data }: EncodedBatch): Uint8Array {
  const old = new Uint8Array([...data.subarray(0, 12), ...data.subarray(16)]);
  const view = new DataView(old.buffer);
  view.setUint32(4, view.getUint32(4, true) === 0xa5a5 ? 0 : 1, true);
  return old;
}

Deno.test("a blob of the first version decodes where one may be, and only there", () => {
  for (const value of ["short", "long ".repeat(200)]) {
    const records = [record(value), record("b")];
    const batch = encodeBatch(builderOf(records));
    const old = unchecked(batch);
    const place = placeOf(batch, 5);
    const found = decodeBatch(old, place, false);
    assert.deepEqual(found && recordsOf(found), records);
    assert.equal(decodeBatch(old, place, true), undefined);
    assert.equal(storedCheck(old), 0);
    const [data] = sealed(batch, 5);
    assert.equal(decodeBatch(data, place, false), undefined);
  }
});

Deno.test("a blob of the first version with changed bytes is seen to be damaged or reads within its bounds", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(
      some,
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (records, changes) => {
        const encoded = encodeBatch(builderOf(records));
        const data = unchecked(encoded);
        for (const [at, flip] of changes) data[at % data.length] ^= flip;
        const batch = decodeBatch(data, placeOf(encoded), false);
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
  const batch = encodeBatch(builderOf([{ key: "ab", value: "cd", time: 0 }]));
  const data = unchecked(batch);
  const lengths = new DataView(data.buffer, 12 + 8, 8);
  lengths.setInt32(0, -6, true);
  lengths.setInt32(4, 10, true);
  assert.equal(decodeBatch(data, placeOf(batch), false), undefined);
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
