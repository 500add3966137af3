import assert from "node:assert/strict";
import fc from "fast-check";
import { TerminalGrid } from "../../src/simulator/terminal_grid.ts";
import type { Terminal } from "../../src/payment/payment.ts";

function terminalsAt(places: readonly (readonly [number, number])[]) {
  return places.map(([x, y], terminalId): Terminal => ({ terminalId, x, y }));
}

function naive(terminals: Terminal[], x: number, y: number, radius: number) {
  return terminals
    .filter((t) => Math.sqrt((x - t.x) ** 2 + (y - t.y) ** 2) < radius)
    .map((t) => t.terminalId);
}

/** Whole numbers too, so that distances equal to the radius do occur. */
const coordinate = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.double({ min: 0, max: 100, noNaN: true }),
);

Deno.test("within() finds what a look at every terminal finds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(coordinate, coordinate), { maxLength: 200 }),
      fc.tuple(coordinate, coordinate),
      fc.oneof(
        fc.integer({ min: 0, max: 150 }),
        fc.double({ min: 0, max: 20, noNaN: true }),
      ),
      (places, [x, y], radius) => {
        const terminals = terminalsAt(places);
        const found = new TerminalGrid(terminals, radius).within(x, y);
        assert.deepEqual([...found], naive(terminals, x, y, radius));
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("within() leaves out a terminal exactly as far as the radius", () => {
  const grid = new TerminalGrid(terminalsAt([[3, 4], [3, 3.9]]), 5);
  assert.deepEqual([...grid.within(0, 0)], [1]);
});

Deno.test("within() of radius 0 finds nothing, not even on the spot", () => {
  const grid = new TerminalGrid(terminalsAt([[3, 4]]), 0);
  assert.deepEqual([...grid.within(3, 4)], []);
});

Deno.test("within() of a radius beyond the square finds every terminal", () => {
  const grid = new TerminalGrid(terminalsAt([[0, 0], [100, 100]]), 1e9);
  assert.deepEqual([...grid.within(100, 0)], [0, 1]);
});

Deno.test("within() keeps its earlier answers when it is asked again", () => {
  const grid = new TerminalGrid(terminalsAt([[0, 0], [50, 50]]), 1);
  const first = grid.within(0, 0);
  grid.within(50, 50);
  assert.deepEqual([...first], [0]);
});
