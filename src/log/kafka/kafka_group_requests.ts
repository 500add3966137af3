/**
 * The requests to Kafka about consumer groups and transactions: membership,
 * offsets, and what makes a step atomic. Source: Kafka's protocol guide,
 * KIP-98 (transactions), KIP-360 (renewal of a producer), KIP-447 (offsets of
 * a transaction are refused from members of an older generation).
 */
import { check, CODES } from "./kafka_error.ts";
import {
  byTopic,
  type KafkaRequest,
  type TopicPartition,
} from "./kafka_requests.ts";
import { WireWriter } from "./kafka_wire.ts";

/** How members of a group name the way in which they share partitions. */
const PROTOCOL_TYPE = "consumer";

/** A member of a group in one of its generations. */
export interface Membership {
  /** Consumer group. */
  readonly group: string;
  /** Number of the generation; it grows with each rebalance. */
  readonly generation: number;
  /** The member's id at the coordinator. */
  readonly memberId: string;
}

/** How a member joins. */
export interface JoinOptions {
  /** Consumer group. */
  readonly group: string;
  /** The member's name, empty for a new one. */
  readonly memberId: string;
  /** Silence after which it is considered dead, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** How long the others have to join a rebalance, milliseconds. */
  readonly rebalanceTimeoutMs: number;
  /** Name of the assignment. */
  readonly protocol: string;
  /** What the leader learns about the member. */
  readonly subscription: Uint8Array;
}

/** The answer to joining. */
export type Joined =
  /** The coordinator has assigned an id to join with. */
  | { readonly kind: "named"; readonly memberId: string }
  | {
    readonly kind: "joined";
    /** Number of the new generation. */
    readonly generation: number;
    /** The member's name. */
    readonly memberId: string;
    /** All members, for the leader only; empty for the others. */
    readonly members: readonly {
      readonly memberId: string;
      readonly subscription: Uint8Array;
    }[];
  };

/** Joins a group; the answer comes when all members have joined. */
export function joinGroupRequest(options: JoinOptions): KafkaRequest<Joined> {
  const { group, memberId, protocol, subscription } = options;
  const { sessionTimeoutMs, rebalanceTimeoutMs } = options;
  const w = new WireWriter();
  w.string(group).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs);
  w.string(memberId).string(null).string(PROTOCOL_TYPE);
  w.array([protocol], () => w.string(protocol).data(subscription));
  return {
    name: "JoinGroup",
    apiKey: 11,
    apiVersion: 5,
    body: w.bytes(),
    extraMs: rebalanceTimeoutMs,
    decode: (r) => {
      r.int32(); // throttle
      const code = r.int16();
      const generation = r.int32();
      r.string(); // protocol
      r.string(); // leader
      const memberId = r.string() ?? "";
      if (code === CODES.memberIdRequired) return { kind: "named", memberId };
      check(code, `joining group ${group}`);
      const members = r.array(() => {
        const memberId = r.string() ?? "";
        r.string(); // static name
        return { memberId, subscription: r.data() };
      });
      return { kind: "joined", generation, memberId, members };
    },
  };
}

/** Who is in a group. */
export interface GroupState {
  /** How many members it has; 0 if there is no such group. */
  readonly members: number;
  /** Whether they have shared the partitions out. */
  readonly isStable: boolean;
}

/** Asks who is in a group. */
export function describeGroupRequest(group: string): KafkaRequest<GroupState> {
  const w = new WireWriter();
  w.array([group], () => w.string(group));
  return {
    name: "DescribeGroups",
    apiKey: 15,
    apiVersion: 1,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const states = r.array(() => {
        const code = r.int16();
        r.string(); // group
        const isStable = r.string() === "Stable";
        for (let i = 0; i < 2; i++) r.string(); // type, protocol
        const members = r.array(() => {
          for (let i = 0; i < 3; i++) r.string(); // member, client, host
          r.data(); // its subscription
          r.data(); // its assignment
        });
        check(code, `describing group ${group}`);
        return { members: members.length, isStable };
      });
      return states[0] ?? { members: 0, isStable: false };
    },
  };
}

