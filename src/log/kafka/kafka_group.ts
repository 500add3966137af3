/**
 * Membership in a consumer group: joining, sharing the partitions, staying
 * alive by heartbeats, leaving. Every call is one generation of the group; what
 * the member does with its partitions is kafka_consumer.ts.
 */
import {
  assignPartitions,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "./kafka_assignment.ts";
import type { KafkaCluster, Lane } from "./kafka_cluster.ts";
import { CODES, isKafkaError, isTransient } from "./kafka_error.ts";
import {
  heartbeatRequest,
  type Joined,
  joinGroupRequest,
  leaveGroupRequest,
  type Membership,
  syncGroupRequest,
} from "./kafka_group_requests.ts";
import type { KafkaRequest } from "./kafka_requests.ts";

/** The name of the assignment protocol. */
const PROTOCOL = "fraudstream-sticky";
/** How long the others wait for a member to finish its steps and join again, in milliseconds. */
const REBALANCE_MS = 60_000;
const HEARTBEAT_MAX_MS = 1000;

/** Which group is joined and how. */
export interface GroupOptions {
  /** The cluster. */
  readonly cluster: KafkaCluster;
  /** Separate connections, since a broker may delay answers until others have joined. */
  readonly lane: Lane;
  /** Consumer group. */
  readonly group: string;
  /** Topic whose partitions are shared. */
  readonly topic: string;
  /** Silence after which a member is considered dead, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

/** One generation of a membership. */
export interface Generation {
  /** The member. */
  readonly member: Membership;
  /** Its partitions. */
  readonly partitions: readonly number[];
  /** Whether no other member can have had this member's partitions in between. */
  readonly continuous: boolean;
}

/** How a generation ended. */
export type Ending =
  /** Members join or leave: join again, and keep partitions that are assigned again. */
  | "rebalance"
  /** The coordinator considers this member dead. */
  | "lost";

/** A member of a group. */
export class GroupMember {
  readonly #options: GroupOptions;
  #member: Membership;
  #partitions: readonly number[] = [];

  /** Joins nothing yet. */
  constructor(options: GroupOptions) {
    this.#options = options;
    this.#member = { group: options.group, generation: -1, memberId: "" };
  }

  /** Joins, or joins again; the member may keep its partitions. */
  async join(): Promise<Generation> {
    const { cluster, lane, signal } = this.#options;
    // The coordinator answers when all others have joined, and reads no further
    // request of the connection before: leave() would have to wait as well.
    const hangUp = () => lane.hangUp();
    signal.addEventListener("abort", hangUp);
    try {
      return await this.#join(cluster, signal);
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
  }

  async #join(
    cluster: KafkaCluster,
    signal: AbortSignal,
  ): Promise<Generation> {
    const before = this.#member;
    for (;;) {
      const generation = await cluster.retry(() => this.#tryJoin(), { signal });
      if (!generation) continue;
      const { member, partitions } = generation;
      // A generation between the two may have given them to another member.
      const continuous = before.memberId === member.memberId &&
        before.generation + 1 === member.generation;
      this.#member = member;
      this.#partitions = partitions;
      return { member, partitions, continuous };
    }
  }

  /** Forgets the membership and what it had: the next join is that of a new member. */
  forget(): void {
    const { group } = this.#options;
    this.#member = { group, generation: -1, memberId: "" };
    this.#partitions = [];
  }

  async #tryJoin(): Promise<Omit<Generation, "continuous"> | undefined> {
    const { group, topic, sessionTimeoutMs } = this.#options;
    const { generation, memberId } = this.#member;
    try {
      const joined = await this.#send(joinGroupRequest({
        group,
        memberId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: REBALANCE_MS,
        protocol: PROTOCOL,
        subscription: encodeSubscription({
          topic,
          generation,
          partitions: this.#partitions,
        }),
      }));
      if (joined.kind === "named") {
        this.#member = { group, generation: -1, memberId: joined.memberId };
        return undefined;
      }
      const member = {
        group,
        generation: joined.generation,
        memberId: joined.memberId,
      };
      const assignments = await this.#share(joined);
      const bytes = await this.#send(syncGroupRequest(member, assignments));
      return { member, partitions: decodeAssignment(bytes) };
    } catch (error) {
      if (isKafkaError(error, CODES.rebalanceInProgress)) return undefined;
      if (
        isKafkaError(error, CODES.unknownMemberId, CODES.illegalGeneration)
      ) {
        this.forget();
        return undefined;
      }
      throw error;
    }
  }

  /** The leader's work: assigns all partitions. */
  async #share(
    joined: Joined & { kind: "joined" },
  ): Promise<Map<string, Uint8Array>> {
    if (joined.members.length === 0) return new Map();
    const { cluster, topic } = this.#options;
    const leaders = await cluster.leaders(topic) ?? [];
    const members = joined.members.map(({ memberId, subscription }) => ({
      memberId,
      ...decodeSubscription(subscription),
    }));
    const shares = assignPartitions(leaders.length, members);
    return new Map(
      [...shares].map(([memberId, partitions]) => [
        memberId,
        encodeAssignment(topic, partitions),
      ]),
    );
  }

  /** Sends a heartbeat; returns how its generation has ended, if it has. */
  async heartbeat(): Promise<Ending | undefined> {
    const { cluster } = this.#options;
    try {
      await this.#send(heartbeatRequest(this.#member));
      return undefined;
    } catch (error) {
      if (isKafkaError(error, CODES.rebalanceInProgress)) return "rebalance";
      if (
        isKafkaError(error, CODES.unknownMemberId, CODES.illegalGeneration)
      ) return "lost";
      if (!isTransient(error)) throw error;
      cluster.forget(); // the next one looks up the coordinator again
      return undefined;
    }
  }

  /** Time between two heartbeats, milliseconds. */
  get heartbeatMs(): number {
    return Math.min(HEARTBEAT_MAX_MS, this.#options.sessionTimeoutMs / 3);
  }

  /** Leaves, if the coordinator can be reached. */
  async leave(): Promise<void> {
    if (this.#member.memberId === "") return;
    try {
      await this.#send(leaveGroupRequest(this.#member));
    } catch (error) {
      // It is considered dead when its session ends.
      if (!isTransient(error) && !isKafkaError(error, CODES.unknownMemberId)) {
        throw error;
      }
    }
  }

  async #send<T>(request: KafkaRequest<T>): Promise<T> {
    const { cluster, lane, group } = this.#options;
    return await lane.send(await cluster.coordinator("group", group), request);
  }
}
