import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import KafkajsDecoder from "kafkajs/src/protocol/decoder.js";
import kafkajsEncoding from "kafkajs/src/protocol/recordBatch/v0/index.js";
import decodeByKafkajs from "kafkajs/src/protocol/recordBatch/v0/decoder.js";
import encodeRecordByKafkajs from "kafkajs/src/protocol/recordBatch/record/v0/index.js";
import { LogError } from "../../../src/base/error.ts";
import {
  type AbortedTransaction,
  decodeBatches,
  encodeBatches,
} from "../../../src/log/kafka/kafka_records.ts";
import {
  batchHead,
  batchTail,
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../../src/log/record_batch.ts";
import {
  batchBytes,
  COMPRESSIONS,
  CONTROL,
  endMarker,
  joined,
  seal,
  textBatch,
  TRANSACTIONAL,
  transactionBatch,
} from "./kafka_batches.ts";
import {
  concatenated,
  lz4Frame,
  zstdFrame,
} from "./compression/compressed_frames.ts";
import { builderOf, recordsOf, type TextRecord, valuesOf } from "../records.ts";

const PLACE = "payments partition 3";
const PRODUCER = { producerId: 7n, epoch: 2, sequence: 0 };
const HEADER_BYTES = 61;
/** Where what the checksum covers begins. */
const COVERED_FROM = 21;

const texts: fc.Arbitrary<TextRecord> = fc.record({
  key: fc.string({ maxLength: 6, unit: "grapheme" }),
  value: fc.oneof(
    fc.string({ maxLength: 40, unit: "grapheme" }),
    fc.constant("x".repeat(1000)),
  ),
  time: fc.oneof(
    fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    fc.nat(3),
  ),
}, { noNullPrototype: true });
const some = fc.array(texts, { minLength: 1, maxLength: 150 });
const headers = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,9}$/),
  fc.string({ maxLength: 70, unit: "grapheme" }),
  { maxKeys: 4, noNullPrototype: true },
);

function decoded(
  bytes: Uint8Array,
  from = 0,
  aborted: AbortedTransaction[] = [],
): RecordBatch {
  return decodeBatches({ bytes, aborted }, from, PLACE);
}

/** Writes what the broker does: the offsets. */
function withOffsets(
  batches: readonly { count: number; bytes: Uint8Array }[],
  base: number,
): Uint8Array {
  let offset = base;
  for (const { count, bytes } of batches) {
    new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(0, BigInt(offset));
    offset += count;
  }
  return joined(...batches.map(({ bytes }) => bytes));
}

function isAbout(text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LogError, String(error));
    assert.match(error.message, text);
    assert.ok(error.message.includes(PLACE), error.message);
    return true;
  };
}

Deno.test("records that are encoded decode to the same, whatever the size of the batches", () => {
  const offsets = fc.nat(2 ** 40);
  const sizes = fc.integer({ min: 1, max: 4000 });
  fc.assert(
    fc.property(
      some,
      headers,
      offsets,
      sizes,
      (records, headers, base, max) => {
        const batches = encodeBatches(
          builderOf(records),
          PRODUCER,
          max,
          headers,
        );
        const batch = decoded(withOffsets(batches, base), base);
        assert.deepEqual(recordsOf(batch), records);
        assert.deepEqual([...batch.offsets], records.map((_, i) => base + i));
        assert.equal(batch.next, base + records.length);
      },
    ),
  );
});

