import assert from "node:assert/strict";
import {
  openUnlessStopped,
  unlessStopped,
} from "../../src/base/unless_stopped.ts";

/** Something to open, and whether it has been closed. */
function resource() {
  const closed = Promise.withResolvers<void>();
  let isClosed = false;
  return {
    isClosed: () => isClosed,
    closed: closed.promise,
    [Symbol.asyncDispose]: () => {
      isClosed = true;
      closed.resolve();
      return Promise.resolve();
    },
  };
}

Deno.test("what opens in time is handed over, and closed with its holder", async () => {
  const made = resource();
  const { signal } = new AbortController();
  {
    await using opened = await openUnlessStopped(Promise.resolve(made), signal);
    assert.equal(opened?.resource, made);
    assert.ok(!made.isClosed());
  }
  assert.ok(made.isClosed());
});

Deno.test("a stop ends the waiting; what opens later is closed at once", async () => {
  const made = resource();
  const opening = Promise.withResolvers<typeof made>();
  const stop = new AbortController();
  const waiting = openUnlessStopped(opening.promise, stop.signal);
  stop.abort();
  assert.equal(await waiting, null);
  opening.resolve(made);
  await made.closed;
});

Deno.test("an error of the opening is thrown, unless it comes after the stop", async () => {
  const stop = new AbortController();
  const failure = Promise.reject(new Error("no server"));
  await assert.rejects(openUnlessStopped(failure, stop.signal), /no server/);
  const opening = Promise.withResolvers<AsyncDisposable>();
  const waiting = openUnlessStopped(opening.promise, stop.signal);
  stop.abort();
  opening.reject(new Error("no server"));
  assert.equal(await waiting, null);
});

Deno.test("unlessStopped() gives what comes before the signal, else null", async () => {
  const stop = new AbortController();
  const done = { rows: 1 };
  assert.equal(await unlessStopped(Promise.resolve(done), stop.signal), done);
  const never = Promise.withResolvers<typeof done>();
  const waiting = unlessStopped(never.promise, stop.signal);
  stop.abort();
  assert.equal(await waiting, null);
  never.reject(new Error("too late to be told"));
  const after = Promise.reject<typeof done>(new Error("not told either"));
  assert.equal(await unlessStopped(after, AbortSignal.abort()), null);
});
