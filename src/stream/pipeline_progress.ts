/** How far the pipeline has come, for roles beside it. */
import type { StoredTable } from "../store/positions.ts";
import { readCommit, takenOffset } from "./commit.ts";
import type { StreamContext } from "./stream_context.ts";
import {
  CUSTOMER_GROUP,
  PIPELINE,
  SINK_TOPIC,
  TRANSACTION_TOPIC,
} from "./topics.ts";

/** How often it is looked at what the pipeline has done, in milliseconds. */
const LOOK_MS = 100;
/** How long something is waited for before that is reported. */
const PATIENCE_MS = 10_000;

/**
 * Greatest TX_TIME_SECONDS that the first stage has taken from any partition;
 * waits until it says how far it is in each that has payments. Throws the
 * reason of the context's signal.
 */
export async function newestPayment(context: StreamContext): Promise<number> {
  let newest = 0;
  await until(context, "the processor to take the payments", async () => {
    const { log } = context;
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
    const commits = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
    const known = ends.map((end, partition) =>
      end === 0 ? 0 : readCommit(commits[partition])?.progress
    );
    const all = known.filter((progress) => progress !== undefined);
    newest = Math.max(0, ...all);
    return all.length === known.length;
  });
  return newest;
}

/**
 * Waits until the store holds what stands before some offsets of the payments'
 * topic, by its own positions: its writer may have done more before the store
 * was replaced by an older copy. Throws the reason of the context's signal.
 */
export async function untilStored(
  context: StreamContext,
  store: Pick<StoredTable, "positions">,
  paymentEnds: readonly number[],
): Promise<void> {
  const { log } = context;
  let ends = paymentEnds;
  for (const [at, { group, topic }] of STAGES.entries()) {
    await until(context, "the processor to take the payments", async () => {
      const reached = (await log.committed(group, topic)).map(takenOffset);
      return ends.every((end, i) => (reached[i] ?? 0) >= end);
    });
    // What has been taken is in the next topic by now.
    ends = await log.endOffsets(PIPELINE[at + 1].topic) ?? [];
  }
  await until(context, "the writer to store the payments", async () => {
    const reached = await storedOffsets(context, store);
    return ends.every((end, i) => end === 0 || (reached.get(i) ?? 0) >= end);
  });
}

/** The processor's stages. */
const STAGES = PIPELINE.slice(0, 2);

/** How far each partition of the processor's output is stored; none where the store has no position of it. */
async function storedOffsets(
  { control, signal }: StreamContext,
  store: Pick<StoredTable, "positions">,
): Promise<Map<number, number>> {
  const stream = control.identity?.id;
  return new Map(
    (await store.positions(signal))
      .filter((position) =>
        position.topic === SINK_TOPIC && position.stream === stream
      )
      .map(({ partition, next }) => [partition, next]),
  );
}

/** Waits until something is so; reports a long wait. Throws the reason of the context's signal. */
async function until(
  { log, logger, signal }: StreamContext,
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let isReported = false;
  while (!await isSo()) {
    if (!isReported && performance.now() > deadline) {
      isReported = true;
      logger.warn("labels wait", {
        for: what,
        then: "going on as soon as that is done; start the role that is " +
          "missing if none runs",
      });
    }
    await log.changed(LOOK_MS, signal);
    signal.throwIfAborted();
  }
  if (isReported) logger.info("labels wait no longer", { for: what });
}