/** Gives (the leader) and gets (all) assignments. */
export function syncGroupRequest(
  member: Membership,
  assignments: ReadonlyMap<string, Uint8Array>,
): KafkaRequest<Uint8Array> {
  const w = writeMember(new WireWriter(), member);
  w.array(
    [...assignments],
    ([memberId, bytes]) => w.string(memberId).data(bytes),
  );
  return {
    name: "SyncGroup",
    apiKey: 14,
    apiVersion: 3,
    body: w.bytes(),
    extraMs: 60_000,
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), `assignment in group ${member.group}`);
      return r.data();
    },
  };
}

/** Says that a member is alive. */
export function heartbeatRequest(member: Membership): KafkaRequest<void> {
  return {
    name: "Heartbeat",
    apiKey: 12,
    apiVersion: 3,
    body: writeMember(new WireWriter(), member).bytes(),
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), `membership in group ${member.group}`);
    },
  };
}

function writeMember(w: WireWriter, member: Membership): WireWriter {
  const { group, generation, memberId } = member;
  return w.string(group).int32(generation).string(memberId).string(null);
}

/** Leaves a group, so that others do not wait for the session to end. */
export function leaveGroupRequest(member: Membership): KafkaRequest<void> {
  const { group, memberId } = member;
  return {
    name: "LeaveGroup",
    apiKey: 13,
    apiVersion: 2,
    body: new WireWriter().string(group).string(memberId).bytes(),
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), `leaving group ${group}`);
    },
  };
}

/** An offset to be committed. */
export interface OffsetCommit extends TopicPartition {
  /** Offset of the next record to take. */
  readonly offset: number;
  /** What is stored with it. */
  readonly metadata: string;
}

/** Asks for a group's commits; `stable` refuses while a transaction with one of them is not over. */
export function offsetFetchRequest(
  group: string,
  topic: string,
  partitions: readonly number[],
  stable: boolean,
): KafkaRequest<Map<number, { offset: number; metadata: string }>> {
  const w = flexible().compactString(group);
  w.compactArray([topic], () => {
    w.compactString(topic)
      .compactArray(partitions, (partition) => w.int32(partition)).noTags();
  }).boolean(stable).noTags();
  return {
    name: "OffsetFetch",
    apiKey: 9,
    apiVersion: 7,
    body: w.bytes(),
    decode: (r) => {
      r.tags();
      r.int32(); // throttle
      const commits = new Map<number, { offset: number; metadata: string }>();
      r.compactArray(() => {
        r.compactString();
        r.compactArray(() => {
          const partition = r.int32();
          const offset = r.int64();
          r.int32(); // leader epoch
          const metadata = r.compactString() ?? "";
          check(r.int16(), `commit of group ${group} on ${topic}`);
          r.tags();
          if (offset >= 0) commits.set(partition, { offset, metadata });
        });
        r.tags();
      });
      check(r.int16(), `commits of group ${group}`);
      return commits;
    },
  };
}

/** Commits an offset outside of any transaction. */
export function offsetCommitRequest(
  member: Membership,
  commit: OffsetCommit,
): KafkaRequest<void> {
  const { topic, partition, offset, metadata } = commit;
  const w = writeMember(new WireWriter(), member);
  w.array([topic], () => {
    w.string(topic).array([partition], () => {
      w.int32(partition).int64(offset).int32(-1).string(metadata);
    });
  });
  return {
    name: "OffsetCommit",
    apiKey: 8,
    apiVersion: 7,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      r.array(() => {
        r.string();
        r.array(() => {
          r.int32();
          check(r.int16(), `commit of group ${member.group} on ${topic}`);
        });
      });
    },
  };
}

/** A producer as the coordinator of its transactional id knows it. */
export interface ProducerIdentity<Id extends string | null = string> {
  /** Its transactional id, which one producer at a time can have; null without transactions. */
  readonly transactionalId: Id;
  /** The broker's number for it. */
  readonly producerId: bigint;
  /** How often it has been renewed. */
  readonly epoch: number;
}

/**
 * Becomes the producer of a transactional id: the uncommitted work of the
 * previous one is aborted, and it is fenced. A producer that renews itself
 * (`from`) is refused if it has been fenced meanwhile.
 */
