import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { SipHash } from "../../src/base/siphash.ts";

function hashOf(key: Uint8Array, bytes: Uint8Array): string {
  const out = new Int32Array(5);
  // Bytes around it must not count.
  const padded = Buffer.concat([Buffer.of(7, 7, 7), bytes, Buffer.of(9, 9)]);
  new SipHash(key).hash(padded, 3, 3 + bytes.length, out, 1);
  return Buffer.from(out.buffer, 4).toString("hex");
}

/** The same in whole numbers of 64 bits, after the paper. */
function oracle(key: Uint8Array, bytes: Uint8Array): string {
  const u = (x: bigint) => BigInt.asUintN(64, x);
  const rotate = (x: bigint, n: bigint) => u(x << n) | (x >> (64n - n));
  const word = (b: Uint8Array, at: number) =>
    Buffer.from(b).readBigUInt64LE(at);
  const [k0, k1] = [word(key, 0), word(key, 8)];
  let [v0, v1, v2, v3] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn ^ 0xeen,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const rounds = (n: number) => {
    for (let i = 0; i < n; i++) {
      v0 = u(v0 + v1);
      v2 = u(v2 + v3);
      v1 = rotate(v1, 13n) ^ v0;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = rotate(v0, 32n);
      v2 = u(v2 + v1);
      v0 = u(v0 + v3);
      v1 = rotate(v1, 17n) ^ v2;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = rotate(v2, 32n);
    }
  };
  const length = Math.floor(bytes.length / 8) * 8 + 8;
  const message = Buffer.alloc(length);
  message.set(bytes);
  message[length - 1] = bytes.length & 255;
  for (let at = 0; at < length; at += 8) {
    v3 ^= word(message, at);
    rounds(2);
    v0 ^= word(message, at);
  }
  const out = Buffer.alloc(16);
  v2 ^= 0xeen;
  rounds(4);
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0);
  v1 ^= 0xddn;
  rounds(4);
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8);
  return out.toString("hex");
}

Deno.test("SipHash gives the published values of its authors", () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const published = [
    "a3817f04ba25a8e66df67214c7550293",
    "da87c1d86b99af44347659119b22fc45",
  ];
  for (const [length, hash] of published.entries()) {
    const bytes = Uint8Array.from({ length }, (_, i) => i);
    assert.equal(hashOf(key, bytes), hash);
  }
});

Deno.test("SipHash is that of the paper for bytes of any number", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const keys = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(fc.property(keys, bytes, (key, bytes) => {
    assert.equal(hashOf(key, bytes), oracle(key, bytes));
  }));
});

Deno.test("a key of another size is refused", () => {
  assert.throws(() => new SipHash(new Uint8Array(15)), /15 bytes/);
});
