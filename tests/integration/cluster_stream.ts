/**
 * A stream on a real Kafka and a real Cassandra for one scenario: its roles are
 * processes, a test waits for what they have committed, and in the end compares
 * what is stored, and all counters, with what must be there.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type LogSettings, openLog } from "../../src/log/open_log.ts";
import { type Log, READ_LIMIT } from "../../src/log/log.ts";
import { Control } from "../../src/stream/control.ts";
import { parseCommit, type StageCounters } from "../../src/stream/commit.ts";
import { readStatus, type StreamStatus } from "../../src/stream/status.ts";
import {
  CONTROL_TOPIC,
  PIPELINE,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import type { CassandraServer } from "../services/cassandra_server.ts";
import type { KafkaServer } from "../services/kafka_server.ts";
import {
  type DataSet,
  type Expected,
  expectedOf,
  SIXTY_DAYS,
  tableOf,
} from "./expected_features.ts";
import { DEADLINE_MS, type Ending, RoleProcess } from "./role_process.ts";
import { sharedCassandra, sharedKafka } from "./servers.ts";

/** How a stream is made, where not as usual. */
export interface StreamOptions {
  /** What flows; the first 60 days of set B as usual. */
  readonly set?: DataSet;
  /** A Kafka that the scenario harms; the shared one as usual. */
  readonly kafka?: KafkaServer;
  /** A Cassandra that the scenario harms; the shared one as usual. */
  readonly cassandra?: CassandraServer;
  /** A data folder: the store is the embedded one in it. */
  readonly folder?: string;
}

/** Counters of a stage that a scenario expects to differ from "all rows read and emitted". */
export type StageExtras = Partial<
  Pick<StageCounters, "deadLettered" | "duplicates">
>;

/** A group and the topic that it works on. */
export type Stage = typeof PIPELINE[number];

/** The stages of the processor: customer windows, terminal windows. */
export const STAGES: readonly Stage[] = PIPELINE.slice(0, 2);

/** The partitions of a topic. */
export const ALL: readonly number[] = [0, 1, 2, 3];

const POLL_MS = 50;
/** How often a pause between two transactions is tried. */
const PAUSES_MAX = 200;

let streams = 0;

/** One stream, alone under its names. */
export class ClusterStream implements AsyncDisposable {
  /** This test's own look at the log. */
  readonly log: Log;
  /** What must be stored in the end. */
  readonly expected: Expected;
  /** The keyspace of its tables. */
  readonly keyspace: string;
  readonly #set: DataSet;
  readonly #settings: LogSettings;
  readonly #connection: readonly string[];
  readonly #processes: RoleProcess[] = [];
  readonly #control: Control;
  #status: StreamStatus | undefined;

  private constructor(
    { set, expected, keyspace, log, settings, connection }: {
      set: DataSet;
      expected: Expected;
      keyspace: string;
      log: Log;
      settings: LogSettings;
      connection: readonly string[];
    },
  ) {
    this.#set = set;
    this.expected = expected;
    this.keyspace = keyspace;
    this.log = log;
    this.#settings = settings;
    this.#connection = connection;
    this.#control = new Control(log);
  }

  /** Gives a stream its names; nothing runs yet. */
  static async open(options: StreamOptions = {}): Promise<ClusterStream> {
    const { set = SIXTY_DAYS, folder } = options;
    const name = `scenario${++streams}`;
    const cassandra = async () => {
      const server = options.cassandra ?? await sharedCassandra();
      return [
        "--store=cassandra",
        `--contact-points=${server.address}`,
        "--local-dc=datacenter1",
        `--keyspace=${name}`,
      ];
    };
    const [expected, kafka, store] = await Promise.all([
      expectedOf(set),
      options.kafka ?? sharedKafka(),
      folder === undefined ? cassandra() : [`--data=${folder}`],
    ]);
    const settings: LogSettings = {
      kind: "kafka",
      brokers: [kafka.address],
      prefix: `${name}-`,
      replication: undefined,
      tls: undefined,
      sasl: undefined,
      sessionTimeoutMs: 3000,
    };
    const log = await openLog(settings, () => {});
    const connection = [
      "--log=kafka",
      `--brokers=${kafka.address}`,
      `--topic-prefix=${settings.prefix}`,
      "--session-timeout=3s",
      ...store,
    ];
    return new ClusterStream({
      ...{ set, expected, log, settings, connection },
      keyspace: name,
    });
  }

