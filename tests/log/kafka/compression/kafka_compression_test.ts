/** Kafka's codecs: what real producers and brokers write, what the formats allow, and what is too much. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import {
  inflate,
  INFLATED_MAX,
} from "../../../../src/log/kafka/compression/kafka_compression.ts";
import { decodeBatches } from "../../../../src/log/kafka/kafka_records.ts";
import { unpackGzip } from "../../../../src/log/kafka/compression/gzip.ts";
import { unpackSnappy } from "../../../../src/log/kafka/compression/snappy.ts";
import { unpackLz4 } from "../../../../src/log/kafka/compression/lz4.ts";
import { unpackZstd } from "../../../../src/log/kafka/compression/zstd.ts";
import batches from "../../../data/kafka_batches.json" with { type: "json" };
import {
  concatenated,
  lz4Frame,
  type Lz4Options,
  skippableFrame,
  zstdFrame,
  type ZstdOptions,
} from "./compressed_frames.ts";
import { valuesOf } from "../../records.ts";

/** An environment's seed, to run a failure again. */
const seed = Deno.env.get("FRAUDSTREAM_SEED");
const RUNS = { numRuns: 200, ...seed ? { seed: Number(seed) } : {} };
const MANY = 1 << 20;

for (const [name, base64] of Object.entries(batches)) {
  Deno.test(`a batch that was compressed by another program is read (${name})`, () => {
    const bytes = new Uint8Array(Buffer.from(base64, "base64"));
    const batch = decodeBatches({ bytes, aborted: [] }, 0, "here");
    assert.equal(batch.unreadable, undefined);
    const codec = name.startsWith("librdkafka") ? name.split(" ")[1] : "none";
    const expected = Array.from(
      { length: 1500 },
      (_, i) => `record ${i} by ${codec}, `.repeat(3),
    );
    assert.deepEqual(valuesOf(batch), expected);
    assert.equal(batch.next, 1500);
  });
}

/** Bytes as records have them: some chance, and a lot that comes again. */
const contents = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(300))
      .map(([piece, n]) => concatenated(Array(n).fill(piece))),
  ),
  { maxLength: 12 },
).map(concatenated);

const lz4Options: fc.Arbitrary<Lz4Options> = fc.record({
  blockBytes: fc.integer({ min: 1, max: 3000 }),
  linked: fc.boolean(),
  blockChecksum: fc.boolean(),
  contentChecksum: fc.boolean(),
  contentSize: fc.boolean(),
  stored: fc.boolean(),
});

Deno.test("LZ4 frames are read whatever their encoder has chosen, several of them and among others", () => {
  const frames = fc.array(fc.tuple(contents, lz4Options), { maxLength: 3 });
  fc.assert(
    fc.property(frames, (frames) => {
      const packed = concatenated(frames.flatMap(([content, options]) => [
        lz4Frame(content, options),
        skippableFrame(Uint8Array.of(1, 2, 3)),
      ]));
      const expected = concatenated(frames.map(([content]) => content));
      assert.deepEqual(unpackLz4(packed, MANY), expected);
    }),
    RUNS,
  );
});

const zstdOptions: fc.Arbitrary<Partial<ZstdOptions>> = fc.oneof(
  fc.record({
    blockBytes: fc.integer({ min: 64, max: 1000 }),
    sizeBytes: fc.constantFrom(0, 4, 8),
    single: fc.constant(false),
    checksum: fc.boolean(),
    windowLog: fc.integer({ min: 10, max: 23 }),
  }),
  fc.record({
    blockBytes: fc.constant(100_000),
    sizeBytes: fc.constantFrom(4, 8),
    single: fc.constant(true),
    checksum: fc.boolean(),
  }),
);

Deno.test("Zstandard frames are read whatever their header says, several of them and among others", () => {
  const frames = fc.array(fc.tuple(contents, zstdOptions), { maxLength: 3 });
  fc.assert(
    fc.property(frames, (frames) => {
      const packed = concatenated(frames.flatMap(([content, options]) => [
        zstdFrame(content, options),
        skippableFrame(Uint8Array.of(1, 2, 3)),
      ]));
      const expected = concatenated(frames.map(([content]) => content));
      assert.deepEqual(unpackZstd(packed, MANY), expected);
    }),
    RUNS,
  );
});

Deno.test("gzip is read in pieces, with long names, several members and all lengths", () => {
  const members = fc.array(contents, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(members, fc.nat(9000), (members, name) => {
      const packed = concatenated(members.map((content) => {
        const plain = gzipSync(content);
        const named = concatenated([
          plain.subarray(0, 10),
          new Uint8Array(name + 1).fill(65, 0, name),
          plain.subarray(10),
        ]);
        named[3] = 8; // a name follows
        return named;
      }));
      assert.deepEqual(unpackGzip(packed, MANY), concatenated(members));
    }),
    RUNS,
  );
});

