/** Tables of keys, against maps. */
import assert from "node:assert/strict";
import { KeyTable } from "../../src/features/key_table.ts";
import { SlotTable } from "../../src/features/slot_table.ts";
import { chance, forEachSeed } from "../long.ts";

Deno.test("a table equals a map over many keys that come and go", () =>
  forEachSeed(3, 100, (seed) => {
    const random = chance(seed);
    const table = new KeyTable();
    const map = new Map<number, number>();
    const keys = [300, 5000, 2 ** 31][seed % 3];
    // Segments split while most is added and merge while most is removed.
    for (const [steps, share] of [[40_000, 0.9], [60_000, 0.3], [9000, 0.6]]) {
      for (let i = 0; i < steps; i++) {
        const key = keys === 2 ** 31 && i % 64 !== 0
          ? i * 7919 % 30_000
          : Math.floor(random() * keys);
        if (random() < share) {
          table.set(key, i + 1);
          map.set(key, i + 1);
        } else {
          table.delete(key);
          map.delete(key);
        }
      }
      assert.equal(table.size, map.size);
      for (const [key, value] of map) assert.equal(table.get(key), value);
      for (let i = 0; i < 1000; i++) {
        const key = Math.floor(random() * keys);
        assert.equal(table.get(key), map.get(key) ?? 0);
      }
    }
  }));

Deno.test("a table of slots equals a map, and holds only chunks that have had keys", () =>
  forEachSeed(3, 100, (seed) => {
    const random = chance(seed);
    const table = new SlotTable();
    const map = new Map<number, number>();
    const last = 2 ** 24; // far from the others
    for (let i = 0; i < 20_000; i++) {
      const key = i % 97 === 0 ? last : Math.floor(random() * 6000);
      if (random() < 0.6) {
        table.set(key, i + 1);
        map.set(key, i + 1);
      } else {
        table.delete(key);
        map.delete(key);
      }
    }
    assert.equal(table.size, map.size);
    for (let key = 0; key < 7000; key++) {
      assert.equal(table.get(key), map.get(key) ?? 0);
    }
    assert.equal(table.get(last), map.get(last) ?? 0);
    assert.equal(table.get(2 ** 31 - 1), 0);
    assert.ok(table.bytes <= 7 * 4096, `${table.bytes}`);
  }));

Deno.test("next() comes by every key again and again", () => {
  for (const table of [new KeyTable(), new SlotTable()]) {
    for (let key = 0; key < 5000; key++) table.set(key, key + 1);
    for (let round = 0; round < 2; round++) {
      const seen = new Set<number>();
      for (let i = 0; i < 20_000; i++) seen.add(table.next());
      seen.delete(0);
      assert.equal(seen.size, 5000);
    }
  }
});

Deno.test("a table gives memory back when keys go", () => {
  const table = new KeyTable();
  const empty = table.bytes;
  for (let key = 0; key < 100_000; key++) table.set(key, 1);
  assert.ok(table.bytes < 100_000 * 20, `${table.bytes}`);
  for (let key = 0; key < 100_000; key++) table.delete(key);
  assert.ok(table.bytes < empty + 5000, `${table.bytes}`);
});
