import assert from "node:assert/strict";
import { RingMemory } from "../../src/features/ring_memory.ts";
import { chance, forEachSeed } from "../long.ts";

/** Rings by their owner; each is filled with the owner's number. */
class Owners {
  readonly memory = new RingMemory((owner, address) => {
    const ring = this.rings.get(owner);
    if (ring) ring.address = address;
  });
  readonly rings = new Map<number, { address: number; sizeClass: number }>();
  words = 0;

  add(owner: number, sizeClass: number): void {
    const address = this.memory.allocate(sizeClass);
    const from = address & 0x7fff;
    const length = this.memory.sizes[sizeClass];
    this.memory.words[address >>> 15].fill(owner, from, from + length);
    this.rings.set(owner, { address, sizeClass });
    this.words += length;
  }

  remove(owner: number): void {
    const ring = this.rings.get(owner);
    if (!ring) return;
    this.rings.delete(owner);
    this.words -= this.memory.sizes[ring.sizeClass];
    this.memory.release(ring.address, ring.sizeClass);
  }

  check(): void {
    for (const [owner, { address, sizeClass }] of this.rings) {
      const from = address & 0x7fff;
      const length = this.memory.sizes[sizeClass];
      const page = this.memory.words[address >>> 15];
      const ring = page.subarray(from, from + length);
      assert.ok(ring.every((word) => word === owner), `ring of ${owner}`);
      assert.equal(ring.length, length);
    }
  }
}

Deno.test("rings keep their words and leave no holes, whatever comes and goes", async () => {
  await forEachSeed(3, 60, (seed) => {
    const random = chance(seed);
    const owners = new Owners();
    const sizes = owners.memory.sizes.length;
    for (const share of [0.9, 0.5, 0.1, 0.7]) {
      for (let i = 0; i < 5000; i++) {
        const owner = Math.floor(random() * 4000);
        if (owners.rings.has(owner) || random() > share) owners.remove(owner);
        else owners.add(owner, Math.floor(random() ** 2 * sizes));
      }
      owners.check();
      const held = owners.memory.bytes / 4;
      const spare = 1.3 * owners.words + sizes * 4096 + 2 * 32_768;
      assert.ok(held < spare, `${held} words for ${owners.words}`);
    }
    for (const owner of owners.rings.keys()) owners.remove(owner);
    assert.equal(owners.memory.bytes, 0);
  });
});
