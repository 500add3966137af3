/**
 * What a Kafka answers to requests in and out of order: asked of the scripted
 * one and of a real one, so that what runs against the former is worth
 * something. Only what our code relies on is asked.
 */
import type { KafkaCluster } from "../../../src/log/kafka/kafka_cluster.ts";
import { KafkaError } from "../../../src/log/kafka/kafka_error.ts";
import {
  addOffsetsRequest,
  addPartitionsRequest,
  endTransactionRequest,
  heartbeatRequest,
  initProducerRequest,
  joinGroupRequest,
  leaveGroupRequest,
  type Membership,
  offsetCommitRequest,
  offsetFetchRequest,
  type ProducerIdentity,
  syncGroupRequest,
  txnOffsetCommitRequest,
} from "../../../src/log/kafka/kafka_group_requests.ts";
import { encodeBatches } from "../../../src/log/kafka/kafka_records.ts";
import {
  EARLIEST,
  fetchRequest,
  type KafkaRequest,
  LATEST,
  listOffsetsRequest,
  produceRequest,
} from "../../../src/log/kafka/kafka_requests.ts";
import { builderOf, record } from "../records.ts";

/** Codes that pass, of a coordinator that starts or ends something. */
const PASSING = [14, 15, 16, 51];
const PAUSE_MS = 5;
const encoder = new TextEncoder();

/** Asks a cluster, and writes down what it answers. */
export class Transcript {
  /** What was asked, and the answer. */
  readonly lines: string[] = [];
  readonly #cluster: KafkaCluster;
  readonly #topic: string;
  readonly #id: string;

