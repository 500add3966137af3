/**
 * Reads the labels that arrive later than their payments into a training
 * window, and knows up to which time it has read all of them: only then may
 * anything follow from the labels of that time. Each record says from when on
 * it can be learned from (KNOWN_TIME), and a partition's later ones from no
 * earlier than the progress that the first stage had. The labels of a card
 * whose partition has no new payments can still come late; they then count from
 * the next training on.
 */
import type { TrainingWindow } from "../learning/data/training_window.ts";
import { offsetAt, READ_LIMIT } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { CELL } from "../payment/payment_cells.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import { labelCells } from "../payment/payment_shape.ts";
import { partitionViews } from "../stream/alignment.ts";
import { isPlausible } from "../stream/checks.ts";
import { CommitReader } from "../stream/commit.ts";
import { isComplete, type StreamContext } from "../stream/stream_context.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  CUSTOMER_GROUP,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** How far the labels of a partition are read. */
interface LabelPosition {
  /** The next offset. */
  offset: number;
  /** Greatest progress that a label read so far proves: later ones cannot be learned from before. */
  progress: number;
  /** TX_TIME_SECONDS before which every label is read. */
  complete: number;
}

/** Reads the topic of labels. */
export class LateLabelReader {
  readonly #context: StreamContext;
  readonly #window: TrainingWindow;
  readonly #reader: ShapedJsonReader;
  readonly #commits = new CommitReader();
  #positions: LabelPosition[] | undefined;

  /** Reads into a window, beginning with the labels of its first day. */
  constructor(context: StreamContext, window: TrainingWindow) {
    this.#context = context;
    this.#window = window;
    this.#reader = new ShapedJsonReader(shapeOfStream(context.parameters));
  }

  /** Every label that can be learned from before this TX_TIME_SECONDS has been read; Infinity where no more can come. */
  get completeSeconds(): number {
    const positions = this.#positions ?? [];
    return positions.length === 0
      ? 0
      : Math.min(...positions.map(({ complete }) => complete));
  }

  /** Reads on, not far beyond TX_TIME_SECONDS `until`; returns whether there was anything. */
  async read(startSeconds: number, until: number): Promise<boolean> {
    if (this.completeSeconds > until) return false;
    const { log } = this.#context;
    const positions = this.#positions ??= await this.#beginnings(startSeconds);
    // What the first stage has done is looked at before the end of its output.
    const bounds = await this.#bounds();
    const ends = await log.endOffsets(TRANSACTION_LABEL_TOPIC) ?? [];
    let moved = false;
    for (const [partition, position] of positions.entries()) {
      if (position.progress <= until && position.offset < ends[partition]) {
        const { offset } = position;
        const batch = await log.read(
          TRANSACTION_LABEL_TOPIC,
          partition,
          offset,
          READ_LIMIT,
        );
        this.#take(batch, partition, startSeconds);
        position.offset = batch.next;
        moved ||= batch.next > offset;
      }
      const isAtEnd = position.offset >= ends[partition];
      position.complete = Math.max(
        position.complete,
        position.progress,
        isAtEnd ? bounds[partition] : 0,
      );
    }
    return moved;
  }

  /** Where reading begins: no label before it is of a payment that the window keeps. */
  async #beginnings(startSeconds: number): Promise<LabelPosition[]> {
    const { log, parameters } = this.#context;
    const first = this.#window.firstDay * DAY_SECONDS;
    const timeMs = (startSeconds + first) * 1000;
    const partitions = [...Array(parameters.partitions).keys()];
    return await Promise.all(partitions.map(async (partition) => ({
      offset: first === 0
        ? 0
        : await offsetAt(log, TRANSACTION_LABEL_TOPIC, partition, timeMs),
      progress: first,
      complete: first,
    })));
  }

  #take(batch: RecordBatch, partition: number, startSeconds: number): void {
    const { parameters } = this.#context;
    const reader = this.#reader;
    const { cells, texts } = reader;
    const { knownTime } = labelCells(shapeOfStream(parameters));
    const position = this.#positions?.[partition];
    if (position === undefined) return;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const defect = reader.read(batch.bytes, from, to, startSeconds);
      if (defect || !reader.isLabel) continue; // another program's
      const time = cells[CELL.time];
      if (!isPlausible(time, position.progress, parameters)) continue;
      const knownAt = reader.knownSeconds;
      const learnable = cells[knownTime] - startSeconds;
      position.progress = Math.max(
        position.progress,
        // Labels are only taken of payments that the progress has passed.
        learnable > knownAt ? learnable : time,
      );
      this.#window.label({
        id: cells[CELL.id],
        day: Math.floor(time / DAY_SECONDS),
        knownAt,
        knownTime: learnable,
        fraud: cells[CELL.fraud],
        partition,
      }, texts);
    }
  }

  /** For each partition, the time before which the labels that are still to be written cannot be learned from. */
  async #bounds(): Promise<number[]> {
    const { log, parameters } = this.#context;
    const views = await partitionViews(
      log,
      CUSTOMER_GROUP,
      TRANSACTION_TOPIC,
      this.#commits,
    );
    const isAllTaken = views.every(({ drained }) => drained);
    if (
      isAllTaken && await isComplete(this.#context, TRANSACTION_LABEL_TOPIC)
    ) {
      return views.map(() => Infinity);
    }
    // A source that has no payments now goes on where the others are.
    const newest = Math.max(...views.map(({ progress }) => progress));
    const others = newest - parameters.latenessSeconds;
    return views.map(({ progress, drained }) =>
      drained ? Math.max(progress, others) : progress
    );
  }
}
