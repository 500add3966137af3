/**
 * What docs/SECURED_CLUSTERS.md says that those who take part in labels may do:
 * with exactly these rights each does its work, and with one less it does not.
 * Starts the program many times, so `deno task test:long` runs it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import kafkajs from "kafkajs/index.js";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { takenOffset } from "../../src/stream/commit.ts";
import { idAppends } from "../../src/stream/id_records.ts";
import { LABEL_TOPIC, LABELLING, PIPELINE } from "../../src/stream/topics.ts";
import { isLong } from "../long.ts";
import { type KafkaServer, startKafka } from "../services/kafka_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";

const PREFIX = "shop.";
const PARTITIONS = 2;
const DATA = ["--preset=seed", "--days=8", `--partitions=${PARTITIONS}`];
const STREAM = [...DATA, "--labels=stream", "--rate=max"];

/** No payment's id. */
const UNKNOWN = 1e9;

const { AclOperationTypes, AclPermissionTypes } = kafkajs;
const { AclResourceTypes, ResourcePatternTypes } = kafkajs;

const RESOURCES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  transactionalId: AclResourceTypes.TRANSACTIONAL_ID,
};

/** A rule: what may be done with a resource, or, with a star at its end, with all whose names begin so. */
type Right = readonly [
  operation: "READ" | "WRITE" | "DESCRIBE" | "DESCRIBE_CONFIGS",
  resource: keyof typeof RESOURCES,
  name: string,
];

/** What every role does as it starts. */
const START: readonly Right[] = [
  ["DESCRIBE", "topic", "*"],
  ["DESCRIBE_CONFIGS", "topic", "*"],
  ["READ", "topic", "transaction_control_topic"],
  ["DESCRIBE", "group", "*"],
];

const LABELS: readonly Right[] = [
  ...START,
  ["READ", "topic", "label_topic"],
  ["WRITE", "topic", "transaction_topic"],
  ["WRITE", "topic", "transaction_dead_letter_topic"],
  ["WRITE", "topic", "transaction_control_topic"],
  ["READ", "group", "fraudstream-label-intake"],
  ["WRITE", "transactionalId", "fraudstream-label-intake*"],
];

/** What the processor does in any stream. */
const PROCESSOR: readonly Right[] = [
  ...START,
  ["READ", "topic", "transaction_topic"],
  ["READ", "topic", "transaction_by_terminal_topic"],
  ["WRITE", "topic", "transaction_by_terminal_topic"],
  ["WRITE", "topic", "transaction_sink_topic"],
  ["WRITE", "topic", "transaction_dead_letter_topic"],
  ["WRITE", "topic", "transaction_control_topic"],
  ["READ", "group", "fraudstream-customer-windows"],
  ["READ", "group", "fraudstream-terminal-windows"],
  ["WRITE", "transactionalId", "fraudstream-customer-windows*"],
  ["WRITE", "transactionalId", "fraudstream-terminal-windows*"],
];

/** What the writer does in any stream. */
const WRITER: readonly Right[] = [
  ...START,
  ["READ", "topic", "transaction_sink_topic"],
  ["WRITE", "topic", "transaction_dead_letter_topic"],
  ["WRITE", "topic", "transaction_control_topic"],
  ["READ", "group", "fraudstream-writer"],
  ["WRITE", "transactionalId", "fraudstream-writer*"],
];

const LABEL_FILE: readonly Right[] = [
  ["READ", "topic", "transaction_control_topic"],
  ["WRITE", "topic", "label_topic"],
  ["WRITE", "transactionalId", "fraudstream-labels"],
];

/** What was said where something could not be done; undefined where it was. */
type Refusal = string | undefined;

/** A stream on a secured broker, of which one principal has few rights. */
class GuardedStream implements AsyncDisposable {
  readonly log: Log;
  readonly #plain: readonly string[];
  readonly #guarded: readonly string[];
  readonly #admin: ReturnType<kafkajs.Kafka["admin"]>;
  readonly #client: kafkajs.Kafka;
  readonly #username: string;

