/**
 * A group's work on a topic, shared with other processes: joins the group,
 * works on the assigned partitions, each in its own transactions, and gives
 * them up when other members join.
 *
 * What makes it exactly once: to open a partition, a member becomes the
 * producer of its transactional id. That fences the previous owner and waits
 * for the end of its transaction. Then it reads the commit and restores the
 * state; only then do steps begin. A member that is fenced, or belongs to an
 * older generation of the group, drops its partitions with their state and
 * joins again. No member becomes the producer of a partition that was not
 * assigned to it since, or two members would fence each other in turn.
 */
import { type Clock, rest } from "../../base/clock.ts";
import { LogError } from "../../base/error.ts";
import { unlessAborted } from "../../base/unless_stopped.ts";
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import {
  CODES,
  isAbortable,
  isFenced,
  isKafkaError,
  type KafkaError,
  KafkaUncertainError,
} from "./kafka_error.ts";
import { type Generation, GroupMember } from "./kafka_group.ts";
import type { Membership } from "./kafka_group_requests.ts";
import { OwnedPartition } from "./kafka_partition.ts";
import type { ConsumeOptions, LogReport } from "../log.ts";

/** How a consumer is run. */
export interface ConsumerOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Group, topic, and what is done with the records. */
  readonly consume: ConsumeOptions;
  /** Silence after which a member is considered dead, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** Gets reports of assignments and refusals. */
  readonly report: LogReport;
  /** Ends the work after the current steps. */
  readonly signal: AbortSignal;
  /** Ends the current steps as well; comes a while after `signal`, with its reason. */
  readonly patience: AbortSignal;
}

/** How long a broker may wait for records, milliseconds: for each partition that this consumer has, since each is asked for on its own. */
const FETCH_WAIT_MS = 50;
const FETCH_WAIT_MAX_MS = 1000;
/** How soon idle() is called when nothing moves; each further pause is twice as long, up to the longest. */
const IDLE_MS = 25;
const IDLE_MAX_MS = 400;
/** How long a partition whose records must wait pauses before it tries again. */
const WAIT_MS = 10;
/**
 * A transaction costs the brokers the same for one record as for thousands.
 * After a transaction with few records the partition pauses for this multiple
 * of its length, to collect more: without it a trickle of records keeps the
 * brokers busy with transactions, and waits for them.
 */
const REST_SHARE = 1;
const REST_MAX_MS = 50;
/** How often a partition is restored without a successful step. */
const RECOVERIES_MAX = 5;

/** What ended a generation. */
type Ending = "rebalance" | "lost" | "done" | "stopped";

/** Works for a group until done or stopped. */
export async function consume(options: ConsumerOptions): Promise<void> {
  const consumer = new Consumer(options);
  try {
    await consumer.run();
  } catch (error) {
    const { signal } = options;
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    await consumer.close();
  }
}

class Consumer {
  readonly #options: ConsumerOptions;
  readonly #clock: Clock;
  readonly #member: GroupMember;
  readonly #groupLane: Lane;
  readonly #owned = new Map<number, OwnedPartition>();
  #news = Promise.withResolvers<void>();
  #moves = 0;