export function initProducerRequest<Id extends string | null>(
  transactionalId: Id,
  timeoutMs: number,
  from: ProducerIdentity<Id> | undefined,
): KafkaRequest<ProducerIdentity<Id>> {
  const w = flexible().compactString(transactionalId).int32(timeoutMs);
  w.bigint(from?.producerId ?? -1n).int16(from?.epoch ?? -1).noTags();
  return {
    name: "InitProducerId",
    apiKey: 22,
    apiVersion: 4,
    body: w.bytes(),
    decode: (r) => {
      r.tags();
      r.int32(); // throttle
      check(r.int16(), `producer ${transactionalId ?? "without an id"}`);
      return { transactionalId, producerId: r.bigint(), epoch: r.int16() };
    },
  };
}

function writeProducer(w: WireWriter, producer: ProducerIdentity): WireWriter {
  const { transactionalId, producerId, epoch } = producer;
  return w.string(transactionalId).bigint(producerId).int16(epoch);
}

/** Tells the coordinator which partitions the transaction will write to. */
export function addPartitionsRequest(
  producer: ProducerIdentity,
  partitions: readonly TopicPartition[],
): KafkaRequest<void> {
  const w = writeProducer(new WireWriter(), producer);
  w.array(byTopic(partitions), ([topic, places]) => {
    w.string(topic).array(places, ({ partition }) => w.int32(partition));
  });
  return {
    name: "AddPartitionsToTxn",
    apiKey: 24,
    apiVersion: 1,
    body: w.bytes(),
    decode: (r) => {
      r.int32(); // throttle
      const codes = r.array(() => {
        r.string();
        return r.array(() => {
          r.int32();
          return r.int16();
        });
      }).flat();
      // One that was refused makes the others "not attempted".
      const notAttempted = 55;
      const code = codes.find((code) => code !== 0 && code !== notAttempted);
      check(code ?? 0, `producer ${producer.transactionalId}`);
    },
  };
}

/** Tells the coordinator that the transaction will commit offsets of a group. */
export function addOffsetsRequest(
  producer: ProducerIdentity,
  group: string,
): KafkaRequest<void> {
  return {
    name: "AddOffsetsToTxn",
    apiKey: 25,
    apiVersion: 1,
    body: writeProducer(new WireWriter(), producer).string(group).bytes(),
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), `producer ${producer.transactionalId}`);
    },
  };
}

/** Commits an offset as part of the transaction. */
export function txnOffsetCommitRequest(
  producer: ProducerIdentity,
  member: Membership,
  commit: OffsetCommit,
): KafkaRequest<void> {
  const { topic, partition, offset, metadata } = commit;
  const { group, generation, memberId } = member;
  const w = flexible().compactString(producer.transactionalId);
  w.compactString(group).bigint(producer.producerId).int16(producer.epoch);
  w.int32(generation).compactString(memberId).compactString(null);
  w.compactArray([topic], () => {
    w.compactString(topic).compactArray([partition], () => {
      w.int32(partition).int64(offset).int32(-1).compactString(metadata)
        .noTags();
    }).noTags();
  }).noTags();
  return {
    name: "TxnOffsetCommit",
    apiKey: 28,
    apiVersion: 3,
    body: w.bytes(),
    decode: (r) => {
      r.tags();
      r.int32(); // throttle
      r.compactArray(() => {
        r.compactString();
        r.compactArray(() => {
          r.int32();
          check(r.int16(), `commit of group ${group} on ${topic}`);
          r.tags();
        });
        r.tags();
      });
    },
  };
}

/** Ends the transaction: all of it counts, or nothing. */
export function endTransactionRequest(
  producer: ProducerIdentity,
  outcome: "commit" | "abort",
): KafkaRequest<void> {
  return {
    name: "EndTxn",
    apiKey: 26,
    apiVersion: 1,
    body: writeProducer(new WireWriter(), producer)
      .boolean(outcome === "commit").bytes(),
    decode: (r) => {
      r.int32(); // throttle
      check(r.int16(), `${outcome} by producer ${producer.transactionalId}`);
    },
  };
}

/** A body of a flexible version: it begins with the end of the request's header, its tagged fields. */
function flexible(): WireWriter {
  return new WireWriter().noTags();
}
