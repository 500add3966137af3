/**
 * Every interruption of a small exactly-once job, one after the other: the
 * first exchange with the brokers fails, then the second, and so on, in each of
 * several ways, until a run meets no fault. All records come once, in order.
 */
import assert from "node:assert/strict";
import { forEachSeed } from "../../long.ts";
import type { Fault } from "./scripted/scripted_kafka.ts";
import { runJob } from "./scripted/scripted_job.ts";

const FAULTS: readonly Fault[] = [
  "request lost",
  "answer lost",
  "silence",
  "late",
  "slow",
  "repeated",
  "moved",
  "loading",
  "fenced",
];

/** Runs the job with a fault in its n-th exchange, for every n; gives how many runs there were. */
async function interruptAll(fault: Fault, seed: number): Promise<number> {
  for (let n = 1;; n++) {
    let name: string | undefined;
    try {
      await runJob({
        seed,
        isFenced: fault === "fenced",
        script: (exchange) => {
          if (exchange.number !== n) return undefined;
          name = exchange.name;
          return fault;
        },
      });
    } catch (cause) {
      const where = `${fault} at exchange ${n} (${name})`;
      throw new Error(`${where}: ${(cause as Error).message}`, { cause });
    }
    if (name === undefined) return n;
  }
}

for (const fault of FAULTS) {
  Deno.test(`exactly once, whichever exchange is ${fault}`, async () => {
    await forEachSeed(1, 20, async (seed) => {
      assert.ok(await interruptAll(fault, seed) > 50);
    });
  });
}

Deno.test("without a fault nothing is reported but assignments", async () => {
  const { reports, tookMs } = await runJob({
    seed: 1,
    script: () => undefined,
  });
  assert.deepEqual([...new Set(reports)], ["partitions assigned"]);
  assert.ok(tookMs < 5000, `${tookMs} ms`);
});