  /** Another client's connection to the same log. */
  connect(): Promise<Log> {
    return openLog(this.#settings, () => {});
  }

  /**
   * Stops the producer's process (SIGSTOP) between two transactions: readers
   * would wait for the end of one that is open, as long as it may take.
   */
  async pause(producer: RoleProcess): Promise<void> {
    for (let tried = 0; tried < PAUSES_MAX; tried++) {
      producer.pause();
      // What has been sent before still arrives.
      await delay(POLL_MS);
      if (await this.#isSettled()) return;
      producer.resume();
      await delay(tried % 10);
    }
    assert.fail(`a transaction was open at each of ${PAUSES_MAX} pauses`);
  }

  /** Whether the producer has no transaction open. */
  async #isSettled(): Promise<boolean> {
    for (const topic of [TRANSACTION_TOPIC, CONTROL_TOPIC]) {
      const ends = await this.log.endOffsets(topic) ?? [];
      for (const [partition, end] of ends.entries()) {
        if (end === 0) continue;
        const { next } = await this.log.read(
          topic,
          partition,
          end - 1,
          READ_LIMIT,
        );
        if (next < end) return false;
      }
    }
    return true;
  }

  /** Starts roles (comma list) as one process; `flags` besides the stream's. */
  start(roles: string, ...flags: readonly string[]): RoleProcess {
    const process = new RoleProcess(roles, [
      "run",
      `--role=${roles}`,
      ...this.#connection,
      ...this.#set.data,
      ...this.#set.features,
      ...flags,
    ]);
    this.#processes.push(process);
    return process;
  }

  /** Runs another command on the stream to its end. */
  async run(command: string, ...flags: readonly string[]): Promise<Ending> {
    await using process = new RoleProcess(command, [
      command,
      ...this.#connection,
      ...flags,
    ]);
    const ending = await process.ended();
    assert.equal(ending.code, 0, process.tail());
    return ending;
  }

  /** How far the stream is; undefined before a role has made its topics. */
  async status(): Promise<StreamStatus | undefined> {
    if (!await this.log.endOffsets(CONTROL_TOPIC)) return undefined;
    this.#status = await readStatus(this.log, this.#control);
    return this.#status;
  }

  /** How many rows a group has handed on of each partition of its topic. */
  async emitted({ group, topic }: Stage): Promise<number[]> {
    const commits = await this.log.committed(group, topic);
    return commits.map((commit) => parseCommit(commit).counters.emitted);
  }

  /** Waits until the stream's status is as wanted. */
  async waitFor(
    what: string,
    holds: (status: StreamStatus) => boolean,
  ): Promise<StreamStatus> {
    let found: StreamStatus | undefined;
    await this.until(what, async () => {
      found = await this.status();
      return found !== undefined && holds(found);
    });
    assert.ok(found);
    return found;
  }

  /** Waits until something holds; fails at the deadline, or as soon as a process has failed, and says where everything stood. */
  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
  ): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    let held = false;
    let asking: Promise<void> | undefined;
    while (!held) {
      // A look at a log that is down takes as long as that lasts.
      asking ??= Promise.resolve(holds()).then((answer) => {
        held = answer;
        asking = undefined;
      });
      await Promise.race([asking, delay(1000)]);
      if (held) return;
      if (performance.now() > deadline) throw this.#failure(what, "in time");
      for (const { name, unexpectedCode } of this.#processes) {
        if (unexpectedCode === undefined) continue;
        throw this.#failure(what, `before ${name} exited ${unexpectedCode}`);
      }
      await delay(POLL_MS);
    }
  }

  #failure(what: string, when: string): Error {
    const stages = this.#status?.stages.map(({ name, counters, lag }) =>
      `${name}: ${JSON.stringify(counters)}, lag ${lag}`
    );
    return new Error([
      `waited for ${what}, which did not come ${when}`,
      `published ${this.#status?.produced} of ${this.expected.rows}`,
      ...stages ?? ["there was no status"],
      ...this.#processes.map((process) => process.tail()),
    ].join("\n"));
  }

  /** Waits until processes have done all there is to do, and ended with 0. */
  async finished(...processes: readonly RoleProcess[]): Promise<void> {
    await this.until("the end of all roles", async () => {
      const ending = Promise.all(processes.map(({ ending }) => ending));
      return await Promise.race([ending.then(() => true), delay(500, false)]);
    });
  }

  /** The table that `export` gives, CSV. */
  async exported(): Promise<string> {
    return (await this.run("export", "--out=-")).stdout;
  }

  /**
   * Asserts that no payment is lost and none twice, that every feature is
   * right to the last digit, and that the counters of all stages add up.
   */
  async assertExact(
    customer: StageExtras = {},
    terminal: StageExtras = {},
    writer: StageExtras = {},
  ): Promise<void> {
    const { rows } = this.expected;
    assert.deepEqual(tableOf(await this.exported()), this.expected);
    const status = await this.status();
    const extras = [customer, terminal, writer];
    for (const [i, { name, counters, lag }] of status?.stages.entries() ?? []) {
      const { read, emitted, deadLettered, duplicates } = counters;
      const wanted = { deadLettered: 0, duplicates: 0, ...extras[i] };
      assert.deepEqual({ read, emitted, deadLettered, duplicates, lag }, {
        read: rows + wanted.deadLettered + wanted.duplicates,
        emitted: rows,
        ...wanted,
        lag: 0,
      }, name);
    }
    assert.equal(status?.stages.length, 3);
  }

  /** Ends what still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) {
      await process[Symbol.asyncDispose]();
    }
    await this.log[Symbol.asyncDispose]();
  }
}
