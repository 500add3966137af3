/**
 * Fills the index of alerts from the store, where the log no longer holds
 * everything: rows and predictions up to the positions that the store names.
 * From there on the log is read.
 */
import { rest } from "../../base/clock.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../../features/parameters.ts";
import type { Log } from "../../log/log.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import type { StreamPosition } from "../../store/positions.ts";
import type { Store } from "../../store/store.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../stream/topics.ts";
import { type AlertIndex, EMPTY_STEP } from "../index/alert_index.ts";

/** How often a store is read that is written to meanwhile. */
const ATTEMPTS = 5;
/** Time between two attempts. */
const PAUSE_MS = 2000;

/** Fills an index that is empty afterwards but for what the store holds. Throws StoreError or LogError, or the signal's reason. */
export async function fillFromStore(
  { index, log, store, stream, features, signal }: {
    readonly index: AlertIndex;
    readonly log: Log;
    readonly store: Store;
    /** Identity of the stream. */
    readonly stream: string;
    readonly features: FeatureParameters;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const positions = async () =>
    (await store.positions()).filter((position) =>
      position.stream === stream &&
      (position.topic === SINK_TOPIC || position.topic === PREDICTION_TOPIC)
    );
  for (let attempt = 1;; attempt++) {
    const before = await positions();
    index.reset();
    await readStore(index, store, PAYMENT_CELLS + featureCount(features));
    const after = await positions();
    // Rows that came meanwhile may be there or not, so the store is read again.
    if (attempt === ATTEMPTS || offsetsOf(before) === offsetsOf(after)) {
      return await begin(index, log, after);
    }
    await rest(PAUSE_MS, signal);
    signal.throwIfAborted();
  }
}

async function readStore(
  index: AlertIndex,
  store: Store,
  width: number,
): Promise<void> {
  for await (const { cells, count } of store.rows()) {
    const payments = [{ cells, count, width, first: 0 }];
    await index.commit({ ...EMPTY_STEP, payments });
  }
  for await (const rows of store.predictions().rows()) {
    const predictions = [{ ...rows, first: 0 }];
    await index.commit({ ...EMPTY_STEP, predictions });
  }
}

function offsetsOf(positions: readonly StreamPosition[]): string {
  return positions.map(({ topic, partition, next }) =>
    `${topic}/${partition}/${next}`
  ).sort().join();
}

/** The index goes on behind the rows of the store. */
async function begin(
  index: AlertIndex,
  log: Log,
  stored: readonly StreamPosition[],
): Promise<void> {
  const topics = await log.topics([SINK_TOPIC, PREDICTION_TOPIC]);
  const positions = topics.flatMap(({ name, id, startOffsets }) =>
    startOffsets.map((start, partition) => {
      const position = stored.find((one) =>
        one.topic === name && one.partition === partition
      );
      const next = Math.max(start, position?.next ?? 0);
      return { topic: name, partition, topicId: id, next, mark: undefined };
    })
  );
  await index.commit({ ...EMPTY_STEP, positions });
}
