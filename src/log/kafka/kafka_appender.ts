/**
 * Appends without a transaction, and so beside other processes: nobody is
 * fenced, and nothing stays open when the process dies. Brokers know a repeated
 * batch by the sequence numbers of a producer id that no other process has.
 *
 * They forget an id that was long idle, or with the files of a partition. Then
 * a repetition is another batch to them, or they refuse it, and the appender
 * continues under a new id: where an answer was lost, records may be in the log
 * twice.
 */
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import { isAbortable, isFenced } from "./kafka_error.ts";
import {
  initProducerRequest,
  type ProducerIdentity,
} from "./kafka_group_requests.ts";
import { BatchSender } from "./kafka_produce.ts";
import type { Append, LogProducer, OffsetRun } from "../log.ts";

/** How many new ids an append gets, one after the other. */
const RENEWALS_MAX = 5;
/** A transaction's timeout, which brokers want to be told although there is none. */
const TIMEOUT_MS = 60_000;

/** What an appender is made from. */
export interface AppenderOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Separate connections. */
  readonly lane: Lane;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

/** An appender; one append at a time, the others wait. */
export class KafkaAppender implements LogProducer {
  readonly #options: AppenderOptions;
  #sender: BatchSender;
  #identity: ProducerIdentity<null> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: AppenderOptions) {
    this.#options = options;
    this.#sender = this.#newSender();
  }

  /** Gets its first id. */
  static async open(options: AppenderOptions): Promise<KafkaAppender> {
    const appender = new KafkaAppender(options);
    appender.#identity = await appender.#newIdentity();
    return appender;
  }

  /** See LogProducer. What is refused in one partition may be there in another. */
  append(appends: readonly Append[]): Promise<OffsetRun[][]> {
    const result = this.#last.then(() => this.#append(appends));
    this.#last = result.catch(() => {}); // who called it gets the error
    return result;
  }

  async #append(appends: readonly Append[]): Promise<OffsetRun[][]> {
    const runs: OffsetRun[][] = appends.map(() => []);
    for (let renewals = 0;; renewals++) {
      try {
        this.#identity ??= await this.#newIdentity();
        await this.#sender.send(this.#identity, appends, runs);
        return runs;
      } catch (error) {
        // The sequence numbers of what was not answered are in doubt, and a
        // request that goes on after a stop must not use the new ones.
        this.#identity = undefined;
        this.#sender = this.#newSender();
        const isForgotten = isAbortable(error) || isFenced(error);
        if (!isForgotten || renewals === RENEWALS_MAX) throw error;
      }
    }
  }

  #newSender(): BatchSender {
    const { cluster, lane, signal } = this.#options;
    const retry = (body: () => Promise<void>) =>
      cluster.retry(body, { signal });
    return new BatchSender({ cluster, lane, retry });
  }

  async #newIdentity(): Promise<ProducerIdentity<null>> {
    const { cluster, signal } = this.#options;
    const request = initProducerRequest(null, TIMEOUT_MS, undefined);
    return await cluster.retry(() => cluster.toAny(request), { signal });
  }
}
