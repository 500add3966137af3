/** Who waits for what one connection has written, in which order whatever happens. */
import assert from "node:assert/strict";
import { NewsBoard } from "../../../src/log/embedded/news_board.ts";

const never = new AbortController().signal;

Deno.test("news that come between a look and the waiting are not missed", async () => {
  const board: NewsBoard = new NewsBoard(() => board.count);
  const seen = board.count;
  board.add();
  await board.since(seen, 60_000, never);
  assert.notEqual(board.count, seen);
});

Deno.test("own news wake all who wait, without a timer", async () => {
  const board: NewsBoard = new NewsBoard(() => board.count);
  const woken: number[] = [];
  const waiting = [0, 1, 2].map((i) =>
    board.since(board.count, 60_000, never).then(() => woken.push(i))
  );
  board.add();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  assert.deepEqual(woken, [0, 1, 2]);
  await Promise.all(waiting);
});

Deno.test("what others wrote is found by looking, by one task for all", async () => {
  let others = 0;
  let found = 0;
  const board: NewsBoard = new NewsBoard(() => {
    if (others !== found) board.add();
    found = others;
    return board.count;
  });
  const waiting = [1, 2].map(() => board.since(board.count, 60_000, never));
  others++;
  // A third looks in between, so the next look of the board finds nothing.
  await board.since(0, 60_000, never);
  await Promise.all(waiting);
  assert.equal(board.count, 1);
});

Deno.test("waiting ends at the timeout, and at the signal", async () => {
  const board: NewsBoard = new NewsBoard(() => board.count);
  await board.since(board.count, 1, never);
  const stop = new AbortController();
  const waiting = board.since(board.count, 60_000, stop.signal);
  stop.abort();
  await waiting;
  await board.since(board.count, 60_000, stop.signal);
  assert.equal(board.count, 0);
});

Deno.test("a look that fails wakes who waits, and fails for who looks next", async () => {
  let isClosed = false;
  const board: NewsBoard = new NewsBoard(() => {
    if (isClosed) throw new Error("closed");
    return board.count;
  });
  const waiting = board.since(board.count, 60_000, never);
  isClosed = true;
  await waiting;
  await assert.rejects(board.since(board.count, 60_000, never), /closed/);
});