  private constructor(server: KafkaServer, folder: string, log: Log) {
    const { address, securedAddress, caFile, username, password } = server;
    assert.ok(securedAddress && caFile && username && password);
    const secret = join(folder, "password");
    Deno.writeTextFileSync(secret, password);
    const place = [
      ...["--log=kafka", `--topic-prefix=${PREFIX}`, "--session-timeout=3s"],
      `--data=${join(folder, "data")}`,
    ];
    this.log = log;
    this.#plain = [...place, `--brokers=${address}`];
    this.#guarded = [
      ...[...place, `--brokers=${securedAddress}`, "--kafka-tls"],
      ...[`--kafka-ca-file=${caFile}`, "--kafka-sasl=plain"],
      ...[`--kafka-username=${username}`, `--kafka-password-file=${secret}`],
    ];
    this.#username = username;
    this.#client = new kafkajs.Kafka({
      brokers: [securedAddress],
      ssl: { ca: [Deno.readTextFileSync(caFile)] },
      sasl: { mechanism: "plain", username, password },
      logLevel: kafkajs.logLevel.NOTHING,
    });
    this.#admin = new kafkajs.Kafka({
      brokers: [address],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
  }

  static async open(server: KafkaServer, folder: string) {
    const log = await openLog({
      kind: "kafka",
      brokers: [server.address],
      prefix: PREFIX,
      replication: undefined,
      tls: undefined,
      sasl: undefined,
      sessionTimeoutMs: 3000,
    }, () => {});
    const stream = new GuardedStream(server, folder, log);
    await stream.#admin.connect();
    return stream;
  }

  /** Lets the principal do this and nothing else. */
  async allow(rights: readonly Right[]): Promise<void> {
    const principal = `User:${this.#username}`;
    await this.#admin.deleteAcls({
      filters: [{
        resourceType: AclResourceTypes.ANY,
        resourcePatternType: ResourcePatternTypes.ANY,
        principal,
        operation: AclOperationTypes.ANY,
        permissionType: AclPermissionTypes.ANY,
      }],
    });
    const acl = rights.map(([operation, resource, name]) => {
      const isPrefix = name.endsWith("*");
      return {
        resourceType: RESOURCES[resource],
        resourceName: PREFIX + (isPrefix ? name.slice(0, -1) : name),
        resourcePatternType: isPrefix
          ? ResourcePatternTypes.PREFIXED
          : ResourcePatternTypes.LITERAL,
        principal,
        host: "*",
        operation: AclOperationTypes[operation],
        permissionType: AclPermissionTypes.ALLOW,
      };
    });
    if (acl.length > 0) await this.#admin.createAcls({ acl });
  }

  /** Runs a command to its end. */
  async run(
    args: readonly string[],
    as: "anyone" | "principal" = "principal",
  ): Promise<Refusal> {
    await using process = this.#start(args, as);
    const { code } = await process.ended();
    return code === 0 ? undefined : process.tail();
  }

  #start(args: readonly string[], as: "anyone" | "principal"): RoleProcess {
    const flags = as === "anyone" ? this.#plain : this.#guarded;
    return new RoleProcess(args.join(" "), [...args, ...flags]);
  }

  /** Says labels with all rights. */
  async say(...ids: readonly number[]): Promise<void> {
    const producer = await this.log.producer("somebody");
    const records = ids.map((id) => {
      const json = JSON.stringify({ TRANSACTION_ID: id, TX_FRAUD: 1 });
      return { id, json, timestampMs: Date.now() };
    });
    await producer.append(idAppends(LABEL_TOPIC, PARTITIONS, records));
  }

  async #hasTaken({ group, topic }: typeof PIPELINE[number]) {
    const ends = await this.log.endOffsets(topic) ?? [];
    const commits = await this.log.committed(group, topic);
    return ends.every((end, at) => takenOffset(commits[at]) >= end);
  }

  /** Runs a role until its groups have taken all there is. */
  async takes(
    role: string,
    groups: typeof PIPELINE,
    as: "anyone" | "principal" = "principal",
  ): Promise<Refusal> {
    const haveTaken = async () =>
      (await Promise.all(groups.map((group) => this.#hasTaken(group))))
        .every((has) => has);
    await using process = this.#start(["run", `--role=${role}`], as);
    const deadline = performance.now() + DEADLINE_MS;
    for (let isOver = false; !isOver && performance.now() < deadline;) {
      isOver = await Promise.race([
        process.ending.then(() => true),
        delay(100, false),
      ]);
      if (await haveTaken()) return undefined;
    }
    return process.tail();
  }

  /** Publishes to the label topic as any program would, as the principal. */
  async publishes(): Promise<Refusal> {
    const producer = this.#client.producer({ retry: { retries: 0 } });
    try {
      await producer.connect();
      const value = JSON.stringify({ TRANSACTION_ID: 0, TX_FRAUD: 1 });
      const topic = PREFIX + LABEL_TOPIC;
      await producer.send({ topic, messages: [{ key: "0", value }] });
      return undefined;
    } catch (error) {
      return String(error);
    } finally {
      await producer.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
    await this.log[Symbol.asyncDispose]();
  }
}

/** Asserts that work is done with these rights, and not with one less. */
async function assertExact(
  t: Deno.TestContext,
  who: string,
  stream: GuardedStream,
  { needed, besides = [] }: {
    readonly needed: readonly Right[];
    /** Rights that go without saying. */
    readonly besides?: readonly Right[];
  },
  work: () => Promise<Refusal>,
): Promise<void> {
  await t.step(`${who}: the rights suffice`, async () => {
    await stream.allow([...besides, ...needed]);
    assert.equal(await work(), undefined);
  });
  for (const right of needed) {
    await t.step(`${who}: not without ${right.join(" ")}`, async () => {
      const others = needed.filter((other) => other !== right);
      await stream.allow([...besides, ...others]);
      assert.match(await work() ?? "it works", /authoriz/i);
    });
  }
}

async function assertAll(
  t: Deno.TestContext,
  stream: GuardedStream,
  file: string,
): Promise<void> {
  const [intake, writer] = LABELLING;
  const stages = PIPELINE.slice(0, 2);
  await assertExact(t, "role labels", stream, { needed: LABELS }, async () => {
    // It waits for what was published before the label of an unknown payment.
    assert.equal(await stream.takes("processor", stages, "anyone"), undefined);
    await stream.say(1, UNKNOWN);
    return await stream.takes("labels", [intake]);
  });
  await assertExact(t, "processor", stream, {
    needed: [["WRITE", "topic", "transaction_label_topic"]],
    besides: PROCESSOR,
  }, async () => {
    await stream.say(1);
    assert.equal(await stream.takes("labels", [intake], "anyone"), undefined);
    return await stream.takes("processor", stages);
  });
  await assertExact(t, "writer", stream, {
    needed: [
      ["READ", "topic", "transaction_label_topic"],
      ["READ", "group", "fraudstream-label-writer"],
      ["WRITE", "transactionalId", "fraudstream-label-writer*"],
    ],
    besides: WRITER,
  }, async () => {
    await stream.say(1);
    assert.equal(await stream.takes("labels", [intake], "anyone"), undefined);
    assert.equal(await stream.takes("processor", stages, "anyone"), undefined);
    return await stream.takes("writer", [writer]);
  });
  await assertExact(
    t,
    "label FILE",
    stream,
    { needed: LABEL_FILE },
    () => stream.run(["label", file]),
  );
  await assertExact(t, "a publisher", stream, {
    needed: [["WRITE", "topic", "label_topic"]],
  }, () => stream.publishes());
}

if (isLong) {
  testServing(
    "the rights of those who take part in labels suffice, and each is needed",
    async (t) => {
      await using folder = temporaryFolder();
      await using server = await startKafka({
        secured: true,
        config: {
          "authorizer.class.name":
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
          // Who connects without a login, the broker itself among them.
          "super.users": "User:ANONYMOUS",
        },
      });
      await using stream = await GuardedStream.open(server, folder.path);
      const roles = "--role=producer,processor,writer";
      const run = ["run", roles, ...STREAM];
      assert.equal(await stream.run(run, "anyone"), undefined);
      const file = join(folder.path, "labels.csv");
      Deno.writeTextFileSync(file, "TRANSACTION_ID,TX_FRAUD\n1,1\n");
      await assertAll(t, stream, file);
    },
  );
}
