/**
 * Follows what becomes of payments: the predictions, and the dead letters of
 * transaction_topic. It begins where the store ends, so that every prediction
 * is either stored or read here, and frees memory as the store follows.
 */
import { rest } from "../base/clock.ts";
import type { RecordBatch } from "../log/record_batch.ts";
import type { LogPlace } from "../log/log.ts";
import { recordValue, valueEnd, valueStart } from "../log/record_batch.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../payment/prediction.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import { runTogether } from "../roles/together.ts";
import type { StoredTable } from "../store/positions.ts";
import { parsedLetter } from "../stream/dead_letters.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import {
  DEAD_LETTER_TOPIC,
  PREDICTION_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";
import { answerOf } from "./answer.ts";
import type { AnswerDesk } from "./answer_desk.ts";
import type { KnownAnswers } from "./known_answers.ts";

/** How often it asks the store how far it is, while there is something to forget. */
const FORGET_MS = 1000;

/** What it reads for. */
export interface OutcomeOptions {
  /** The stream. */
  readonly context: StreamContext;
  /** The predictions that are stored. */
  readonly predictions: Pick<StoredTable, "positions">;
  /** The newest answers. */
  readonly known: KnownAnswers;
  /** Who waits for outcomes. */
  readonly desk: Pick<AnswerDesk, "decided" | "refused">;
}

/** Reads outcomes and hands them to the desk. */
export class OutcomeReader {
  readonly #options: OutcomeOptions;
  readonly #shape: PaymentShape;
  readonly #json: PredictionJsonReader;
  #rows: PredictionRows = emptyPredictions(0);
  #capacity = 0;
  /** Partitions whose end it has not reached yet. */
  #behind = Infinity;

  /** Reads for a desk. */
  constructor(options: OutcomeOptions) {
    this.#options = options;
    this.#shape = shapeOfStream(options.context.parameters);
    this.#json = new PredictionJsonReader(this.#shape);
  }

  /** Whether it has read all that was there when it began. */
  get isCaughtUp(): boolean {
    return this.#behind === 0;
  }

  /** Reads until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options.context;
    const stored = await this.#storedBelow();
    const [predictions, letters] = await log.topics([
      PREDICTION_TOPIC,
      DEAD_LETTER_TOPIC,
    ]);
    const places = predictions.endOffsets.map((end, partition) => {
      const start = predictions.startOffsets[partition];
      const from = Math.max(stored.get(partition) ?? 0, start);
      return {
        topic: PREDICTION_TOPIC,
        partition,
        offset: Math.min(end, from),
      };
    });
    const [letter] = letters.endOffsets;
    places.push({ topic: DEAD_LETTER_TOPIC, partition: 0, offset: letter });
    this.#behind = places.length;
    await runTogether({ signal }, [
      ...places.map((place) => ({ signal }: { signal: AbortSignal }) =>
        this.#follow(place, signal)
      ),
      ({ signal }) => this.#forget(signal),
    ]);
  }

  /** Takes what comes in a partition. */
  async #follow(place: LogPlace, signal: AbortSignal): Promise<void> {
    const { log } = this.#options.context;
    const { topic, partition } = place;
    let at: number | undefined = place.offset;
    for await (const batch of log.tail(place, signal)) {
      if (topic === PREDICTION_TOPIC) this.#take(batch, partition);
      else this.#takeLetters(batch);
      if (at === undefined) continue;
      at = batch.next === at ? undefined : batch.next;
      if (at === undefined) this.#behind--;
    }
  }

  /** Frees memory, as far as the store follows. */
  async #forget(signal: AbortSignal): Promise<void> {
    const { known } = this.#options;
    while (!signal.aborted) {
      await rest(FORGET_MS, signal);
      if (signal.aborted || !known.isLarge) continue;
      try {
        known.forget(await this.#storedBelow());
      } catch {
        // A store that does not answer has not followed.
      }
    }
  }

  /** Offset below which the predictions of each partition are stored. */
  async #storedBelow(): Promise<Map<number, number>> {
    const { context: { control, signal }, predictions } = this.#options;
    const stream = control.identity?.id;
    const positions = await predictions.positions(signal);
    return new Map(
      positions.filter((position) =>
        position.topic === PREDICTION_TOPIC && position.stream === stream
      ).map(({ partition, next }) => [partition, next]),
    );
  }

  #take(batch: RecordBatch, partition: number): void {
    const { desk } = this.#options;
    if (this.#capacity < batch.count) {
      this.#capacity = batch.count;
      this.#rows = emptyPredictions(batch.count);
    }
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const defect = this.#json.read(batch.bytes, from, to, this.#rows, 0);
      if (defect) continue; // another program's; the writer refuses it too
      const place = { partition, offset: batch.offsets[i] };
      const answer = answerOf(this.#rows, 0, place, this.#shape);
      desk.decided(answer.id, answer);
    }
  }

  #takeLetters(batch: RecordBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const letter = parsedLetter(recordValue(batch, i));
      if (letter?.topic !== TRANSACTION_TOPIC) continue;
      const { partition, offset, reason, message } = letter;
      this.#options.desk.refused(partition, offset, { reason, message });
    }
  }
}
