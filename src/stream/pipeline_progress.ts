/** How far the pipeline has come, for roles beside it. */
import { rest } from "../base/clock.ts";
import type { Log } from "../log/log.ts";
import { parseCommit } from "./commit.ts";
import type { StreamContext } from "./stream_context.ts";
import { CUSTOMER_GROUP, PIPELINE, TRANSACTION_TOPIC } from "./topics.ts";

/** How often it is looked at what the writer has stored, in milliseconds. */
const LOOK_MS = 100;

/** Greatest TX_TIME_SECONDS that the first stage has taken from any partition; 0 before the first. */
export async function newestPayment(log: Log): Promise<number> {
  const commits = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
  return Math.max(0, ...commits.map((commit) => parseCommit(commit).progress));
}

/** Waits until the writer has stored what stands before some offsets of the payments' topic. Throws the reason of the context's signal. */
export async function untilStored(
  { log, signal }: StreamContext,
  paymentEnds: readonly number[],
): Promise<void> {
  let ends = paymentEnds;
  for (const [at, { group, topic }] of PIPELINE.entries()) {
    for (;;) {
      const commits = await log.committed(group, topic);
      if (ends.every((end, i) => (commits[i]?.offset ?? 0) >= end)) break;
      await rest(LOOK_MS, signal);
      signal.throwIfAborted();
    }
    const next = PIPELINE[at + 1];
    // What has been taken is in the next topic by now.
    if (next) ends = await log.endOffsets(next.topic) ?? [];
  }
}
