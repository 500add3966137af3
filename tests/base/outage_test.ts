import assert from "node:assert/strict";
import { Outage, type TryOptions } from "../../src/base/outage.ts";

const WAIT_FOR_EVER: TryOptions = { signal: undefined, patienceMs: Infinity };

/** An outage on a clock of its own, which goes on by `stepMs` at each look. */
function watched(stepMs = 1) {
  const reports: string[] = [];
  let nowMs = 0;
  const outage = new Outage({
    isTransient: (error) => String(error).includes("busy"),
    reasonOf: String,
    report: (level, message, { seconds }) =>
      reports.push(`${level}: ${message} (${seconds} s)`),
    pauseMs: { min: 0.1, max: 1 },
    clock: {
      now: () => nowMs += stepMs,
      sleep: (_, signal) => {
        signal?.throwIfAborted();
        return Promise.resolve();
      },
      random: () => 0.5,
    },
  });
  return { outage, reports };
}

/** Fails so many times, then succeeds. */
function failing(times: number, message = "busy"): () => Promise<string> {
  let left = times;
  return () =>
    left-- > 0 ? Promise.reject(new Error(message)) : Promise.resolve("done");
}

Deno.test("what fails for a while is tried until it succeeds, and told twice", async () => {
  const { outage, reports } = watched();
  assert.equal(await outage.run(failing(5), WAIT_FOR_EVER), "done");
  assert.deepEqual(reports, [
    "warning: the store does not answer, waiting for it (0 s)",
    "info: the store answers again (0 s)",
  ]);
});

Deno.test("what succeeds at once is not told", async () => {
  const { outage, reports } = watched();
  assert.equal(await outage.run(failing(0), WAIT_FOR_EVER), "done");
  assert.deepEqual(reports, []);
});

Deno.test("a long outage is told again every minute, a flickering one once", async () => {
  const long = watched(10_000);
  await long.outage.run(failing(20), WAIT_FOR_EVER);
  const told = long.reports.length;
  assert.ok(told >= 4 && told <= 8, long.reports.join("\n"));
  const flickering = watched();
  for (let i = 0; i < 20; i++) {
    await flickering.outage.run(failing(1), WAIT_FOR_EVER);
  }
  assert.equal(flickering.reports.length, 2, flickering.reports.join("\n"));
});

Deno.test("what will not pass is thrown at once, also in an outage", async () => {
  const { outage, reports } = watched();
  const broken = failing(1, "broken");
  await assert.rejects(outage.run(broken, WAIT_FOR_EVER), /broken/);
  assert.deepEqual(reports, []);
  let attempts = 0;
  const worse = () =>
    Promise.reject(new Error(++attempts < 3 ? "busy" : "broken"));
  await assert.rejects(outage.run(worse, WAIT_FOR_EVER), /broken/);
  assert.equal(attempts, 3);
});

Deno.test("patience ends with the last error", async () => {
  const { outage } = watched(1000);
  const options = { signal: undefined, patienceMs: 5000 };
  await assert.rejects(outage.run(failing(1000), options), /busy/);
});

Deno.test("the signal ends the tries of what goes on failing, with its reason", async () => {
  const { outage, reports } = watched();
  const stop = new AbortController();
  const reason = new Error("stop");
  let tries = 0;
  const attempt = () => {
    if (++tries === 3) stop.abort(reason);
    return Promise.reject(new Error("busy"));
  };
  const run = outage.run(attempt, { ...WAIT_FOR_EVER, signal: stop.signal });
  await assert.rejects(run, reason);
  assert.equal(tries, 3);
  assert.equal(reports.length, 1);
});

Deno.test("the signal ends a try that hangs, once there is an outage", async () => {
  const { outage } = watched();
  const stop = new AbortController();
  const reason = new Error("stop");
  let tries = 0;
  const attempt = () => {
    if (++tries === 1) return Promise.reject(new Error("busy"));
    queueMicrotask(() => stop.abort(reason));
    return new Promise<never>(() => {});
  };
  const run = outage.run(attempt, { ...WAIT_FOR_EVER, signal: stop.signal });
  await assert.rejects(run, reason);
  assert.equal(tries, 2);
});

Deno.test("a signal that is aborted already does not keep a try from succeeding", async () => {
  const { outage } = watched();
  const options = { signal: AbortSignal.abort(), patienceMs: Infinity };
  assert.equal(await outage.run(failing(0), options), "done");
});
