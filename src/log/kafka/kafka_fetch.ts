/**
 * Reading records from the brokers that lead their partitions: several
 * partitions at once for a consumer, one for a look-up.
 */
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import { check, CODES } from "./kafka_error.ts";
import { decodeBatches } from "./kafka_records.ts";
import {
  type BrokerNode,
  type FetchedPartition,
  fetchRequest,
  placeOf,
  type TopicPartition,
} from "./kafka_requests.ts";
import type { RecordBatch } from "../record_batch.ts";

/** A partition from which records are wanted. */
export interface Wanted extends TopicPartition {
  /** Offset of the first record wanted. */
  readonly offset: number;
}

/** What is read and how. */
export interface FetchOptions<W extends Wanted> {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Connections on which waiting is harmless. */
  readonly lane: Lane;
  /** The partitions. */
  readonly wanted: readonly W[];
  /** How long to wait if there is nothing, milliseconds. */
  readonly waitMs: number;
  /** Bytes of one partition at most; one batch always comes. */
  readonly bytesMax: number;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
  /** Called with what was read of a partition; with nothing if the offset does not exist (any more). */
  readonly take: (wanted: W, batch: RecordBatch | undefined) => void;
}

/** Fetches once. */
export async function fetchPartitions<W extends Wanted>(
  options: FetchOptions<W>,
): Promise<void> {
  const { cluster, lane, waitMs, bytesMax, signal } = options;
  let left = options.wanted;
  await cluster.retry(async () => {
    const leaders = new Map<number, [BrokerNode, W[]]>();
    for (const wanted of left) {
      const node = await cluster.leader(wanted);
      const known = leaders.get(node.nodeId);
      if (known) known[1].push(wanted);
      else leaders.set(node.nodeId, [node, [wanted]]);
    }
    await Promise.all([...leaders.values()].map(async ([node, led]) => {
      const fetched = await lane.send(
        node,
        fetchRequest(led, {
          waitMs,
          bytesMax: bytesMax * led.length,
          partitionBytesMax: bytesMax,
        }),
      );
      for (const one of fetched) {
        const wanted = led.find(({ topic, partition }) =>
          topic === one.topic && partition === one.partition
        );
        if (!wanted) continue;
        options.take(wanted, recordsOf(one, wanted.offset));
        left = left.filter((other) => other !== wanted);
      }
    }));
  }, { signal });
}

function recordsOf(
  fetched: FetchedPartition,
  offset: number,
): RecordBatch | undefined {
  const place = placeOf(fetched);
  if (fetched.code === CODES.offsetOutOfRange) return undefined;
  check(fetched.code, `reading ${place}`);
  return decodeBatches(fetched.records, offset, place);
}
