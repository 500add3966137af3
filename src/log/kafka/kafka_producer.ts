/**
 * Transactions of one transactional id: records, and a group's offset with
 * them, all or nothing. One transaction at a time. The coordinator is asked
 * first to add partitions and group, by two requests at once. Then records and
 * offset are sent at once. When both are there, the transaction ends.
 *
 * Every request of a transaction may be repeated: partitions and offsets are
 * added again with no effect, a batch that was appended is known by its
 * sequence number, and the end of a transaction that has ended is confirmed. So
 * a lost answer leaves nothing open: the same request is sent again until it is
 * answered, or refused because another process has become the producer.
 *
 * But the first of the two may be read late, when a broker that hung comes to
 * what stands in its sockets: in the middle of the next transaction, which a
 * late EndTxn would end half done. So that one begins with a newer epoch, by
 * which Kafka refuses what is left of the one before.
 */
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import { CODES, isKafkaError, KafkaConnectionError } from "./kafka_error.ts";
import {
  addOffsetsRequest,
  addPartitionsRequest,
  endTransactionRequest,
  initProducerRequest,
  type Membership,
  type OffsetCommit,
  type ProducerIdentity,
  txnOffsetCommitRequest,
} from "./kafka_group_requests.ts";
import { BatchSender } from "./kafka_produce.ts";
import {
  type KafkaRequest,
  placeOf,
  type TopicPartition,
} from "./kafka_requests.ts";
import type { Append, OffsetRun } from "../log.ts";

/** How often the end of a transaction is requested while the coordinator reports an unknown error, and the pause in between, in milliseconds. */
const ENDS_MAX = 5;
const ENDS_PAUSE_MS = 100;

/** A group's offset that is committed with the records. */
export interface StepOffset {
  /** The member that commits: an older generation of the group is refused. */
  readonly member: Membership;
  /** What is committed. */
  readonly commit: OffsetCommit;
}

/** What a producer is made from. */
export interface ProducerOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Separate connections. */
  readonly lane: Lane;
  /** Its transactional id, which one producer at a time can have. */
  readonly transactionalId: string;
  /** After how many milliseconds the coordinator aborts a transaction. */
  readonly timeoutMs: number;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

/** The producer of a transactional id. */
export class KafkaProducer {
  readonly #options: ProducerOptions;
  readonly #sender: BatchSender;
  #identity: ProducerIdentity;
  /** Whether an answer was lost in this epoch: its request may still reach a broker. */
  #mayComeLate = false;

  private constructor(options: ProducerOptions, identity: ProducerIdentity) {
    this.#options = options;
    this.#identity = identity;
    const { cluster, lane } = options;
    const retry = (body: () => Promise<void>) => this.#retry(body);
    this.#sender = new BatchSender({ cluster, lane, retry });
  }

  /**
   * Becomes the producer: fences the one before, and waits until its pending
   * transaction has ended. Commits that are read afterwards are the newest.
   */
  static async open(options: ProducerOptions): Promise<KafkaProducer> {
    return new KafkaProducer(options, await init(options, undefined));
  }

  /** Aborts the pending transaction and continues, unless it has been fenced. */
  async renew(): Promise<void> {
    this.#identity = await init(this.#options, this.#identity);
    this.#sender.reset();
    this.#mayComeLate = false;
  }

  /**
   * Appends records and commits the offset, if there is one; returns where the
   * records are. An error leaves nothing of it, but renew() must follow.
   */
  async commit(
    appends: readonly Append[],
    offset?: StepOffset,
  ): Promise<OffsetRun[][]> {
    if (this.#mayComeLate) await this.renew();
    const places = new Map<string, TopicPartition>();
    for (const { topic, partition, records } of appends) {
      if (records.count === 0) continue;
      places.set(placeOf({ topic, partition }), { topic, partition });
    }
    const producer = this.#identity;
    const added = [...places.values()];
    await this.#requirePlaces(added);
    await bothOver(
      added.length > 0 &&
        this.#ask(addPartitionsRequest(producer, added), added),
      offset && this.#ask(addOffsetsRequest(producer, offset.member.group)),
    );
    const runs: OffsetRun[][] = appends.map(() => []);
    await bothOver(
      this.#sender.send(producer, appends, runs),
      offset && this.#commitOffset(offset),
    );
    await this.#end("commit");
    return runs;
  }

  /** Aborts the pending transaction, so that readers do not wait for its timeout. */
  async abort(): Promise<void> {
    await this.#end("abort");
  }

  /** Ends the transaction. While another producer takes over, a coordinator may answer with an unknown error; a repeated request gets the real one. */
  async #end(outcome: "commit" | "abort"): Promise<void> {
    const { cluster, signal } = this.#options;
    const request = endTransactionRequest(this.#identity, outcome);
    for (let asked = 1;; asked++) {
      try {
        return await this.#ask(request);
      } catch (error) {
        const isUnknown = isKafkaError(error, CODES.unknownServerError);
        if (!isUnknown || asked === ENDS_MAX) throw error;
      }
      await cluster.clock.sleep(ENDS_PAUSE_MS, signal);
    }
  }

  /** Throws LogError if a topic does not exist, since a coordinator would be asked forever. */
  async #requirePlaces(places: readonly TopicPartition[]): Promise<void> {
    const { cluster, signal } = this.#options;
    for (const place of places) {
      await cluster.retry(() => cluster.leader(place), { signal });
    }
  }

  /** Sends to the coordinator of the transactional id. */
  async #ask<T>(
    request: KafkaRequest<T>,
    about: readonly TopicPartition[] = [],
  ): Promise<T> {
    return await this.#retry(() => askOnce(this.#options, request, about));
  }

  /** Repeats a request until there is an answer, and records if one was lost. */
  async #retry<T>(body: () => Promise<T>): Promise<T> {
    const { cluster, signal } = this.#options;
    return await cluster.retry(async () => {
      try {
        return await body();
      } catch (error) {
        if (error instanceof KafkaConnectionError) this.#mayComeLate = true;
        throw error;
      }
    }, { signal });
  }

  async #commitOffset({ member, commit }: StepOffset): Promise<void> {
    const { cluster, lane } = this.#options;
    const request = txnOffsetCommitRequest(this.#identity, member, commit);
    await this.#retry(async () => {
      const node = await cluster.coordinator("group", member.group);
      return await cluster.about([commit], lane.send(node, request));
    });
  }
}

/** Waits for two requests, so that none is under way when what follows the other's error is sent; throws the first's error, or else the second's. */
async function bothOver(
  ...requests: readonly (Promise<unknown> | false | undefined)[]
): Promise<void> {
  const outcomes = await Promise.allSettled(requests);
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

async function init(
  options: ProducerOptions,
  from: ProducerIdentity | undefined,
): Promise<ProducerIdentity> {
  const { cluster, transactionalId, timeoutMs, signal } = options;
  const request = initProducerRequest(transactionalId, timeoutMs, from);
  return await cluster.retry(() => askOnce(options, request), { signal });
}

/** Sends to the coordinator of the transactional id. */
async function askOnce<T>(
  { cluster, lane, transactionalId }: ProducerOptions,
  request: KafkaRequest<T>,
  about: readonly TopicPartition[] = [],
): Promise<T> {
  const node = await cluster.coordinator("transaction", transactionalId);
  return await cluster.about(about, lane.send(node, request));
}
