/**
 * A consumer group of the scripted Kafka, with its coordinator: who belongs to
 * it, how a generation comes about, and what is committed. Members are elected,
 * waited for, and taken for dead, as in Kafka's classic protocol.
 */
import type { Clock } from "../../../../src/base/clock.ts";
import type { Commit } from "../../../../src/log/log.ts";

const CODES = {
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  memberIdRequired: 79,
  unstableOffset: 88,
} as const;
/** How often the coordinator looks for members that are silent, milliseconds. */
const LOOK_MS = 100;

/** The answer to a member that joins. */
export interface JoinAnswer {
  /** 0, or why it may not. */
  readonly code: number;
  readonly memberId: string;
  readonly generation: number;
  readonly leader: string;
  /** For the leader: all members. */
  readonly members: readonly { id: string; subscription: Uint8Array }[];
}

/** The answer to a member that asks for its share. */
export interface SyncAnswer {
  /** 0, or why there is none. */
  readonly code: number;
  readonly assignment: Uint8Array;
}

/** A member that joins. */
export interface Joining {
  readonly memberId: string;
  readonly sessionMs: number;
  readonly rebalanceMs: number;
  readonly subscription: Uint8Array;
}

interface Member extends Joining {
  assignment: Uint8Array;
  heard: number;
  joining?: ((answer: JoinAnswer) => void) | undefined;
  syncing?: ((answer: SyncAnswer) => void) | undefined;
}

/** What another coordinator would find of a group. */
interface Saved {
  readonly generation: number;
  readonly leader: string;
  readonly members: readonly Member[];
}

/** A group. */
export class ScriptedGroup {
  readonly #clock: Clock;
  readonly #members = new Map<string, Member>();
  readonly #named = new Set<string>();
  readonly #commits = new Map<string, Commit>();
  readonly #pending = new Map<bigint, Map<string, Commit>>();
  #state: "empty" | "joining" | "sharing" | "stable" = "empty";
  #generation = 0;
  #leader = "";
  #deadline = Infinity;
  #names = 0;
  #isWatched = false;
  #saved: Saved = { generation: 0, leader: "", members: [] };

  /** Has no members yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Number of members. */
  get size(): number {
    return this.#members.size;
  }

