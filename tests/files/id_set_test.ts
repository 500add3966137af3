import assert from "node:assert/strict";
import fc from "fast-check";
import { IdSet } from "../../src/files/id_set.ts";

const numbers = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  // Equal in one of the halves.
  fc.nat(40).map((id) => id * 2 ** 32),
  fc.nat(40).map((id) => 2 ** 53 - 1 - id),
);
const texts = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.nat(300).map(String),
  fc.constantFrom("", "\0", "\0\0", "a", "a\0", "é", "e\u0301"),
);

for (const [kind, ids] of Object.entries({ numbers, texts })) {
  Deno.test(`IdSet knows which ${kind} have come`, () => {
    fc.assert(
      fc.property(
        fc.array<number | string>(ids, { maxLength: 2000 }),
        (list) => {
          const set = new IdSet();
          const known = new Set<number | string>();
          for (const id of list) {
            assert.equal(set.add(id), !known.has(id), JSON.stringify(id));
            known.add(id);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
}

Deno.test("IdSet holds many ids of each kind", () => {
  const set = new IdSet();
  for (const round of [true, false]) {
    for (let id = 0; id < 200_000; id++) {
      assert.equal(set.add(7 * id), round);
    }
  }
  const texts = new IdSet();
  for (const round of [true, false]) {
    for (let id = 0; id < 200_000; id++) {
      assert.equal(texts.add(`4111${id}`), round);
    }
  }
});
