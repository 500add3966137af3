import assert from "node:assert/strict";
import fc from "fast-check";
import { murmur2 } from "../../src/log/murmur2.ts";
import { IdPartitioner, partitionOf } from "../../src/log/partitioner.ts";

const encoder = new TextEncoder();

/** From Kafka's own UtilsTest.testMurmur2. */
const VECTORS: [string, number][] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

for (const [text, hash] of VECTORS) {
  Deno.test(`murmur2("${text}") is ${hash}, as in Kafka`, () => {
    assert.equal(murmur2(encoder.encode(text)), hash);
  });
}

Deno.test("partitionOf() takes the hash without its sign", () => {
  assert.equal(
    partitionOf(encoder.encode("21"), 100),
    (-973932308 & 0x7fffffff) % 100,
  );
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 99 }), (key, n) => {
      const partition = partitionOf(key, n);
      assert.ok(partition >= 0 && partition < n);
    }),
  );
});

Deno.test("partitionOf() by crc32 places keys as librdkafka does", () => {
  // The check value of CRC-32, and what rd_crc32 gives for small keys.
  const vectors: [string, number][] = [
    ["123456789", 0xcbf4_3926],
    ["", 0],
    ["a", 0xe8b7_be43],
    ["17", 0x3f39_b042],
  ];
  for (const [text, sum] of vectors) {
    const key = encoder.encode(text);
    for (const partitions of [1, 2, 3, 7, 1024]) {
      assert.equal(partitionOf(key, partitions, "crc32"), sum % partitions);
    }
  }
});

Deno.test("IdPartitioner gives the partition of the id's decimal text", () => {
  const ids = fc.oneof(
    fc.nat(5000),
    fc.nat(2 ** 31 - 1),
    fc.constantFrom(1023, 1024, 2 ** 20 - 1, 2 ** 20, 2 ** 31 - 1),
  );
  fc.assert(
    fc.property(fc.array(ids), fc.integer({ min: 1, max: 64 }), (ids, n) => {
      const partitioner = new IdPartitioner(n);
      for (const id of [...ids, ...ids]) {
        const key = encoder.encode(String(id));
        assert.equal(partitioner.partition(id), partitionOf(key, n));
      }
    }),
  );
});
