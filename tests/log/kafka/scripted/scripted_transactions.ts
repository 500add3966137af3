/**
 * The transaction coordinator of the scripted Kafka. What it answers in which
 * state is what Kafka 4.2 answers: tests/integration/kafka_transcript.ts asks
 * both the same.
 */
import type { Clock } from "../../../../src/base/clock.ts";

const CODES = {
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  producerFenced: 90,
} as const;
/** How long it takes until an end is written to all partitions, milliseconds. */
const MARKERS_MS = 2;

/** How a transaction ends. */
export type Outcome = "commit" | "abort";

interface Transaction {
  producerId: bigint;
  epoch: number;
  /** The epoch before, if its producer has renewed itself; else -1. */
  lastEpoch: number;
  timeoutMs: number;
  state: "empty" | "ongoing" | "ending" | "ended";
  outcome: Outcome;
  /** Partitions and groups that take part. */
  places: Set<string>;
  began: number;
}

/** Ends a transaction in one of its partitions or groups. */
export type Mark = (
  place: string,
  producerId: bigint,
  epoch: number,
  outcome: Outcome,
) => void;

/** All transactional ids. */
export class ScriptedTransactions {
  readonly #clock: Clock;
  readonly #mark: Mark;
  readonly #transactions = new Map<string, Transaction>();
  #producerIds = 0n;

  /** Knows none yet. */
  constructor(clock: Clock, mark: Mark) {
    this.#clock = clock;
    this.#mark = mark;
  }

  /** Becomes the producer; `from` is what a producer that renews itself was. */
  init(
    id: string | null,
    timeoutMs: number,
    from: { producerId: bigint; epoch: number } | undefined,
  ): { code: number; producerId: bigint; epoch: number } {
    if (id === null) {
      return { code: 0, producerId: this.#producerIds++, epoch: 0 };
    }
    const known = this.#transactions.get(id);
    const t: Transaction = known ?? {
      producerId: this.#producerIds++,
      epoch: -1,
      lastEpoch: -1,
      timeoutMs,
      state: "empty",
      outcome: "commit",
      places: new Set(),
      began: 0,
    };
    this.#transactions.set(id, t);
    const refused = (code: number) => ({ code, producerId: -1n, epoch: -1 });
    if (from && t.epoch >= 0 && from.producerId !== t.producerId) {
      return refused(CODES.producerFenced);
    }
    if (t.state === "ongoing") this.#fence(t);
    if (t.state === "ending") return refused(CODES.concurrentTransactions);
    if (!from || t.epoch < 0) {
      t.lastEpoch = -1;
      t.epoch++;
    } else if (from.epoch === t.epoch) t.lastEpoch = t.epoch++;
    else if (from.epoch !== t.lastEpoch) return refused(CODES.producerFenced);
    t.timeoutMs = timeoutMs;
    return { code: 0, producerId: t.producerId, epoch: t.epoch };
  }

  /** Adds partitions or groups to the transaction, which begins with the first; gives an error code. */
  add(
    id: string,
    producerId: bigint,
    epoch: number,
    places: readonly string[],
  ): number {
    const t = this.#transactions.get(id);
    if (t?.producerId !== producerId) return CODES.invalidProducerIdMapping;
    if (t.epoch !== epoch) return CODES.invalidProducerEpoch;
    if (t.state === "ending") return CODES.concurrentTransactions;
    if (t.state !== "ongoing") {
      t.state = "ongoing";
      t.places = new Set();
      t.began = this.#clock.now();
    }
    for (const place of places) t.places.add(place);
    return 0;
  }

  /** Ends the transaction; gives an error code. */
  end(
    id: string,
    producerId: bigint,
    epoch: number,
    outcome: Outcome,
  ): number {
    const t = this.#transactions.get(id);
    if (t?.producerId !== producerId) return CODES.invalidProducerIdMapping;
    if (t.epoch !== epoch) return CODES.invalidProducerEpoch;
    if (t.state === "ongoing") {
      this.#end(t, outcome);
      return 0;
    }
    if (t.state === "empty" || t.outcome !== outcome) {
      return CODES.invalidTransactionState;
    }
    return t.state === "ending" ? CODES.concurrentTransactions : 0;
  }

  /** Whether a place takes part in a producer's open transaction: an error code. */
  verify(place: string, producerId: bigint, epoch: number): number {
    const t = [...this.#transactions.values()].find((one) =>
      one.producerId === producerId
    );
    if (!t) return CODES.invalidProducerIdMapping;
    if (t.epoch !== epoch) return CODES.invalidProducerEpoch;
    if (t.state === "ending") return CODES.concurrentTransactions;
    const isOpen = t.state === "ongoing" && t.places.has(place);
    return isOpen ? 0 : CODES.invalidTransactionState;
  }

  /** Gives up what takes longer than it may. */
  expire(): void {
    for (const t of this.#transactions.values()) {
      const age = this.#clock.now() - t.began;
      if (t.state === "ongoing" && age > t.timeoutMs) this.#fence(t);
    }
  }

  /** Gives up the open transaction with a newer epoch, which its producer does not have. */
  #fence(t: Transaction): void {
    t.lastEpoch = t.epoch++;
    this.#end(t, "abort");
  }

  async #end(t: Transaction, outcome: Outcome): Promise<void> {
    t.state = "ending";
    t.outcome = outcome;
    const { producerId, epoch } = t;
    await this.#clock.sleep(MARKERS_MS);
    for (const place of t.places) this.#mark(place, producerId, epoch, outcome);
    t.state = "ended";
  }
}
