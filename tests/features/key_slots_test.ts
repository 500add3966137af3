import assert from "node:assert/strict";
import fc from "fast-check";
import { IdDigests } from "../../src/features/id_digest.ts";
import { KeySlots } from "../../src/features/key_slots.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { chance, forEachSeed } from "../long.ts";
import { StatePieces } from "./state_pieces.ts";

const words = (key: number) => Int32Array.of(0, key, key >> 3, 0, 5);

Deno.test("each key has a number of its own until it is released, through saves and loads", async () => {
  await forEachSeed(5, 100, (seed) => {
    const random = chance(seed);
    let slots = new KeySlots();
    const known = new Map<number, number>();
    for (let step = 0; step < 5000; step++) {
      const key = Math.floor(random() ** 2 * 3000);
      const slot = slots.slotOf(words(key), 1);
      assert.equal(slot, known.get(key) ?? slot);
      known.set(key, slot);
      const found = [...known.keys()];
      const old = found[Math.floor(random() * found.length)];
      if (random() < 0.45) {
        slots.release(known.get(old) ?? -1);
        if (old !== key) known.delete(old);
      }
      if (random() < 0.002) {
        const pieces = new StatePieces();
        slots.save(pieces);
        slots = new KeySlots();
        slots.load(pieces);
      }
      assert.equal(slots.size, known.size);
      assert.equal(new Set(known.values()).size, known.size);
      assert.ok(slot < 4096, "numbers are used again");
    }
  });
});

Deno.test("the digest of a number is the number, that of a text depends on all its bytes and on the key", () => {
  const shape = { ...HANDBOOK_SHAPE, customerId: "text" as const };
  const heap = new TextHeap();
  const digests = new IdDigests(shape);
  const other = new IdDigests(shape);
  const of = (digests: IdDigests, text: string) => {
    digests.takeCustomer(heap.addText(text), heap);
    return digests.words.slice(4, 8).join();
  };
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
    assert.equal(of(digests, a) === of(digests, b), a === b);
    assert.notEqual(of(digests, a), of(other, a));
  }));
  fc.assert(fc.property(fc.maxSafeNat(), (id) => {
    digests.takeTerminal(id, heap);
    const [low, high, ...zeros] = digests.words.slice(8, 12);
    assert.equal((low >>> 0) + 2 ** 32 * high, id);
    assert.deepEqual(zeros, [0, 0]);
  }));
  const pieces = new StatePieces();
  digests.save(pieces);
  other.load(pieces);
  assert.equal(of(digests, "card"), of(other, "card"));
});
