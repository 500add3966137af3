/**
 * Payments that a definition has mapped, as the records of one append to
 * transaction_topic. Whatever brings payments in writes them by it.
 */
import { putMappedPayment } from "../definition/mapped_row.ts";
import type { MappedPayment } from "../definition/payment_mapper.ts";
import type { Append } from "../log/log.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../log/record_batch.ts";
import { CELL } from "../payment/payment_cells.ts";
import { LabelJsonWriter, ShapedJsonWriter } from "../payment/payment_json.ts";
import { labelCells, type PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import type { StreamParameters } from "./control.ts";
import { shapeOfStream } from "./stream_definition.ts";
import { TRANSACTION_TOPIC } from "./topics.ts";

/** The records of one append, by partition. */
export class MappedRecords {
  readonly #shape: PaymentShape;
  readonly #partitioner: IdPartitioner;
  readonly #builders: RecordBatchBuilder[];
  readonly #json: ShapedJsonWriter;
  readonly #labelJson: LabelJsonWriter;
  readonly #cells: Float64Array;
  readonly #texts = new TextHeap();

  /** Writes payments of a stream. */
  constructor(parameters: StreamParameters) {
    const { partitions, partitioner } = parameters;
    const shape = shapeOfStream(parameters);
    this.#shape = shape;
    this.#partitioner = new IdPartitioner(partitions, partitioner);
    this.#json = new ShapedJsonWriter(shape);
    this.#labelJson = new LabelJsonWriter(shape, { isAccepted: false });
    this.#cells = new Float64Array(labelCells(shape).width);
    this.#builders = Array.from(
      { length: partitions },
      () => new RecordBatchBuilder(),
    );
  }

  /** Forgets all payments. */
  clear(): void {
    for (const builder of this.#builders) builder.clear();
  }

  /** Adds a payment of a stream that began at `startSeconds` and returns its partition; `rest` holds further members of its JSON object, without braces. */
  add(payment: MappedPayment, startSeconds: number, rest: string): number {
    const partition = this.#begin(payment, startSeconds);
    const builder = this.#builders[partition];
    this.#json.write(builder.writer, this.#cells, 0, this.#texts, rest);
    builder.endRecord(payment.datetimeSeconds * 1000);
    return partition;
  }

  /** Adds the label of a payment, which was known at `knownAt`, seconds since 1970. */
  addLabel(
    payment: MappedPayment,
    startSeconds: number,
    knownAt: number,
  ): void {
    const builder = this.#builders[this.#begin(payment, startSeconds)];
    const cells = this.#cells;
    cells[CELL.fraud] = payment.fraud;
    cells[CELL.scenario] = payment.scenario;
    cells[labelCells(this.#shape).knownAt] = knownAt;
    this.#labelJson.write(builder.writer, cells, 0, this.#texts);
    builder.endRecord(knownAt * 1000);
  }

  /** Adds a record of a partition as it is, with another value if one is given. */
  copy(
    batch: RecordBatch,
    index: number,
    partition: number,
    value: Uint8Array = recordValue(batch, index),
  ): void {
    const builder = this.#builders[partition];
    builder.add(recordKey(batch, index), value, batch.timestamps[index]);
  }

  /** Puts a payment into the cells and its card's key into a record; returns the record's partition. */
  #begin(payment: MappedPayment, startSeconds: number): number {
    const [cells, texts] = [this.#cells, this.#texts];
    texts.clear();
    putMappedPayment(payment, this.#shape, startSeconds, cells, 0, texts);
    const card = cells[CELL.customer];
    const isText = this.#shape.customerId === "text";
    const key = isText ? texts.view(card) : undefined;
    const partition = key
      ? this.#partitioner.partitionOfText(key)
      : this.#partitioner.partition(card);
    const builder = this.#builders[partition];
    if (key) builder.writer.bytes(key);
    else builder.writer.whole(card);
    builder.endKey();
    return partition;
  }

  /** What to append. */
  appends(): Append[] {
    return this.#builders.flatMap((records, partition) =>
      records.count > 0
        ? [{ topic: TRANSACTION_TOPIC, partition, records }]
        : []
    );
  }
}
