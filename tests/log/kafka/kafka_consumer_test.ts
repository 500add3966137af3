/**
 * A member of a group with nothing to do, against a cluster that the test
 * plays: what it asks for and how often it looks are counted, so that a loop
 * that spins fails here instead of starving the thread.
 */
import assert from "node:assert/strict";
import { encodeAssignment } from "../../../src/log/kafka/kafka_assignment.ts";
import {
  KafkaCluster,
  type KafkaConnection,
} from "../../../src/log/kafka/kafka_cluster.ts";
import { consume } from "../../../src/log/kafka/kafka_consumer.ts";
import { CODES, KafkaError } from "../../../src/log/kafka/kafka_error.ts";
import type { FetchedPartition } from "../../../src/log/kafka/kafka_requests.ts";
import type { ConsumeOptions } from "../../../src/log/log.ts";
import { VirtualClock } from "../../virtual_clock.ts";
import { textBatch } from "./kafka_batches.ts";

const NODE = { nodeId: 1, host: "played", port: 1 };
const TOPIC = "payments";
/** A loop that looks at its limit more often than this spins. */
const LOOKS_MAX = 500;
/** How long the broker waits for records. */
const WAIT_MS = 50;

/** A coordinator and leader of which a test says what the member is assigned. */
class PlayedKafka {
  /** How often each request came. */
  readonly asked = new Map<string, number>();
  /** The member's partitions in one generation after the other. */
  readonly assignments: number[][];
  /** Heartbeats of a generation before the next begins. */
  readonly beats: number;
  /** Pauses that the member made, milliseconds. */
  readonly pauses: number[] = [];
  #generation = 0;
  #beats = 0;

  constructor(assignments: number[][], beats: number) {
    this.assignments = assignments;
    this.beats = beats;
  }

  readonly #clock = new VirtualClock(1);
  readonly cluster = new KafkaCluster({
    clock: {
      now: () => this.#clock.now(),
      random: this.#clock.random,
      sleep: (ms, signal) => {
        this.pauses.push(ms);
        return this.#clock.sleep(ms, signal);
      },
    },
    brokers: ["played:1"],
    connect: () => Promise.resolve(this.#connection()),
    report: () => {},
    signal: new AbortController().signal,
  });

  #connection(): KafkaConnection {
    return {
      send: async <T>({ name }: { name: string }) => {
        await Promise.resolve();
        const times = (this.asked.get(name) ?? 0) + 1;
        this.asked.set(name, times);
        // There is one batch; a broker makes whoever wants more wait.
        if (name === "Fetch" && times > 1) await this.#clock.sleep(WAIT_MS);
        return this.#answer(name) as T;
      },
      close: () => {},
    };
  }

  #answer(name: string): unknown {
    switch (name) {
      case "Metadata": {
        const topic = { code: 0, name: TOPIC, leaders: [1, 1] };
        return { brokers: [NODE], controller: 1, topics: [topic] };
      }
      case "FindCoordinator":
        return NODE;
      case "JoinGroup":
        this.#generation++;
        this.#beats = 0;
        return {
          kind: "joined",
          generation: this.#generation,
          memberId: "member",
          members: [],
        };
      case "SyncGroup": {
        const partitions = this.assignments[this.#generation - 1];
        assert.ok(partitions, "the member joined too often");
        return encodeAssignment(TOPIC, partitions);
      }
      case "Heartbeat":
        if (++this.#beats < this.beats) return undefined;
        if (this.#generation === this.assignments.length) return undefined;
        throw new KafkaError(CODES.rebalanceInProgress, "heartbeat");
      case "InitProducerId":
        return { producerId: 1n, epoch: 0 };
      case "OffsetFetch":
        return new Map();
      case "ListOffsets":
        return new Map([[0, 0], [1, 0]]);
      case "Fetch":
        return this.asked.get(name) === 1
          ? [fetched(textBatch(0, ["a", "b"]))]
          : [fetched(new Uint8Array(0))];
      default:
        return undefined;
    }
  }
}

function fetched(bytes: Uint8Array): FetchedPartition {
  const records = { bytes, aborted: [] };
  return {
    topic: TOPIC,
    partition: 0,
    code: 0,
    stableOffset: 2,
    startOffset: 0,
    records,
  };
}

/** Work that counts how often it is asked, and ends by itself. */
function counted(
  limit: () => void,
  more: Pick<ConsumeOptions, "idle" | "open">,
): ConsumeOptions {
  return {
    group: "readers",
    topic: TOPIC,
    signal: new AbortController().signal,
    get limit() {
      limit();
      return { records: 10, bytes: 1000 };
    },
    ...more,
  };
}

/** Runs a member; `done` ends it. */
async function run(
  kafka: PlayedKafka,
  work: (stop: () => void) => Pick<ConsumeOptions, "idle" | "open">,
): Promise<{ looks: number }> {
  const stop = new AbortController();
  let looks = 0;
  const options = counted(() => {
    looks++;
    if (looks > LOOKS_MAX) throw new Error("the member spins");
  }, work(() => stop.abort()));
  await consume({
    cluster: kafka.cluster,
    consume: options,
    sessionTimeoutMs: 30,
    report: () => {},
    signal: stop.signal,
    patience: new AbortController().signal,
  });
  kafka.cluster.close();
  return { looks };
}

Deno.test("a member without partitions asks for no records, and takes over what it is given later", async () => {
  const kafka = new PlayedKafka([[], [], [0]], 10);
  const taken: number[] = [];
  const { looks } = await run(kafka, (stop) => ({
    idle: () => Promise.resolve(false),
    open: () =>
      Promise.resolve({
        step: ({ count, next }) => {
          assert.equal(kafka.asked.get("JoinGroup"), 3);
          taken.push(count);
          stop();
          return { next, metadata: "", appends: [] };
        },
      }),
  }));
  assert.deepEqual(taken, [2]);
  assert.equal(kafka.asked.get("Fetch"), 1);
  assert.ok(looks < 20, `${looks} looks`);
});

Deno.test("a member without partitions ends with the others, and asks ever less often whether it may", async () => {
  const kafka = new PlayedKafka([[]], Infinity);
  let asked = 0;
  const { looks } = await run(kafka, () => ({
    idle: () => Promise.resolve(++asked === 7),
    open: () => Promise.reject(new Error("there is nothing to open")),
  }));
  assert.ok(looks < 20, `${looks} looks`);
  assert.equal(asked, 7);
  assert.equal(kafka.asked.get("Fetch"), undefined);
  // The heartbeats' pauses are shorter.
  const between = kafka.pauses.filter((ms) => ms >= 25);
  assert.deepEqual(between, [25, 50, 100, 200, 400, 400, 400]);
});

Deno.test("a partition whose records have to wait is tried again after a pause each time", async () => {
  const kafka = new PlayedKafka([[0]], Infinity);
  let steps = 0;
  await run(kafka, (stop) => ({
    idle: () => Promise.resolve(false),
    open: () =>
      Promise.resolve({
        step: () => {
          if (++steps === 20) stop();
          return { next: 0, metadata: "", appends: [] };
        },
      }),
  }));
  assert.equal(steps, 20);
  const { length } = kafka.pauses;
  assert.ok(length >= steps - 2, `${length} pauses`);
});
