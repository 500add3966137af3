/** Who waits for what one connection has written, in which order whatever happens. */
import assert from "node:assert/strict";
import { NewsBoard } from "../../../src/log/embedded/news_board.ts";

const WAITING = {
  timeoutMs: 60_000,
  signal: new AbortController().signal,
};

Deno.test("news that come between a look and the waiting are not missed", async () => {
  const board = new NewsBoard(() => {});
  const seen = board.count();
  board.add();
  await board.since(seen, WAITING);
  assert.notEqual(board.count(), seen);
});

Deno.test("own news wake all who wait, without a timer", async () => {
  const board = new NewsBoard(() => {});
  const woken: number[] = [];
  const waiting = [0, 1, 2].map((i) =>
    board.since(board.count(), WAITING).then(() => woken.push(i))
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
  });
  const waiting = [1, 2].map(() => board.since(board.count(), WAITING));
  others++;
  // A third looks in between, so the next look of the board finds nothing.
  await board.since(0, WAITING);
  await Promise.all(waiting);
  assert.equal(board.count(), 1);
});

Deno.test("waiting ends at the timeout, and at the signal", async () => {
  const board = new NewsBoard(() => {});
  await board.since(board.count(), { ...WAITING, timeoutMs: 1 });
  const stop = new AbortController();
  const waiting = board.since(board.count(), {
    ...WAITING,
    signal: stop.signal,
  });
  stop.abort();
  await waiting;
  await board.since(board.count(), { ...WAITING, signal: stop.signal });
  assert.equal(board.count(), 0);
});

Deno.test("a look that fails wakes who waits", async () => {
  let isClosed = false;
  const board = new NewsBoard(() => {
    if (isClosed) throw new Error("closed");
  });
  const waiting = board.since(board.count(), WAITING);
  isClosed = true;
  await waiting;
  // The next look fails too; who wakes asks the log, and gets the error.
  await board.since(board.count(), WAITING);
  assert.ok(board.count() >= 2);
});

Deno.test("who waits for a topic sleeps through the news of others", async () => {
  const board = new NewsBoard(() => {});
  const woken: string[] = [];
  const wait = (name: string, topics?: readonly number[]) =>
    board.since(board.count(topics), { ...WAITING, topics })
      .then(() => woken.push(name));
  const waiting = [wait("one", [1]), wait("two", [2]), wait("all")];
  const turns = async () => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  board.add(new Set([1]));
  await turns();
  assert.deepEqual(woken, ["one", "all"]);
  assert.notEqual(board.count([1]), board.count([2]));
  board.add();
  await turns();
  assert.deepEqual(woken, ["one", "all", "two"]);
  await Promise.all(waiting);
});
