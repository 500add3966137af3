import assert from "node:assert/strict";
import fc from "fast-check";
import { IdLedger } from "../../src/files/id_ledger.ts";

Deno.test("IdLedger gives the place of every id that comes again, as a Map would", () => {
  const id = fc.oneof(
    fc.nat(40),
    fc.constantFrom(2 ** 32, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER),
  );
  // Runs that count up, as files have them, among single ids.
  const runs = fc.array(fc.tuple(id, fc.nat(30)), { maxLength: 60 });
  fc.assert(
    fc.property(runs, (runs) => {
      const ledger = new IdLedger(1e6);
      const known = new Map<number, number>();
      let place = 1;
      for (const [first, length] of runs) {
        for (let at = 0; at <= length; at++, place++) {
          const next = Math.min(Number.MAX_SAFE_INTEGER, first + at);
          assert.equal(ledger.add(next, place), known.get(next));
          if (!known.has(next)) known.set(next, place);
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("IdLedger keeps many single ids", () => {
  const ledger = new IdLedger(1e6);
  const idAt = (n: number) => (n * 7_919) % 1_000_003 * 3_000_017;
  for (let n = 0; n < 50_000; n++) {
    assert.equal(ledger.add(idAt(n), n), undefined);
  }
  for (let n = 0; n < 50_000; n++) assert.equal(ledger.add(idAt(n), -1), n);
});

Deno.test("IdLedger is full of ids that don't count up, never of those that do", () => {
  const ledger = new IdLedger(10);
  for (let id = 0; id < 1000; id++) ledger.add(id, id);
  assert.ok(!ledger.full);
  for (let id = 20; id > 10; id--) ledger.add(10_000 + id * 2, id);
  assert.ok(ledger.full);
});
