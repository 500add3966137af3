/** Answers to payments leave after the log is synced. */
import assert from "node:assert/strict";
import { LogError } from "../../src/base/error.ts";
import type { LogSync } from "../../src/log/log.ts";
import { syncedApi } from "../../src/api/synced_api.ts";
import { MemoryApi } from "./memory_api.ts";
import { problemOf } from "./desk_stream.ts";

/** A log whose syncs end when the test says so. */
class HeldSync implements LogSync {
  syncs = { count: 0, milliseconds: 1500 };
  #held: PromiseWithResolvers<void>[] = [];

  sync(): Promise<void> {
    this.syncs.count++;
    const held = Promise.withResolvers<void>();
    this.#held.push(held);
    return held.promise;
  }

  release(): void {
    this.#held.shift()?.resolve();
  }

  fail(error: Error): void {
    this.#held.shift()?.reject(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function open(deadlineMs = 60_000) {
  const stream = new MemoryApi();
  const log = new HeldSync();
  return { stream, log, api: syncedApi(stream, log, deadlineMs) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("an answer waits for a sync that begins after the decision", async () => {
  const { stream, log, api } = open();
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.wait = promise;
  let answered = false;
  const answer = api.score("{}", false).finally(() => answered = true);
  await turn();
  assert.equal(log.syncs.count, 0);
  resolve();
  await turn();
  assert.equal(log.syncs.count, 1);
  assert.equal(answered, false);
  log.release();
  const { json, decidedMs } = await answer;
  const plain = await stream.score("{}", false);
  assert.equal(json, plain.json);
  assert.ok(decidedMs > plain.decidedMs); // with the sync
});

Deno.test("a sync that fails or takes too long is no answer", async () => {
  const { log, api } = open();
  const failing = api.score("{}", false);
  await turn();
  log.fail(new LogError("the disk is broken"));
  await assert.rejects(failing, /the disk is broken/);
  const late = open(5);
  const problem = await problemOf(late.api.score("{}", false), "unknown");
  assert.equal(problem.retryAfter, 1);
});

Deno.test("the metrics have the syncs", async () => {
  const { stream, api } = open();
  const metrics = await api.metrics();
  const known = await stream.metrics();
  assert.deepEqual(metrics.slice(0, known.length), known);
  const values = metrics.map(({ name, value }) => [name, value]);
  assert.deepEqual(values.slice(known.length), [
    ["syncs_total", 0],
    ["sync_seconds_total", 1.5],
  ]);
});