  /** The topic has one partition and is empty; the id is of a group and a producer that nobody has used. */
  constructor(cluster: KafkaCluster, topic: string, id: string) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#id = id;
  }

  /** Asks until the answer is not one that passes. */
  async #ask<T>(
    what: string,
    of: "group" | "transaction" | "leader",
    request: KafkaRequest<T>,
    show: (answer: T) => unknown = () => "yes",
  ): Promise<T | undefined> {
    const cluster = this.#cluster;
    const lane = cluster.lane();
    const line = this.lines.push(what) - 1;
    const write = (answer: unknown) => this.lines[line] = `${what}: ${answer}`;
    try {
      for (;;) {
        try {
          const node = of === "leader"
            ? await cluster.leader({ topic: this.#topic, partition: 0 })
            : await cluster.coordinator(of, this.#id);
          const answer = await lane.send(node, request);
          write(show(answer));
          return answer;
        } catch (error) {
          if (!(error instanceof KafkaError)) throw error;
          if (!PASSING.includes(error.code)) {
            write(error.message.replace(/.*: /, ""));
            return undefined;
          }
        }
        await cluster.clock.sleep(PAUSE_MS);
      }
    } finally {
      lane.close();
    }
  }

  #init(what: string, from?: ProducerIdentity) {
    const request = initProducerRequest(this.#id, 60_000, from);
    return this.#ask(
      what,
      "transaction",
      request,
      ({ epoch }) => `epoch ${epoch}`,
    );
  }

  #add(what: string, who: ProducerIdentity, topic = this.#topic) {
    const request = addPartitionsRequest(who, [{ topic, partition: 0 }]);
    return this.#ask(what, "transaction", request);
  }

  #addOffsets(what: string, who: ProducerIdentity) {
    return this.#ask(what, "transaction", addOffsetsRequest(who, this.#id));
  }

  #produce(what: string, who: ProducerIdentity, sequence: number) {
    // The present: a real one would begin a segment for the end of a
    // transaction that is so much younger, and send no more than one at once.
    const time = Date.now();
    const records = builderOf([record("a", "", time), record("b", "", time)]);
    const [{ bytes }] = encodeBatches(records, { ...who, sequence }, 900_000);
    const batch = { topic: this.#topic, partition: 0, bytes };
    const request = produceRequest(this.#id, [batch]);
    return this.#ask(what, "leader", request, ([answer]) => {
      if (typeof answer !== "number") throw answer;
      return `at ${answer}`;
    });
  }

  #end(what: string, who: ProducerIdentity, outcome: "commit" | "abort") {
    const request = endTransactionRequest(who, outcome);
    return this.#ask(what, "transaction", request);
  }

  #commitLater(what: string, who: ProducerIdentity, member: Membership) {
    const commit = {
      topic: this.#topic,
      partition: 0,
      offset: 2,
      metadata: "m",
    };
    return this.#ask(
      what,
      "group",
      txnOffsetCommitRequest(who, member, commit),
    );
  }

  #commit(what: string, member: Membership, topic = this.#topic) {
    const commit = { topic, partition: 0, offset: 1, metadata: "n" };
    return this.#ask(what, "group", offsetCommitRequest(member, commit));
  }

  #committed(what: string, stable: boolean) {
    const request = offsetFetchRequest(this.#id, this.#topic, [0], stable);
    return this.#ask(what, "group", request, (commits) => {
      const { offset, metadata } = commits.get(0) ?? {};
      return `${offset} ${metadata}`;
    });
  }

  #join(what: string, memberId: string, text = "", sessionTimeoutMs = 10_000) {
    return this.#ask(
      what,
      "group",
      joinGroupRequest({
        group: this.#id,
        memberId,
        sessionTimeoutMs,
        rebalanceTimeoutMs: 10_000,
        protocol: "p",
        subscription: encoder.encode(text),
      }),
      (joined) =>
        joined.kind === "named"
          ? "named"
          : `generation ${joined.generation}, ${joined.members.length} members`,
    );
  }

  #sync(what: string, member: Membership, text?: string) {
    const shares = text === undefined ? [] : [[
      member.memberId,
      encoder.encode(text),
    ]] as const;
    const request = syncGroupRequest(member, new Map(shares));
    return this.#ask(
      what,
      "group",
      request,
      (share) => new TextDecoder().decode(share),
    );
  }

  #heartbeat(what: string, member: Membership) {
    return this.#ask(what, "group", heartbeatRequest(member));
  }

  #leave(what: string, member: Membership) {
    return this.#ask(what, "group", leaveGroupRequest(member));
  }

  async #read(what: string): Promise<void> {
    for (
      const [name, time] of [["start", EARLIEST], ["end", LATEST]] as const
    ) {
      await this.#ask(
        `${what}, ${name}`,
        "leader",
        listOffsetsRequest(this.#topic, [0], time),
        (offsets) => offsets.get(0),
      );
    }
    for (const offset of [0, 99]) {
      await this.#ask(
        `${what}, fetched from ${offset}`,
        "leader",
        fetchRequest([{ topic: this.#topic, partition: 0, offset }], {
          waitMs: 0,
          bytesMax: 1 << 20,
          partitionBytesMax: 1 << 20,
        }),
        ([{ code, stableOffset, records: { aborted, bytes } }]) =>
          code !== 0
            ? `code ${code}`
            : `up to ${stableOffset}, some ${bytes.length > 0}, aborted ${
              aborted.map(({ firstOffset }) => firstOffset)
            }`,
      );
    }
  }

  /** Transactions of one producer, and what is left of them when it renews itself or is replaced. */
  async transactions(): Promise<void> {
    const first = required(await this.#init("the first producer"));
    await this.#end("an end of nothing", first, "commit");
    await this.#produce("records of no transaction", first, 0);
    await this.#add("a topic that is not there", first, "nothing");
    await this.#add("a partition", first);
    await this.#add("the partition again", first);
    await this.#produce("records", first, 0);
    await this.#produce("the records again", first, 0);
    await this.#produce("records with a gap before them", first, 3);
    await this.#produce("more records", first, 2);
    await this.#read("an open transaction");
    await this.#end("a commit", first, "commit");
    await this.#end("the commit again", first, "commit");
    await this.#end("an abort after it", first, "abort");
    await this.#produce("records after it", first, 4);
    await this.#add("the next transaction", first);
    await this.#produce("records in it", first, 4);
    const second = required(await this.#init("renewal in it", first));
    await this.#read("a transaction given up");
    await this.#init("the renewal again", first);
    await this.#add("a partition from the older", first);
    await this.#end("an end from the older", first, "commit");
    await this.#produce("records from the older", first, 6);
    await this.#add("a partition from the newer", second);
    await this.#produce("records with the older sequence", second, 6);
    await this.#produce("records with a new sequence", second, 0);
    await this.#end("an abort", second, "abort");
    await this.#end("the abort again", second, "abort");
    await this.#end("a commit after it", second, "commit");
    const third = required(await this.#init("renewal", second));
    await this.#init("the renewal again", second);
    await this.#add("a partition", third);
    await this.#produce("records", third, 0);
    const other = required(await this.#init("another producer"));
    await this.#init("renewal of the one before", third);
    await this.#end("an end from the one before", third, "commit");
    await this.#produce("records from the one before", third, 2);
    await this.#read("in the end");
    await this.#offsets(other);
  }

  /** Offsets of a group in transactions. */
  async #offsets(who: ProducerIdentity): Promise<void> {
    const nobody = { group: this.#id, generation: -1, memberId: "" };
    await this.#commitLater("an offset in no transaction", who, nobody);
    await this.#addOffsets("a group", who);
    await this.#commitLater("an offset", who, nobody);
    await this.#commitLater("an offset of a stranger", who, {
      group: this.#id,
      generation: 1,
      memberId: "stranger",
    });
    await this.#committed("a commit that is pending", false);
    await this.#committed("a commit that is pending, stable", true);
    await this.#end("an abort", who, "abort");
    await this.#end("the abort again, when it is over", who, "abort");
    await this.#committed("a commit given up", true);
    await this.#addOffsets("a group", who);
    await this.#commitLater("an offset", who, nobody);
    await this.#end("a commit", who, "commit");
    await this.#end("the commit again, when it is over", who, "commit");
    await this.#committed("a commit", true);
  }

  /** A group of one member, another one that comes, and one that goes. */
  async membership(): Promise<void> {
    const group = this.#id;
    const stranger = { group, generation: 1, memberId: "stranger" };
    await this.#heartbeat("a stranger's heartbeat", stranger);
    await this.#leave("a stranger that leaves", stranger);
    await this.#join("a stranger that joins", "stranger");
    const named = required(await this.#join("a new member", ""));
    const { memberId } = named;
    await this.#join("the member by its name", memberId, "one");
    const member = { group, generation: 1, memberId };
    await this.#heartbeat("a heartbeat before sharing", member);
    await this.#commit("a commit before sharing", member);
    await this.#sync("its share", member, "all");
    await this.#sync("its share again", member);
    await this.#heartbeat("a heartbeat", member);
    await this.#commit("a commit", member);
    await this.#commit("a commit of no topic", member, "nothing");
    const older = { ...member, generation: 0 };
    await this.#heartbeat("a heartbeat of another generation", older);
    await this.#commit("a commit of another generation", older);
    await this.#sync("a share of another generation", older);
    const second = required(await this.#join("a second member", ""));
    const joining = this.#join(
      "the second by its name",
      second.memberId,
      "two",
    );
    await this.#heartbeatUntilRebalance(member);
    await this.#commit("a commit meanwhile", member);
    await this.#sync("a share meanwhile", member);
    await this.#leave("the first leaves", member);
    await joining;
    await this.#heartbeat("its heartbeat afterwards", member);
    const heir = { group, generation: 2, memberId: second.memberId };
    await this.#sync("the second's share", heir, "rest");
    await this.#commit("a commit of the second", heir);
    await this.#join("the leader joins again", second.memberId, "two");
    await this.#leave("the second leaves", heir);
    await this.#commit("a commit of one that has left", heir);
  }

  /** The second member's request may take a while to arrive. */
  async #heartbeatUntilRebalance(member: Membership): Promise<void> {
    const what = "a heartbeat while another joins";
    for (;;) {
      await this.#heartbeat(what, member);
      if (!this.lines.at(-1)?.endsWith(": yes")) return;
      this.lines.pop();
      await this.#cluster.clock.sleep(PAUSE_MS);
    }
  }
}

function required<T>(answer: T | undefined): T {
  if (answer === undefined) throw new Error("it was refused");
  return answer;
}
