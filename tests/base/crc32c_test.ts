import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../src/base/crc32c.ts";

/** The checksum as it is defined, bit by bit. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

Deno.test("crc32c() gives the sums of RFC 3720, appendix B.4", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const read10 = new Uint8Array(48);
  read10.set([0x01, 0xc0]);
  read10.set([0x14], 16);
  read10.set([0x04], 22);
  read10.set([0x14], 27);
  read10.set([0x18], 31);
  read10.set([0x28], 32);
  read10.set([0x02], 40);
  const vectors: [Uint8Array, number][] = [
    [new Uint8Array(32), 0x8a91_36aa],
    [new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    [ascending, 0x46dd_794e],
    [ascending.toReversed(), 0x113f_db5c],
    [read10, 0xd996_3a56],
    [new TextEncoder().encode("123456789"), 0xe306_9283],
    [new Uint8Array(0), 0],
  ];
  for (const [bytes, sum] of vectors) assert.equal(crc32c(bytes), sum);
});

Deno.test("crc32c() is what the bitwise definition gives, wherever the bytes lie", () => {
  const bytes = fc.uint8Array({ maxLength: 70 });
  fc.assert(fc.property(bytes, fc.nat(9), (bytes, shift) => {
    const memory = new Uint8Array(bytes.length + shift);
    memory.set(bytes, shift);
    assert.equal(crc32c(memory.subarray(shift)), bitwise(bytes));
  }));
});
