/**
 * Fills the index of alerts from the store, where the log no longer holds
 * everything: rows and predictions up to the positions that the store names.
 * From there on the log is read.
 */
import { rest } from "../../base/clock.ts";
import { featureRowCells } from "../../features/feature_row.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import type { Log } from "../../log/log.ts";
import { parseDatetime } from "../../payment/calendar.ts";
import { CELL } from "../../payment/payment_cells.ts";
import { idOf, type PaymentShape } from "../../payment/payment_shape.ts";
import { TextHeap } from "../../payment/text_heap.ts";
import type { StreamPosition } from "../../store/positions.ts";
import type { Store, StoreRows } from "../../store/store.ts";
import {
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
} from "../../stream/topics.ts";
import {
  type AlertIndex,
  EMPTY_STEP,
  type NewLabel,
} from "../index/alert_index.ts";

/** How often a store is read that is written to meanwhile. */
const ATTEMPTS = 5;
/** Time between two attempts. */
const PAUSE_MS = 2000;

/** Fills an index that is empty afterwards but for what the store holds. Throws StoreError or LogError, or the signal's reason. */
export async function fillFromStore(
  { index, log, store, stream, features, shape, signal }: {
    readonly index: AlertIndex;
    readonly log: Log;
    readonly store: Store;
    /** Identity of the stream. */
    readonly stream: string;
    readonly features: FeatureParameters;
    readonly shape: PaymentShape;
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
    const width = featureRowCells(features, shape);
    await readStore(index, store, { width, shape });
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
  form: RowForm,
): Promise<void> {
  const { width, shape } = form;
  for await (const rows of store.rows()) {
    const payments = [{ ...rows, width, first: 0 }];
    const labels = shape.hasLabels ? await labelsOf(store, rows, form) : [];
    await index.commit({ ...EMPTY_STEP, payments, labels });
  }
  for await (const rows of store.predictions().rows()) {
    const predictions = [{ ...rows, first: 0 }];
    await index.commit({ ...EMPTY_STEP, predictions });
  }
}

/** How rows of the store are laid out. */
interface RowForm {
  readonly width: number;
  readonly shape: PaymentShape;
}

/** The labels that hold of stored payments. Those before them are only in the log. */
async function labelsOf(
  store: Store,
  { cells, count, texts = new TextHeap() }: StoreRows,
  { width, shape }: RowForm,
): Promise<NewLabel[]> {
  const rows = Array.from({ length: count }, (_, row) => {
    const at = row * width;
    const id = idOf(shape.transactionId, cells[at + CELL.id], texts);
    const time = cells[at + CELL.time];
    return { id, time, amount: cells[at + CELL.amount] };
  });
  const found = await store.labels().newest(rows.map(({ id }) => id));
  return rows.flatMap((row) => {
    const label = found.get(row.id);
    if (!label) return [];
    const { fraud, knownAt, knownTime } = label;
    return [{
      ...row,
      fraud: fraud === 1 ? 1 : fraud === 0 ? 0 : null,
      knownAt: parseDatetime(knownAt) ?? 0,
      knownTime: parseDatetime(knownTime) ?? 0,
    }];
  });
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
  const topics = await log.topics([
    SINK_TOPIC,
    PREDICTION_TOPIC,
    TRANSACTION_LABEL_TOPIC,
  ]);
  const positions = topics.flatMap(({ name, id, startOffsets }) =>
    startOffsets.map((start, partition) => {
      // The log may have labels that are no longer the newest of their payment.
      const position = stored.find((one) =>
        one.topic === name && one.partition === partition &&
        name !== TRANSACTION_LABEL_TOPIC
      );
      const next = Math.max(start, position?.next ?? 0);
      return { topic: name, partition, topicId: id, next, mark: undefined };
    })
  );
  await index.commit({ ...EMPTY_STEP, positions });
}
