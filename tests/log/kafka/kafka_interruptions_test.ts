/**
 * Every interruption of a small exactly-once job, one after the other: the
 * first exchange with the brokers fails, then the second, and so on, in each of
 * several ways, until a run meets no fault. Then several at once, while
 * consumers come and go. All records come once, in order.
 */
import assert from "node:assert/strict";
import { chance, forEachSeed } from "../../long.ts";
import { type JobOptions, runJob } from "./scripted/scripted_job.ts";
import {
  accidents,
  faultName,
  NAMED_FAULTS,
  type PlainFault,
} from "./scripted/faults.ts";

const FAULTS: readonly PlainFault[] = [
  ...NAMED_FAULTS,
  // Before it is sent again, in the next transaction, and much later.
  ...[4, 16, 22, 26, 30, 45, 80].map((lateMs) => ({ lateMs })),
];

/** Runs the job; an error says what was done to it. */
async function run(options: JobOptions): Promise<number> {
  try {
    return (await runJob(options)).exchanges;
  } catch (cause) {
    const { faults, ...others } = options;
    const what = JSON.stringify({ faults: [...faults], ...others });
    throw new Error(`${what}: ${(cause as Error).message}`, { cause });
  }
}

for (const fault of FAULTS) {
  Deno.test(`exactly once, whichever exchange is ${faultName(fault)}`, async () => {
    await forEachSeed(1, 20, async (seed) => {
      for (let n = 1;; n++) {
        const faults = new Map([[n, fault]]);
        if (await run({ seed, faults }) < n) return assert.ok(n > 50);
      }
    });
  });
}

for (const fault of ["request lost", "answer lost"] as const) {
  Deno.test(`exactly once, whichever exchange is ${fault} as a consumer is told to stop`, async () => {
    for (let n = 1;; n++) {
      const faults = new Map([[n, fault]]);
      const options = { seed: 1, faults, joins: [], stops: [n] };
      if (await run(options) < n) return assert.ok(n > 40);
    }
  });
}

Deno.test("exactly once on one broker, whichever answer is lost", async () => {
  for (let n = 1;; n++) {
    const faults = new Map([[n, "answer lost" as const]]);
    if (await run({ seed: 1, faults, brokers: 1 }) < n) break;
  }
});

Deno.test("exactly once, whatever fails while consumers come and go", async () => {
  await forEachSeed(300, 3000, async (seed) => {
    const random = chance(seed);
    const chosen = accidents(random, FAULTS, {
      exchanges: 120,
      changes: 80,
    });
    const stepMs = random() < 0.3 ? Math.floor(random() * 1500) : 0;
    await run({ seed, ...chosen, stepMs });
  });
});

Deno.test("without a fault nothing is reported but assignments", async () => {
  const { reports, tookMs } = await runJob({ seed: 1, faults: new Map() });
  assert.deepEqual([...new Set(reports)], ["partitions assigned"]);
  assert.ok(tookMs < 5000, `${tookMs} ms`);
});