  constructor(options: ConsumerOptions) {
    const { cluster, consume, sessionTimeoutMs, signal } = options;
    this.#options = options;
    this.#clock = cluster.clock;
    this.#groupLane = cluster.lane();
    this.#member = new GroupMember({
      cluster,
      lane: this.#groupLane,
      group: consume.group,
      topic: consume.topic,
      sessionTimeoutMs,
      signal,
    });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const generation = await this.#member.join();
      this.#adopt(generation);
      const ending = await this.#live(generation);
      if (ending === "done" || ending === "stopped") return;
      if (ending === "lost") {
        for (const partition of this.#owned.keys()) this.#drop(partition);
        await this.#leave();
        this.#member.forget();
      }
    }
  }

  /** Keeps partitions that no other member can have had in between, drops the rest, opens new ones. */
  #adopt({ member, partitions, continuous }: Generation): void {
    const { consume, report } = this.#options;
    for (const partition of this.#owned.keys()) {
      if (continuous && partitions.includes(partition)) continue;
      this.#drop(partition);
    }
    const opened: number[] = [];
    for (const partition of partitions) {
      if (this.#owned.has(partition)) continue;
      opened.push(partition);
      this.#owned.set(
        partition,
        new OwnedPartition({ ...this.#options, partition }),
      );
    }
    report("info", "partitions assigned", {
      group: consume.group,
      generation: member.generation,
      partitions,
      opened,
    });
  }

  #drop(partition: number): void {
    this.#owned.get(partition)?.close();
    this.#owned.delete(partition);
  }

  /** Works in one generation of the group until something ends it and the current steps are over. */
  async #live({ member }: Generation): Promise<Ending> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#options.signal]);
    let ending: Ending = "stopped";
    let failure: { error: unknown } | undefined;
    const end = (why: Ending) => {
      // A refused partition must not be kept, even if a rebalance came first.
      const isWorse = why === "lost" && ending === "rebalance";
      if (!over.signal.aborted || isWorse) ending = why;
      over.abort();
    };
    const wake = () => this.#wake();
    signal.addEventListener("abort", wake);
    const finish = (work: Promise<void>, until: AbortSignal) =>
      work.catch((error) => {
        if (until.aborted && error === until.reason) return;
        failure ??= { error };
        end("stopped");
      });
    const finished = new AbortController();
    const heartbeats = finish(
      this.#heartbeats(finished.signal, end),
      finished.signal,
    );
    const works = [
      this.#idles(signal, end),
      ...[...this.#owned.values()].flatMap((owned) => [
        this.#fetches(owned, signal),
        this.#steps(owned, member, signal, end),
      ]),
    ];
    await Promise.all(works.map((work) => finish(work, signal)));
    finished.abort();
    await heartbeats;
    signal.removeEventListener("abort", wake);
    if (failure) throw failure.error;
    return ending;
  }

  /** Continues until the current steps are over. The others wait for them as long as this member is alive. */
  async #heartbeats(
    signal: AbortSignal,
    end: (why: Ending) => void,
  ): Promise<void> {
    for (;;) {
      await this.#clock.sleep(this.#member.heartbeatMs, signal);
      const ending = await unlessAborted(this.#member.heartbeat(), signal);
      if (ending === "rebalance") end(ending);
      if (ending !== "lost") continue;
      const { consume, report } = this.#options;
      report(
        "warning",
        "the group has removed this consumer, which was silent",
        {
          group: consume.group,
          then: "joining again, and doing again what was not committed",
        },
      );
      return end(ending);
    }
  }

  /** Fetches for a partition on its own connection: a request that waits at the broker delays no other partition. */
  async #fetches(owned: OwnedPartition, signal: AbortSignal): Promise<void> {
    const { consume } = this.#options;
    const waitMs = Math.min(
      FETCH_WAIT_MS * this.#owned.size,
      FETCH_WAIT_MAX_MS,
    );
    await unlessAborted(owned.opened, signal);
    while (!signal.aborted) {
      const { wanted } = owned;
      if (wanted === undefined) {
        await this.#newsOr(WAIT_MS, signal);
        continue;
      }
      const outcome = await owned.fetch(wanted, waitMs, signal);
      // Kafka's own clients would silently continue at the start or the end.
      if (outcome === "gone") throw recordsGone(consume.topic, wanted);
      if (outcome === "new") this.#wake();
    }
  }

  async #idles(
    signal: AbortSignal,
    end: (why: Ending) => void,
  ): Promise<void> {
    let pauseMs = IDLE_MS;
    for (let moves = this.#moves;; moves = this.#moves) {
      await this.#clock.sleep(pauseMs, signal);
      const quiet = [...this.#owned.values()].every(({ isQuiet }) => isQuiet);
      if (!quiet || this.#moves !== moves) {
        pauseMs = IDLE_MS;
        continue;
      }
      const { consume, patience } = this.#options;
      if (await unlessAborted(consume.idle(), patience)) return end("done");
      pauseMs = Math.min(2 * pauseMs, IDLE_MAX_MS);
    }
  }

  /** Steps through a partition as long as the generation lasts. */
  async #steps(
    owned: OwnedPartition,
    member: Membership,
    signal: AbortSignal,
    end: (why: Ending) => void,
  ): Promise<void> {
    const { patience } = this.#options;
    await unlessAborted(owned.opened, signal);
    let recoveries = 0;
    let isBroken = false;
    let took = 0;
    while (!signal.aborted) {
      if (owned.isHeld && !isBroken) {
        const restMs = Math.min(REST_SHARE * took, REST_MAX_MS);
        await this.#clock.sleep(restMs, signal);
        owned.release();
        this.#wake();
      }
      const began = this.#clock.now();
      try {
        if (isBroken) await owned.recover();
        isBroken = false;
        const outcome = await unlessAborted(owned.step(member), patience);
        took = this.#clock.now() - began;
        if (outcome === "moved") {
          recoveries = 0; // a step that only waits proves nothing
          this.#moves++;
          this.#wake();
        } else {
          await this.#newsOr(outcome === "empty" ? 1000 : WAIT_MS, signal);
        }
      } catch (error) {
        if (error instanceof KafkaUncertainError) {
          this.#tellDropped("answer to a commit lost", owned, error);
          return end("lost"); // after leaving the group it can undo nothing
        }
        if (isFenced(error) || isOutdated(error)) {
          this.#tellDropped("commit refused", owned, error as KafkaError);
          if (!isFenced(error)) await owned.abandon();
          return end("lost");
        }
        // Whatever the outcome, recovery reads the commit.
        const again = isAbortable(error) ||
          isKafkaError(error, CODES.unknownServerError);
        if (!again || recoveries++ === RECOVERIES_MAX) {
          await owned.abandon();
          throw error;
        }
        isBroken = true;
      }
    }
    if (!isBroken) return;
    await owned.abandon();
    end("lost"); // incomplete work must not be kept for the next generation
  }

  #tellDropped(
    message: string,
    { partition }: OwnedPartition,
    error: Error,
  ): void {
    const { consume, report } = this.#options;
    report("warning", message, {
      group: consume.group,
      partition,
      error: error.message,
      then: "dropping the partition and joining the group again",
    });
  }

  /** Wakes all waiting steps. */
  #wake(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers<void>();
    resolve();
  }

  async #newsOr(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const over = new AbortController();
    const waited = rest(ms, over.signal, this.#clock);
    await Promise.race([this.#news.promise, waited]);
    over.abort();
  }

  async #leave(): Promise<void> {
    const { patience } = this.#options;
    try {
      await unlessAborted(this.#member.leave(), patience);
    } catch (error) {
      if (error !== patience.reason) throw error;
    }
  }

  /** Leaves the group and closes all connections. */
  async close(): Promise<void> {
    for (const partition of this.#owned.keys()) this.#drop(partition);
    await this.#leave();
    this.#groupLane.close();
  }
}

function recordsGone(topic: string, offset: number): LogError {
  return new LogError(
    `offset ${offset} of ${topic} no longer exists: records were ` +
      `deleted before they were read, or the topic was created again; set its ` +
      `retention.ms to -1 and start again with another --topic-prefix`,
  );
}

/** Whether the group has continued without this member. */
function isOutdated(error: unknown): error is KafkaError {
  const { illegalGeneration, unknownMemberId, fencedInstanceId } = CODES;
  return isKafkaError(
    error,
    illegalGeneration,
    unknownMemberId,
    fencedInstanceId,
  );
}
