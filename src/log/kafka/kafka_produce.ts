/**
 * Batches on their way to the leaders of their partitions, and where their
 * records are then. A batch without an answer is sent again: the broker knows
 * it by its sequence number, keeps it once, and answers with its offset.
 */
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import type { KafkaError } from "./kafka_error.ts";
import type { ProducerIdentity } from "./kafka_group_requests.ts";
import { encodeBatches } from "./kafka_records.ts";
import {
  type BrokerNode,
  placeOf,
  type ProduceBatch,
  produceRequest,
} from "./kafka_requests.ts";
import type { Append, OffsetRun } from "../log.ts";

/** The longest batch, except for one longer record: less than the 1 MiB that a broker accepts by default. */
export const BATCH_BYTES = 900_000;

const SEQUENCES = 2 ** 31;

/** How batches are sent. */
export interface SenderOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Separate connections. */
  readonly lane: Lane;
  /** Repeats a request until there is an answer. */
  retry(body: () => Promise<void>): Promise<void>;
}

/** A batch and what notes where it is. */
interface Outgoing extends ProduceBatch {
  sent(first: number): void;
}

/** Sends a producer's batches, one per partition at a time. */
export class BatchSender {
  readonly #options: SenderOptions;
  readonly #sequences = new Map<string, number>();

  /** Sends nothing yet. */
  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Begins again with the sequence numbers, for a new identity. */
  reset(): void {
    this.#sequences.clear();
  }

  /**
   * Sends what `runs` does not hold yet, and adds to it where the records are:
   * a run for each batch, so that it holds what was answered if this throws.
   */
  async send(
    producer: ProducerIdentity<string | null>,
    appends: readonly Append[],
    runs: readonly OffsetRun[][],
  ): Promise<void> {
    const queues = new Map<string, Outgoing[]>();
    for (const [i, append] of appends.entries()) {
      const place = placeOf(append);
      const batches = this.#encode(producer, append, runs[i]);
      const queue = queues.get(place) ?? [];
      queues.set(place, queue);
      queue.push(...batches);
    }
    // A broker accepts one batch per partition in a request, so the second
    // batches go into the second request.
    for (let round = 0;; round++) {
      const batches = [...queues.values()].flatMap((queue) =>
        queue.slice(round, round + 1)
      );
      if (batches.length === 0) return;
      await this.#sendRound(producer.transactionalId, batches);
    }
  }

  /** The batches of an append behind those that `runs` holds already; the first of them takes the next sequence number. */
  #encode(
    { transactionalId, producerId, epoch }: ProducerIdentity<string | null>,
    { topic, partition, records, headers }: Append,
    runs: OffsetRun[],
  ): Outgoing[] {
    const place = placeOf({ topic, partition });
    const done = runs.reduce((sum, { count }) => sum + count, 0);
    const next = this.#sequences.get(place) ?? 0;
    const sequence = (next - done + SEQUENCES) % SEQUENCES;
    const transactional = transactionalId !== null;
    const batches = encodeBatches(
      records,
      { producerId, epoch, sequence, transactional },
      BATCH_BYTES,
      headers,
    );
    this.#sequences.set(place, (sequence + records.count) % SEQUENCES);
    return batches.slice(runs.length).map(({ bytes, count }) => ({
      topic,
      partition,
      bytes,
      sent: (first) =>
        runs.push({ first: first < 0 ? undefined : first, count }),
    }));
  }

  async #sendRound(
    transactionalId: string | null,
    batches: readonly Outgoing[],
  ): Promise<void> {
    const { cluster, lane, retry } = this.#options;
    const left = new Set(batches);
    await retry(async () => {
      const leaders = new Map<number, [BrokerNode, Outgoing[]]>();
      for (const batch of left) {
        const node = await cluster.leader(batch);
        const known = leaders.get(node.nodeId);
        if (known) known[1].push(batch);
        else leaders.set(node.nodeId, [node, [batch]]);
      }
      for (const [node, led] of leaders.values()) {
        const request = produceRequest(transactionalId, led);
        const answers = await lane.send(node, request);
        let refusal: KafkaError | undefined;
        for (const [i, batch] of led.entries()) {
          const answer = answers[i];
          if (typeof answer === "number") {
            left.delete(batch);
            batch.sent(answer);
          } else refusal ??= answer;
        }
        if (refusal) throw refusal;
      }
    });
  }
}