  /** The answer comes when all members have joined. */
  join(options: Joining): JoinAnswer | Promise<JoinAnswer> {
    const { memberId, subscription } = options;
    if (memberId === "") {
      const name = `member-${++this.#names}`;
      this.#named.add(name);
      return this.#refuse(CODES.memberIdRequired, name);
    }
    const known = this.#members.get(memberId);
    if (!known && !this.#named.delete(memberId)) {
      return this.#refuse(CODES.unknownMember, memberId);
    }
    const isSame = known !== undefined &&
      String(known.subscription) === String(subscription);
    const mayStay = this.#state === "sharing" ||
      (this.#state === "stable" && this.#leader !== memberId);
    if (isSame && mayStay) return this.#joined(memberId);
    const { promise, resolve } = Promise.withResolvers<JoinAnswer>();
    this.#members.set(memberId, {
      ...options,
      assignment: known?.assignment ?? new Uint8Array(0),
      heard: this.#clock.now(),
      joining: resolve,
    });
    this.#rebalance();
    this.#watch();
    return promise;
  }

  #refuse(code: number, memberId: string): JoinAnswer {
    return { code, memberId, generation: -1, leader: "", members: [] };
  }

  #joined(memberId: string): JoinAnswer {
    const isLeader = memberId === this.#leader;
    return {
      code: 0,
      memberId,
      generation: this.#generation,
      leader: this.#leader,
      members: isLeader
        ? [...this.#members].map(([id, { subscription }]) => ({
          id,
          subscription,
        }))
        : [],
    };
  }

  /** All have to join again. */
  #rebalance(): void {
    if (this.#state !== "joining") {
      this.#state = "joining";
      const longest = [...this.#members.values()].map((m) => m.rebalanceMs);
      this.#deadline = this.#clock.now() + Math.max(0, ...longest);
      for (const member of this.#members.values()) {
        member.syncing?.({
          code: CODES.rebalanceInProgress,
          assignment: new Uint8Array(0),
        });
        member.syncing = undefined;
      }
    }
    this.#completeJoin();
  }

  #completeJoin(): void {
    const members = [...this.#members.values()];
    if (members.some(({ joining }) => !joining)) return;
    this.#deadline = Infinity;
    this.#generation++;
    this.#state = members.length === 0 ? "empty" : "sharing";
    if (!this.#members.has(this.#leader)) {
      this.#leader = members[0]?.memberId ?? "";
    }
    for (const member of members) {
      member.heard = this.#clock.now();
      member.joining?.(this.#joined(member.memberId));
      member.joining = undefined;
    }
    if (members.length === 0) this.#save();
  }

  /** The answer comes when the leader has given everybody's share. */
  sync(
    memberId: string,
    generation: number,
    shares: ReadonlyMap<string, Uint8Array>,
  ): SyncAnswer | Promise<SyncAnswer> {
    const none = new Uint8Array(0);
    const code = this.#check(memberId, generation);
    const member = this.#members.get(memberId);
    if (code !== 0 || !member) return { code, assignment: none };
    if (this.#state === "joining") {
      return { code: CODES.rebalanceInProgress, assignment: none };
    }
    if (this.#state === "stable") {
      return { code: 0, assignment: member.assignment };
    }
    const { promise, resolve } = Promise.withResolvers<SyncAnswer>();
    member.syncing = resolve;
    if (memberId === this.#leader) {
      this.#state = "stable";
      for (const [id, one] of this.#members) {
        one.assignment = shares.get(id) ?? none;
        one.heard = this.#clock.now();
        one.syncing?.({ code: 0, assignment: one.assignment });
        one.syncing = undefined;
      }
      this.#save();
    }
    return promise;
  }

  #check(memberId: string, generation: number): number {
    const member = this.#members.get(memberId);
    if (!member) return CODES.unknownMember;
    if (generation !== this.#generation) return CODES.illegalGeneration;
    member.heard = this.#clock.now();
    return 0;
  }

  /** A member says that it is alive; gives an error code. */
  heartbeat(memberId: string, generation: number): number {
    const code = this.#check(memberId, generation);
    if (code !== 0 || this.#state !== "joining") return code;
    return CODES.rebalanceInProgress;
  }

  /** A member goes; gives an error code. */
  leave(memberId: string): number {
    if (this.#named.delete(memberId)) return 0;
    if (!this.#members.delete(memberId)) return CODES.unknownMember;
    this.#rebalance();
    return 0;
  }

  /** Takes for dead who is silent, and goes on without those who do not join in time. */
  async #watch(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    while (this.#members.size > 0) {
      await this.#clock.sleep(LOOK_MS);
      const now = this.#clock.now();
      for (const [id, member] of this.#members) {
        if (member.joining || member.syncing) continue;
        const isDead = now - member.heard > member.sessionMs;
        if (isDead || now > this.#deadline) {
          this.#members.delete(id);
          this.#rebalance();
        }
      }
    }
    this.#isWatched = false;
  }

  #save(): void {
    this.#saved = {
      generation: this.#generation,
      leader: this.#leader,
      members: [...this.#members.values()].map((member) => ({ ...member })),
    };
  }

  /** Another coordinator takes over with what has been saved; who waits is sent there. */
  move(): void {
    for (const member of this.#members.values()) {
      member.joining?.(this.#refuse(CODES.notCoordinator, member.memberId));
      member.syncing?.({
        code: CODES.notCoordinator,
        assignment: new Uint8Array(0),
      });
    }
    const { generation, leader, members } = this.#saved;
    this.#members.clear();
    for (const member of members) {
      const heard = this.#clock.now();
      this.#members.set(member.memberId, { ...member, heard });
    }
    this.#generation = generation;
    this.#leader = leader;
    this.#state = members.length > 0 ? "stable" : "empty";
    this.#deadline = Infinity;
    this.#watch();
  }

  /** Commits for a member of the present generation; gives an error code. */
  commit(
    memberId: string,
    generation: number,
    place: string,
    commit: Commit,
  ): number {
    const isOutside = generation < 0 && this.#members.size === 0;
    const code = isOutside ? 0 : this.#check(memberId, generation);
    if (code !== 0) return code;
    if (this.#state === "sharing") return CODES.rebalanceInProgress;
    this.#commits.set(place, commit);
    return 0;
  }

  /** The same as part of a producer's transaction. */
  commitLater(
    producerId: bigint,
    memberId: string,
    generation: number,
    place: string,
    commit: Commit,
  ): number {
    const isOutside = generation < 0 && memberId === "";
    const code = isOutside ? 0 : this.#check(memberId, generation);
    if (code !== 0) return code;
    const pending = this.#pending.get(producerId) ?? new Map<string, Commit>();
    this.#pending.set(producerId, pending.set(place, commit));
    return 0;
  }

  /** Ends a producer's transaction. */
  mark(producerId: bigint, outcome: "commit" | "abort"): void {
    const pending = this.#pending.get(producerId) ?? [];
    this.#pending.delete(producerId);
    if (outcome === "abort") return;
    for (const [place, commit] of pending) this.#commits.set(place, commit);
  }

  /** What is committed for a partition; an error code while a transaction is open, if only what is `stable` counts. */
  committed(
    place: string,
    stable: boolean,
  ): { code: number; commit: Commit | undefined } {
    const isOpen = [...this.#pending.values()].some((all) => all.has(place));
    if (stable && isOpen) {
      return { code: CODES.unstableOffset, commit: undefined };
    }
    return { code: 0, commit: this.#commits.get(place) };
  }
}
