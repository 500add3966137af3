/**
 * Assigns partitions to the members of a group. Each gets the same number, give
 * or take one, and keeps what it has as far as possible, since a partition that
 * moves must be restored by reading again. The bytes are those of Kafka's
 * consumer protocol, so that its tools can show them.
 */
import { WireReader, WireWriter } from "./kafka_wire.ts";

/** What a member reports to the leader. */
export interface Subscription {
  /** Topic that it reads. */
  readonly topic: string;
  /** Generation in which it had the partitions; -1 for none. */
  readonly generation: number;
  /** Partitions that it has and wants to keep. */
  readonly partitions: readonly number[];
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const VERSION = 0;

/** A subscription as bytes. */
export function encodeSubscription(subscription: Subscription): Uint8Array {
  const { topic, generation, partitions } = subscription;
  const own = ENCODER.encode(JSON.stringify({ generation, partitions }));
  const w = new WireWriter().int16(VERSION);
  return w.array([topic], () => w.string(topic)).data(own).bytes();
}

/** A subscription from bytes; what a foreign member has is unknown. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const r = new WireReader(bytes);
  r.int16();
  const [topic = ""] = r.array(() => r.string() ?? "");
  try {
    const { generation, partitions } = JSON.parse(DECODER.decode(r.data()));
    return {
      topic,
      generation: Number(generation),
      partitions: [...partitions],
    };
  } catch {
    return { topic, generation: -1, partitions: [] };
  }
}

/** An assignment as bytes. */
export function encodeAssignment(
  topic: string,
  partitions: readonly number[],
): Uint8Array {
  const w = new WireWriter().int16(VERSION);
  w.array([topic], () => {
    w.string(topic).array(partitions, (partition) => w.int32(partition));
  });
  return w.data(new Uint8Array(0)).bytes();
}

/** The partitions of an assignment, ascending. */
export function decodeAssignment(bytes: Uint8Array): number[] {
  if (bytes.length === 0) return [];
  const r = new WireReader(bytes);
  r.int16();
  const partitions = r.array(() => {
    r.string();
    return r.array(() => r.int32());
  }).flat();
  return partitions.sort((a, b) => a - b);
}

/** A member and what it says it has. */
export interface Member {
  /** Its id at the coordinator. */
  readonly memberId: string;
  /** Generation in which it had the partitions. */
  readonly generation: number;
  /** Partitions that it has. */
  readonly partitions: readonly number[];
}

/** Shares the partitions 0 to below `count` among the members, each ascending. */
export function assignPartitions(
  count: number,
  members: readonly Member[],
): Map<string, number[]> {
  const all = [...Array(count).keys()];
  const owners = all.map((partition) => newestOwner(partition, members));
  const shares = members.map(({ memberId }) => ({
    memberId,
    partitions: all.filter((partition) => owners[partition] === memberId),
    size: 0,
  }));
  // The member with the most may keep one more.
  shares.sort((a, b) =>
    b.partitions.length - a.partitions.length ||
    (a.memberId < b.memberId ? -1 : 1)
  );
  for (const [i, share] of shares.entries()) {
    share.size = Math.floor((count + members.length - 1 - i) / members.length);
    share.partitions.splice(share.size);
  }
  const kept = new Set(shares.flatMap(({ partitions }) => partitions));
  const free = all.filter((partition) => !kept.has(partition));
  for (const { partitions, size } of shares) {
    partitions.push(...free.splice(0, size - partitions.length));
    partitions.sort((a, b) => a - b);
  }
  return new Map(
    shares.map(({ memberId, partitions }) => [memberId, partitions]),
  );
}

/** The member that had a partition last, according to the members. */
function newestOwner(
  partition: number,
  members: readonly Member[],
): string | undefined {
  let owner: Member | undefined;
  for (const member of members) {
    if (!member.partitions.includes(partition)) continue;
    if (!owner || member.generation > owner.generation) owner = member;
  }
  return owner?.memberId;
}
