/** The features of a payment that was decided about: from the log where that has just happened, else from the store. */
import { rest } from "../base/clock.ts";
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import { featureNames } from "../features/parameters.ts";
import { readRange } from "../log/log.ts";
import { valueEnd, valueStart } from "../log/record_batch.ts";
import type { TransactionId } from "../payment/payment.ts";
import { CELL, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { idOf, type PaymentShape } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import type { LookUp } from "../store/look_up.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import { featuresOf, type StreamContext } from "../stream/stream_context.ts";
import { SINK_TOPIC } from "../stream/topics.ts";

/** How often it looks into a store that does not have the payment yet, milliseconds. */
const LOOK_MS = 20;

/** Reads features. */
export class FeatureReader {
  /** Their names, in the order of the values. */
  readonly names: readonly string[];
  readonly #context: StreamContext;
  readonly #lookUp: Pick<LookUp, "payment">;
  readonly #shape: PaymentShape;
  readonly #json: FeatureJsonReader;
  readonly #cells: Float64Array;
  readonly #texts = new TextHeap();

  /** Reads those of a stream. */
  constructor(context: StreamContext, lookUp: Pick<LookUp, "payment">) {
    const features = featuresOf(context);
    this.#context = context;
    this.#lookUp = lookUp;
    this.#shape = shapeOfStream(context.parameters);
    this.names = featureNames(features);
    this.#json = new FeatureJsonReader(features, this.#shape);
    this.#cells = new Float64Array(featureRowCells(features, this.#shape));
  }

  /** The features of a payment whose row is in a partition of the sink from an offset on; undefined if it is not. */
  async fromLog(
    id: TransactionId,
    partition: number,
    from: number,
  ): Promise<readonly number[] | undefined> {
    const { log } = this.#context;
    const cells = this.#cells;
    const texts = this.#texts;
    const batches = readRange(log, SINK_TOPIC, partition, from, Infinity);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        texts.clear();
        const [start, end] = [valueStart(batch, i), valueEnd(batch, i)];
        const defect = this.#json.read(
          batch.bytes,
          start,
          end,
          undefined,
          cells,
          0,
          texts,
        );
        if (defect) continue;
        const found = idOf(this.#shape.transactionId, cells[CELL.id], texts);
        if (found !== id) continue;
        return [
          ...cells.subarray(PAYMENT_CELLS, PAYMENT_CELLS + this.names.length),
        ];
      }
    }
    return undefined;
  }

  /** The features of a payment in the store; waits until it is there, undefined if that takes longer than the deadline (milliseconds of performance.now()). */
  async fromStore(
    id: TransactionId,
    deadline: number,
  ): Promise<readonly number[] | undefined> {
    const { signal } = this.#context;
    while (!signal.aborted) {
      const found = await this.#lookUp.payment(id);
      if (found) return found.features;
      if (performance.now() > deadline) return undefined;
      await rest(LOOK_MS, signal);
    }
    return undefined;
  }
}