Deno.test("gzip that is cut off anywhere is damaged, or gives no more than there was", () => {
  const content = new TextEncoder().encode("record 1 of many, ".repeat(600));
  const whole = gzipSync(content);
  for (let length = 0; length < whole.length - 8; length++) {
    const cut = whole.subarray(0, length);
    if (length === 0) continue;
    assert.throws(() => unpackGzip(cut, MANY), `${length} bytes`);
  }
  assert.deepEqual(unpackGzip(whole, content.length), content);
  assert.throws(() => unpackGzip(whole, content.length - 1), RangeError);
});

Deno.test("Zstandard frames that say their length in one or two bytes are read", () => {
  for (const [length, sizeBytes] of [[9, 1], [255, 1], [256, 2], [700, 2]]) {
    const content = Uint8Array.from({ length }, (_, i) => i % 251);
    const options = { single: true, sizeBytes } as ZstdOptions;
    assert.deepEqual(unpackZstd(zstdFrame(content, options), MANY), content);
  }
});

for (
  const [name, unpack, frame] of [
    ["LZ4", unpackLz4, lz4Frame],
    ["Zstandard", unpackZstd, zstdFrame],
  ] as const
) {
  Deno.test(`no change and no cut of ${name} frames hangs, fills the memory or gives more than it may`, () => {
    const text = "record 1 of many, ".repeat(60);
    const whole = frame(new TextEncoder().encode(text), { blockBytes: 400 });
    const changes = fc.record({
      length: fc.nat(whole.length),
      flips: fc.array(
        fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })),
        { maxLength: 3 },
      ),
    });
    const before = Deno.memoryUsage().external;
    fc.assert(
      fc.property(changes, ({ length, flips }) => {
        const bytes = whole.slice();
        for (const [at, flip] of flips) bytes[at] ^= flip;
        try {
          const plain = unpack(bytes.subarray(0, length), 4096);
          assert.ok(plain.length <= 4096);
        } catch (error) {
          assert.ok(error instanceof Error && error.name !== "AssertionError");
        }
      }),
      { ...RUNS, numRuns: 2000 },
    );
    assert.ok(Deno.memoryUsage().external - before < 100 << 20);
  });

  Deno.test(`a ${name} frame gives just as much as it may, and not a byte more`, () => {
    const content = new Uint8Array(5000).fill(7);
    const packed = frame(content);
    assert.deepEqual(unpack(packed, 5000), content);
    assert.throws(() => unpack(packed, 4999), RangeError);
  });
}

const BOMBS: readonly [codec: number, name: string, bomb: () => Uint8Array][] =
  [
    [1, "gzip", () => gzipSync(new Uint8Array(INFLATED_MAX + 1))],
    // A length and no content: what does not come needs no memory either.
    [2, "snappy", () => Uint8Array.of(255, 255, 255, 255, 7, 0, 65)],
    [3, "lz4", () =>
      lz4Frame(new Uint8Array(INFLATED_MAX + 1), {
        blockBytes: 4 << 20,
      })],
    [4, "zstd", () => zstdFrame(new Uint8Array(INFLATED_MAX + 1))],
    [
      4,
      "zstd of a great window",
      () => zstdFrame(Uint8Array.of(1, 2), { windowLog: 31 }),
    ],
    [
      4,
      "zstd of many small blocks",
      () => zstdFrame(new Uint8Array(40_000), { blockBytes: 1, windowLog: 26 }),
    ],
  ];

for (const [codec, name, make] of BOMBS) {
  Deno.test(`what inflates beyond all measure is refused (${name})`, () => {
    const bomb = make();
    assert.ok(bomb.length < 1 << 20, `${bomb.length} bytes`);
    const before = Deno.memoryUsage().external;
    const found = inflate(bomb, codec);
    // A megabyte of zeros would be a poor message.
    assert.equal(typeof found, "string", "it was decompressed");
    assert.match(found as string, /^cannot be decompressed .*64 MiB/);
    assert.ok(Deno.memoryUsage().external - before < 200 << 20);
  });
}

Deno.test("a codec that nobody knows is told by its number", () => {
  for (const codec of [5, 6, 7]) {
    const found = inflate(Uint8Array.of(1), codec);
    assert.equal(found, `is compressed by an unknown codec, number ${codec}`);
  }
});

Deno.test("Snappy that is cut off or has no length is damaged, framed or not", () => {
  const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
  const framed = (length: number, ...block: number[]) =>
    Uint8Array.from([
      ...magic,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      length,
      ...block,
    ]);
  // Three bytes as they are: their number, then a literal of three.
  const block = [3, 2 << 2, 97, 98, 99];
  assert.deepEqual(
    [...unpackSnappy(framed(block.length, ...block), MANY)],
    [97, 98, 99],
  );
  for (
    const [packed, says] of [
      [framed(9, ...block), /a block is cut off/],
      [framed(0), /without its length/],
      [Uint8Array.of(255, 255, 255, 255, 255, 1), /without its length/],
      [Uint8Array.of(3, 2 << 2, 97), /a block is damaged/],
    ] as const
  ) assert.throws(() => unpackSnappy(packed, MANY), says);
});
