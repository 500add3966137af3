/**
 * The writer's part for labels that arrive later: stores what the first stage
 * has accepted. As with payments, it stores the rows before the offset, so a
 * crash repeats some rows with the same values.
 */
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { CELL } from "../payment/payment_cells.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import { labelCells, type PaymentShape } from "../payment/payment_shape.ts";
import { labelOf, type LabelStore, type StoredLabel } from "../store/labels.ts";
import { idTooLarge, type Progress, type Verdict } from "../stream/checks.ts";
import {
  type Output,
  runStage,
  type StageRun,
  type StageState,
  type StageWork,
} from "../stream/stage.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import {
  LABEL_WRITER_GROUP,
  TRANSACTION_LABEL_TOPIC,
} from "../stream/topics.ts";
import {
  type FillOptions,
  fillStage,
  type StoredRows,
  type WriterBounds,
} from "../stream/writer_position.ts";

/** How the writer of labels is run. */
export interface LabelWriterOptions extends FillOptions {
  /** Where the labels go. */
  readonly store: LabelStore;
}

/** Stores labels until no more can come and all are stored, or the context's signal; ends at once in a stream whose payments carry their labels. */
export async function runLabelWriter(
  context: StreamContext,
  options: LabelWriterOptions,
): Promise<void> {
  if (!shapeOfStream(context.parameters).hasLabels) return;
  const isStored = await runStage(context, await labelStage(context, options));
  if (isStored) context.logger.info("all labels are stored");
}

/** The writer of a stream's labels, with its table checked. */
export async function labelStage(
  context: StreamContext,
  options: LabelWriterOptions,
): Promise<StageRun<StoredRows<readonly StoredLabel[]>>> {
  const { store } = options;
  const shape = shapeOfStream(context.parameters);
  return await fillStage<readonly StoredLabel[]>({
    context,
    group: LABEL_WRITER_GROUP,
    topic: TRANSACTION_LABEL_TOPIC,
    table: store,
    options,
    work: (state, bounds) => new LabelWork(shape, state, bounds),
    write: (blocks, positions) =>
      store.write(blocks.flat(), context.signal, positions),
  });
}

class LabelWork implements StageWork<StoredRows<readonly StoredLabel[]>> {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #bounds: WriterBounds;
  readonly #partition: number;
  readonly #progress: Progress;
  readonly #shape: PaymentShape;
  readonly #reader: ShapedJsonReader;
  #startSeconds: number | undefined;
  #labels: StoredLabel[] = [];

  constructor(
    shape: PaymentShape,
    { partition, progress }: StageState,
    bounds: WriterBounds,
  ) {
    this.#shape = shape;
    this.#reader = new ShapedJsonReader(shape);
    this.#partition = partition;
    this.#progress = progress;
    this.#bounds = bounds;
  }

  async begin(): Promise<void> {
    this.#startSeconds = await this.#bounds.startSeconds();
    this.#labels = [];
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const reader = this.#reader;
    const { bytes } = batch;
    const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
    const defect = reader.read(bytes, from, to, this.#startSeconds);
    if (defect) return defect;
    if (!reader.isLabel) {
      return { reason: "missing field", message: "KNOWN_AT is missing" };
    }
    if (this.#shape.transactionId === "text") return "accept";
    return idTooLarge(reader.cells[CELL.id], this.#bounds.idMax) ?? "accept";
  }

  take(offset: number, output: Output | undefined): void {
    const { cells } = this.#reader;
    const { knownTime } = labelCells(this.#shape);
    const start = cells[CELL.datetime] - cells[CELL.time];
    this.#progress.advance(cells[knownTime] - start, offset);
    this.taken.frauds = cells[CELL.fraud] === 1 ? 1 : 0;
    if (!output) return;
    const place = { partition: this.#partition, offset };
    this.#labels.push(labelOf(this.#reader, this.#shape, place));
  }

  finish(): StoredRows<readonly StoredLabel[]> {
    const rows = this.#labels;
    return { rows, lastId: rows.at(-1)?.transactionId };
  }
}
