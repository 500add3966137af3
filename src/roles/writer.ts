/**
 * The writer: stores the records of the sink topic. It stores the rows before
 * the offset, so a crash repeats some rows with the same values and loses none.
 */
import { FeatureJsonReader } from "../features/feature_row.ts";
import { CELL } from "../payment/payment_cells.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { joinRows, textCellsOf } from "../store/cell_rows.ts";
import type { Store, StoreRows } from "../store/store.ts";
import { type PaymentTable, paymentTable } from "../store/tables.ts";
import {
  idTooLarge,
  implausible,
  Progress,
  type Verdict,
} from "../stream/checks.ts";
import {
  type Output,
  runStage,
  type StageRun,
  type StageState,
  type StageWork,
} from "../stream/stage.ts";
import { featuresOf, type StreamContext } from "../stream/stream_context.ts";
import { SINK_TOPIC, WRITER_GROUP } from "../stream/topics.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  type FillOptions,
  fillStage,
  lastIdOf,
  type StoredRows,
  type WriterBounds,
} from "../stream/writer_position.ts";

/** How the writer is run. */
export interface WriterOptions extends FillOptions {
  /** Where the rows go. */
  readonly store: Store;
  /** Called with what has been stored: cells, their width, number of rows. */
  readonly stored?: (
    cells: Float64Array,
    width: number,
    count: number,
  ) => void;
}

/** Stores until the sink topic is complete and stored, or the context's signal. */
export async function runWriter(
  context: StreamContext,
  options: WriterOptions,
): Promise<void> {
  const isStored = await runStage(context, await writerStage(context, options));
  if (isStored) context.logger.info("everything is stored");
}

/** The writer of a stream, with its table checked. */
export async function writerStage(
  context: StreamContext,
  options: WriterOptions,
): Promise<StageRun<StoredRows<StoreRows>>> {
  const { store, stored } = options;
  const features = featuresOf(context);
  const table = paymentTable(features, shapeOfStream(context.parameters));
  const { width } = table;
  const textCells = textCellsOf(table);
  return await fillStage<StoreRows>({
    context,
    group: WRITER_GROUP,
    topic: SINK_TOPIC,
    table: store,
    options,
    work: (state, bounds) => {
      const reader = new FeatureJsonReader(features, table.shape);
      return new WriterWork(reader, table, state, bounds);
    },
    write: async (blocks, positions) => {
      const rows = joined(blocks, width, textCells);
      await store.write(rows, context.signal, positions);
      stored?.(rows.cells, width, rows.count);
    },
  });
}

/** Rows of `width` cells as one block. */
function joined(
  blocks: readonly StoreRows[],
  width: number,
  textCells: readonly number[],
): StoreRows {
  if (blocks.length === 1) return blocks[0];
  const { cells, texts } = joinRows(blocks, width, textCells);
  return { cells, texts, count: cells.length / width };
}

class WriterWork implements StageWork<StoredRows<StoreRows>> {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #bounds: WriterBounds;
  readonly #progress: Progress;
  readonly #reader: FeatureJsonReader;
  readonly #table: PaymentTable;
  readonly #width: number;
  #startSeconds: number | undefined;
  #cells = new Float64Array(0);
  readonly #texts = new TextHeap();
  #count = 0;

  constructor(
    reader: FeatureJsonReader,
    table: PaymentTable,
    { progress }: StageState,
    bounds: WriterBounds,
  ) {
    this.#bounds = bounds;
    this.#progress = progress;
    this.#reader = reader;
    this.#table = table;
    this.#width = table.width;
  }

  async begin({ count }: RecordBatch): Promise<void> {
    this.#startSeconds = await this.#bounds.startSeconds();
    this.#count = 0;
    this.#texts.clear();
    const length = count * this.#width;
    if (this.#cells.length < length) this.#cells = new Float64Array(length);
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const at = this.#count * this.#width;
    const cells = this.#cells;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      this.#startSeconds,
      cells,
      at,
      this.#texts,
    ) ?? idTooLarge(cells[at + CELL.id], this.#bounds.idMax);
    if (defect) return defect;
    const time = cells[at + CELL.time];
    if (this.#progress.isPlausible(time)) return "accept";
    return implausible(`TX_TIME_SECONDS ${time} is`, this.#progress);
  }

  take(offset: number, output: Output | undefined): void {
    const at = this.#count * this.#width;
    this.#progress.advance(this.#cells[at + CELL.time], offset);
    this.taken.frauds = this.#cells[at + CELL.fraud] === 1 ? 1 : 0;
    if (output) this.#count++;
  }

  finish(): StoredRows<StoreRows> {
    const rows = {
      cells: this.#cells,
      texts: this.#texts,
      count: this.#count,
    };
    return { rows, lastId: lastIdOf(rows, this.#table) };
  }
}