Deno.test("kafkajs reads what is encoded: records, headers, producer", async () => {
  await fc.assert(
    fc.asyncProperty(some, headers, async (records, headers) => {
      const [{ bytes }] = encodeBatches(
        builderOf(records),
        { ...PRODUCER, sequence: 5 },
        2 ** 30,
        headers,
      );
      const found = await decodeByKafkajs(
        new KafkajsDecoder(Buffer.from(bytes)),
      );
      assert.equal(found.inTransaction, true);
      assert.equal(found.isControlBatch, false);
      assert.equal(found.producerId, "7");
      assert.equal(found.producerEpoch, 2);
      assert.equal(found.firstSequence, 5);
      assert.equal(found.lastOffsetDelta, records.length - 1);
      const latest = records.reduce(
        (max, { time }) => Math.max(max, time),
        -Infinity,
      );
      assert.equal(found.maxTimestamp, String(latest));
      const theirs = found.records.map(
        (record: Record<string, unknown>): unknown => ({
          key: String(record.key ?? ""),
          value: String(record.value),
          time: Number(record.timestamp),
        }),
      );
      assert.deepEqual(theirs, records);
      for (const record of found.records) {
        const entries = Object.entries(record.headers);
        assert.deepEqual(
          entries.map(([name, value]) => [name, String(value)]),
          Object.entries(headers),
        );
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("what kafkajs encodes is read, plain and by gzip", async () => {
  const codecs = fc.constantFrom(0, 1);
  await fc.assert(
    fc.asyncProperty(some, headers, codecs, async (records, headers, codec) => {
      const { time: firstTimestamp } = records[0];
      const encoded = await kafkajsEncoding.RecordBatch({
        compression: codec,
        firstTimestamp,
        maxTimestamp: firstTimestamp,
        lastOffsetDelta: records.length - 1,
        records: records.map(({ key, value, time }, offsetDelta) =>
          encodeRecordByKafkajs({
            offsetDelta,
            timestampDelta: time - firstTimestamp,
            key: key === "" ? null : Buffer.from(key),
            value: Buffer.from(value),
            headers,
          })
        ),
      });
      assert.deepEqual(recordsOf(decoded(encoded.buffer)), records);
    }),
    { numRuns: 40 },
  );
});

Deno.test("batches by size keep the order and count the sequence on, round the end of its numbers", () => {
  const sizes = fc.integer({ min: 1, max: 3000 });
  const sequences = fc.oneof(
    fc.nat(1000),
    fc.integer({ min: 2 ** 31 - 100, max: 2 ** 31 - 1 }),
  );
  fc.assert(fc.property(some, sizes, sequences, (records, max, sequence) => {
    const batches = encodeBatches(
      builderOf(records),
      { ...PRODUCER, sequence },
      max,
    );
    let expected = sequence;
    let taken = 0;
    for (const { count, bytes } of batches) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      assert.equal(view.getInt32(53), expected);
      assert.ok(count === 1 || bytes.length <= max, `${bytes.length} > ${max}`);
      assert.deepEqual(
        recordsOf(decoded(bytes)),
        records.slice(taken, taken + count),
      );
      taken += count;
      // Kafka counts from 2^31 - 1 on at 0.
      expected = expected + count > 2 ** 31 - 1
        ? expected + count - 2 ** 31
        : expected + count;
    }
    assert.equal(taken, records.length);
  }));
});

Deno.test("decoding begins at any offset, also in the middle of a batch", () => {
  const bytes = joined(
    textBatch(10, ["a", "b", "c"]),
    textBatch(13, ["d"]),
    textBatch(14, ["e", "f"]),
  );
  const all = ["a", "b", "c", "d", "e", "f"];
  for (let from = 5; from <= 16; from++) {
    const batch = decoded(bytes, from);
    assert.deepEqual(valuesOf(batch), all.slice(Math.max(0, from - 10)));
    assert.equal(batch.offsets.length, batch.count);
    assert.equal(batch.next, 16);
  }
  assert.equal(decoded(bytes, 20).next, 20);
});

Deno.test("records that compaction has removed leave gaps, a batch without any is passed over", () => {
  const value = new TextEncoder().encode("left");
  const batch = decoded(joined(
    batchBytes({
      baseOffset: 0,
      records: [{ key: null, value, offsetDelta: 3 }],
      lastOffsetDelta: 5,
    }),
    batchBytes({ baseOffset: 6, records: [], lastOffsetDelta: 9 }),
  ));
  assert.deepEqual([...batch.offsets], [3]);
  assert.equal(batch.next, 16);
});

Deno.test("null and empty are the same for keys and values", () => {
  const empty = new Uint8Array(0);
  const batch = decoded(batchBytes({
    baseOffset: 0,
    records: [
      { key: null, value: null, offsetDelta: 0 },
      { key: empty, value: empty, offsetDelta: 1 },
    ],
  }));
  assert.deepEqual(recordsOf(batch), [
    { key: "", value: "", time: 0 },
    { key: "", value: "", time: 0 },
  ]);
});

Deno.test("a last batch that is cut off is left for the next reading", () => {
  const whole = textBatch(0, ["a", "b"]);
  const last = textBatch(2, ["c", "d"]);
  for (let cut = 0; cut < last.length; cut++) {
    const batch = decoded(joined(whole, last.subarray(0, cut)));
    assert.deepEqual(valuesOf(batch), ["a", "b"]);
    assert.equal(batch.next, 2);
  }
  assert.equal(decoded(new Uint8Array(0), 9).next, 9);
});

Deno.test("a first batch that is cut off is damaged: brokers send one whole", () => {
  const batch = textBatch(0, ["a", "b"]);
  for (const length of [1, 30, HEADER_BYTES, batch.length - 1]) {
    assert.throws(
      () => decoded(batch.subarray(0, length)),
      isAbout(/is damaged: its length is wrong/),
    );
  }
});

Deno.test("transactions that were given up are left out, in parts and among others", () => {
  const bytes = joined(
    transactionBatch(0, ["kept by 1"], 1n),
    transactionBatch(1, ["given up by 2"], 2n),
    textBatch(2, ["without transaction"]),
    transactionBatch(3, ["also kept by 1"], 1n),
    transactionBatch(4, ["given up by 2 as well"], 2n),
    endMarker(5, 2n, "abort"),
    transactionBatch(6, ["kept by 2"], 2n),
    endMarker(7, 1n, "commit"),
    endMarker(8, 2n, "commit"),
    transactionBatch(9, ["given up by 1"], 1n),
    endMarker(10, 1n, "abort"),
  );
  const aborted = [
    { producerId: 1n, firstOffset: 9 },
    { producerId: 2n, firstOffset: 1 },
  ];
  const batch = decoded(bytes, 0, aborted);
  assert.deepEqual(valuesOf(batch), [
    "kept by 1",
    "without transaction",
    "also kept by 1",
    "kept by 2",
  ]);
  assert.equal(batch.next, 11);
  assert.equal(aborted.length, 2);
});

Deno.test("a transaction that was given up may have begun before what is read", () => {
  const bytes = joined(
    transactionBatch(5, ["given up"], 1n),
    endMarker(6, 1n, "abort"),
    transactionBatch(7, ["kept"], 1n),
  );
  const aborted = [{ producerId: 1n, firstOffset: 2 }];
  assert.deepEqual(valuesOf(decoded(bytes, 5, aborted)), ["kept"]);
});

Deno.test("the end of a transaction that compaction has emptied ends none", () => {
  const aborted = [{ producerId: 1n, firstOffset: 0 }];
  const emptied = batchBytes({
    baseOffset: 1,
    records: [],
    attributes: TRANSACTIONAL | CONTROL,
    producerId: 1n,
  });
  const bytes = joined(
    transactionBatch(0, ["given up"], 1n),
    emptied,
    transactionBatch(2 ** 16, ["given up as well"], 1n),
    emptied,
  );
  assert.deepEqual(valuesOf(decoded(bytes, 0, aborted)), []);
});

Deno.test("a reader of committed records is given those, however transactions interleave", () => {
  const step = fc.record({
    producer: fc.bigInt({ min: 1n, max: 3n }),
    kind: fc.constantFrom("write", "write", "plain", "commit", "abort"),
    records: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
    const batches: Uint8Array[] = [];
    const aborted: AbortedTransaction[] = [];
    const open = new Map<bigint, number[]>();
    const kept = new Set<number>();
    let offset = 0;
    const end = (producer: bigint, outcome: "commit" | "abort") => {
      const offsets = open.get(producer);
      if (!offsets) return;
      open.delete(producer);
      batches.push(endMarker(offset++, producer, outcome));
      if (outcome === "commit") { for (const each of offsets) kept.add(each); }
      else aborted.push({ producerId: producer, firstOffset: offsets[0] });
    };
    for (const { producer, kind, records } of steps) {
      if (kind === "commit" || kind === "abort") end(producer, kind);
      else {
        const offsets = Array.from({ length: records }, () => offset++);
        const [first] = offsets;
        const values = offsets.map(String);
        if (kind === "plain") {
          batches.push(textBatch(first, values));
          for (const each of offsets) kept.add(each);
        } else {
          batches.push(transactionBatch(first, values, producer));
          open.set(producer, [...open.get(producer) ?? [], ...offsets]);
        }
      }
    }
    for (const producer of [...open.keys()]) end(producer, "abort");
    const found = valuesOf(decoded(joined(...batches), 0, aborted));
    assert.deepEqual(found, [...kept].sort((a, b) => a - b).map(String));
  }));
});

for (const [name, { codec, compress }] of Object.entries(COMPRESSIONS)) {
  Deno.test(`batches that are compressed (${name}) are read, among others`, () => {
    fc.assert(
      fc.property(some, (records) => {
        const encoder = new TextEncoder();
        const packed = batchBytes({
          baseOffset: 2,
          attributes: Number(codec),
          compress,
          records: records.map(({ key, value, time }, offsetDelta) => ({
            key: encoder.encode(key),
            value: encoder.encode(value),
            timeDelta: time,
            offsetDelta,
          })),
        });
        const bytes = joined(textBatch(0, ["a", "b"]), packed, packed);
        const found = recordsOf(decoded(bytes));
        const before = ["a", "b"].map((value) => ({ key: "", value, time: 0 }));
        assert.deepEqual(found, [...before, ...records, ...records]);
      }),
      { numRuns: 30 },
    );
  });

  Deno.test(`a batch that cannot be decompressed (${name}) is one record with its bytes, and reading goes on`, () => {
    const packed = textBatch(4, ["a", "b"], {
      attributes: codec,
      compress: () => Uint8Array.of(1, 2, 3),
    });
    assertUnreadable(packed, /offsets 4 to 5 cannot be decompressed/);
  });
}

/** Asserts that a batch at offsets 4 and 5 becomes one record, among others and with its reason, wherever reading begins. */
function assertUnreadable(packed: Uint8Array, reason: RegExp): void {
  const before = textBatch(2, ["x", "y"]);
  const bytes = joined(before, packed, textBatch(6, ["z"]));
  const batch = decoded(bytes);
  assert.deepEqual([...batch.offsets], [2, 3, 4, 6]);
  assert.deepEqual([...batch.unreadable ?? []].map(([at]) => at), [4]);
  assert.match(batch.unreadable?.get(4) ?? "", reason);
  assert.equal(batch.next, 7);
  assert.deepEqual(recordKey(batch, 2), new Uint8Array(0));
  assert.deepEqual(recordValue(batch, 2), packed);
  for (const view of [batchHead(batch, 3), batchTail(batch, 1)]) {
    assert.match(view.unreadable?.get(4) ?? "", reason);
  }
  const middle = decoded(packed, 5);
  assert.deepEqual([...middle.offsets], [5]);
  assert.match(middle.unreadable?.get(5) ?? "", reason);
  assert.equal(middle.next, 6);
}

Deno.test("a codec that nobody knows makes a batch one record, and reading goes on", () => {
  const packed = textBatch(4, ["a", "b"], { attributes: 5 });
  assertUnreadable(packed, /compressed by an unknown codec, number 5/);
});

Deno.test("batches that inflate to a lot are read one reading after the other", () => {
  const packed = textBatch(0, ["a"], {
    attributes: 3,
    // A record and then what nobody needs.
    compress: (bytes) =>
      lz4Frame(concatenated([bytes, new Uint8Array(40 << 20)]), {
        blockBytes: 4 << 20,
      }),
  });
  const bytes = joined(
    packed,
    ...[1, 2, 3].map((base) => {
      const copy = packed.slice();
      new DataView(copy.buffer).setBigInt64(0, BigInt(base));
      return copy;
    }),
  );
  const readings: number[][] = [];
  for (let from = 0; from < 4;) {
    const batch = decoded(bytes, from);
    readings.push([...batch.offsets]);
    assert.ok(batch.next > from);
    from = batch.next;
  }
  assert.deepEqual(readings, [[0, 1], [2, 3]]);
});

Deno.test("the format of brokers before 0.11 is an error that names it", () => {
  const bytes = textBatch(0, ["a"]);
  bytes[16] = 1;
  assert.throws(() => decoded(bytes), isAbout(/offset 0 .*old format 1/));
});

Deno.test("damage anywhere in what the checksum covers is told, and where it is", () => {
  const first = textBatch(70, ["a", "b"]);
  const second = textBatch(72, ["c", "d", "e"]);
  for (let at = COVERED_FROM - 4; at < second.length; at++) {
    for (const flip of [1, 128, 255]) {
      const damaged = second.slice();
      damaged[at] ^= flip;
      assert.throws(
        () => decoded(joined(first, damaged), 70),
        isAbout(/offset 72 .*damaged: its checksum is wrong/),
      );
    }
  }
});

Deno.test("no change of bytes hangs, fills the memory or changes a record in silence", () => {
  const batches = [
    textBatch(0, ["a", "b"]),
    transactionBatch(2, ["c"], 1n),
    endMarker(3, 1n, "commit"),
    textBatch(4, ["d", "e"], {
      attributes: 1,
      compress: COMPRESSIONS.gzip.compress,
    }),
  ];
  const expected = ["a", "b", "c", "d", "e"];
  // No checksum covers the offset, which the broker writes when it appends.
  const changes = fc.array(
    fc.tuple(
      fc.nat(batches.length - 1),
      fc.integer({ min: 8, max: 200 }),
      fc.integer({ min: 1, max: 255 }),
    ),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(changes, (changes) => {
      const copies = batches.map((batch) => batch.slice());
      for (const [number, at, flip] of changes) {
        if (at < copies[number].length) copies[number][at] ^= flip;
      }
      let found: string[];
      try {
        found = valuesOf(decoded(joined(...copies)));
      } catch (error) {
        return isAbout(/./)(error);
      }
      // A length that is too great looks like a cut: the next reading begins
      // there and tells.
      assert.deepEqual(found, expected.slice(0, found.length));
      return true;
    }),
    { numRuns: 3000 },
  );
});

Deno.test("whatever a checksum vouches for hangs nothing and fills no memory", () => {
  const whole = textBatch(0, ["a", "b", "c", "d"]);
  const changes = fc.array(
    fc.tuple(
      fc.integer({ min: COVERED_FROM, max: whole.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
    ),
    { minLength: 1, maxLength: 4 },
  );
  const before = Deno.memoryUsage().external;
  fc.assert(
    fc.property(changes, (changes) => {
      const bytes = whole.slice();
      for (const [at, flip] of changes) bytes[at] ^= flip;
      seal(bytes);
      try {
        const { count, positions } = decoded(bytes);
        assert.ok(count <= 4);
        for (const position of positions) assert.ok(position <= bytes.length);
      } catch (error) {
        return isAbout(/./)(error);
      }
      return true;
    }),
    { numRuns: 3000 },
  );
  assert.ok(Deno.memoryUsage().external - before < 100 << 20);
});

Deno.test("a count that its batch cannot hold is told, not allocated", () => {
  for (const count of [-1, 5, 2 ** 31 - 1]) {
    const bytes = textBatch(4, ["a", "b"], { count, lastOffsetDelta: 1 });
    assertUnreadable(bytes, /damaged: .*(length|number)/);
  }
});

Deno.test("more records in a batch than anybody needs are not taken apart", () => {
  const count = (1 << 20) + 1;
  const bytes = textBatch(4, ["a"], {
    attributes: 4,
    count,
    lastOffsetDelta: 1,
    compress: () => zstdFrame(new Uint8Array(7 * count)),
  });
  assertUnreadable(bytes, /has 1048577 records, more than 1048576/);
});

Deno.test("an empty builder makes no batches", () => {
  assert.deepEqual(encodeBatches(new RecordBatchBuilder(), PRODUCER, 100), []);
});
