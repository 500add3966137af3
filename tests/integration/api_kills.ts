/**
 * The API on a real Kafka and a real Cassandra under SIGKILLs: of Kafka itself,
 * of the API, of the stages behind it, of all in one process. Clients repeat
 * what is not answered, and the independent checker (tests/oracle/) compares
 * what they saw with log and store. `deno task test:long` kills 20 times in
 * each arrangement.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openLog } from "../../src/log/open_log.ts";
import { hasTaken } from "../../src/stream/stream_context.ts";
import { PIPELINE, SCORING } from "../../src/stream/topics.ts";
import { PayingClients, writeTopics } from "../cli/paying_clients.ts";
import { chance, isLong, seeds } from "../long.ts";
import {
  assertHistory,
  checkerProblem,
  writeHistoryFile,
} from "../oracle/history.ts";
import { freePort } from "../services/free_port.ts";
import { type KafkaServer, startKafka } from "../services/kafka_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";
import { sharedCassandra } from "./servers.ts";

const KILLS = isLong ? 20 : 2;
const [SEED] = seeds(1, 1);
const CLIENTS = 8;
/** Every so many kills, the first among them, hit Kafka. */
const OF_KAFKA = 3;
/** A kill comes within this time after everything is ready again. */
const KILL_WITHIN_MS = 1200;
const POLL_MS = 50;
const MODEL = "--model=built-in";
const ALL_IN_ONE = "--role=api,processor,scorer,writer,labels";

/** A stream with an API whose programs and whose Kafka are killed and started again. */
class Victims implements AsyncDisposable {
  readonly #kafka: KafkaServer;
  readonly #port: number;
  readonly #kinds: readonly (readonly string[])[];
  readonly #running: (RoleProcess | undefined)[];

  /** The flags of each program. */
  constructor(
    kafka: KafkaServer,
    port: number,
    kinds: readonly (readonly string[])[],
  ) {
    this.#kafka = kafka;
    this.#port = port;
    this.#kinds = kinds;
    this.#running = kinds.map(() => undefined);
  }

  /** Starts what does not run. */
  start(): void {
    for (const [i, flags] of this.#kinds.entries()) {
      this.#running[i] ??= new RoleProcess(`program ${i}`, ["run", ...flags]);
    }
  }

  /** Waits until the API is ready. */
  async ready(): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!await isReady(this.#port)) {
      this.#startAgain();
      assert.ok(performance.now() < deadline, this.#tails());
      await delay(POLL_MS);
    }
    this.#startAgain();
  }

  /** Starts again, as a supervisor of services does, what began while Kafka was dead and gave up after 10 s. Fails if one has ended otherwise. */
  #startAgain(): void {
    for (const [i, one] of this.#running.entries()) {
      if (!one?.unexpectedCode) continue;
      assert.match(one.tail(), /no Kafka broker answers/, this.#tails());
      this.#running[i] = undefined;
    }
    this.start();
  }

  /** Kills Kafka or one of the programs, and starts it again. */
  async kill(number: number, random: () => number): Promise<string> {
    if (number % OF_KAFKA === 1) {
      await this.#kafka.kill();
      await this.#kafka.start();
      return "Kafka";
    }
    const victim = Math.floor(random() * this.#kinds.length);
    await this.#running[victim]?.kill();
    this.#running[victim] = undefined;
    this.start();
    return `program ${victim}`;
  }

  /** Stops all in order. */
  async stop(): Promise<void> {
    for (const program of this.#running) {
      const ending = await program?.stop();
      assert.equal(ending?.code, 0, this.#tails());
    }
  }

  #tails(): string {
    return this.#running.map((one) => one?.tail()).join("\n");
  }

  /** Nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((one) => one?.kill()));
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // it does not listen yet
  }
}

/** Asserts that clients see every payment decided exactly once, whatever is killed. */
async function assertKillsChangeNothing(
  t: Deno.TestContext,
  name: string,
  kindsOf: (apiPort: string) => readonly (readonly string[])[],
): Promise<void> {
  await using folder = temporaryFolder();
  await using kafka = await startKafka();
  const { address } = await sharedCassandra();
  const random = chance(SEED);
  const port = freePort();
  const connection = [
    "--log=kafka",
    `--brokers=${kafka.address}`,
    "--session-timeout=3s",
    "--store=cassandra",
    `--contact-points=${address}`,
    "--local-dc=datacenter1",
    `--keyspace=${name}`,
    `--data=${join(folder.path, "data")}`,
  ];
  const kinds = kindsOf(`--api-port=${port}`)
    .map((flags) => [...flags, ...connection]);
  await using victims = new Victims(kafka, port, kinds);
  victims.start();
  await victims.ready();
  const clients = new PayingClients(port, CLIENTS, chance(SEED + 1));
  const killed: Record<string, number> = {};
  for (let number = 1; number <= KILLS; number++) {
    await victims.ready();
    await delay(random() * KILL_WITHIN_MS);
    const victim = await victims.kill(number, random);
    killed[victim] = (killed[victim] ?? 0) + 1;
  }
  await victims.ready();
  const history = await clients.finish();
  await using log = await openLog({
    kind: "kafka",
    brokers: [kafka.address],
    prefix: "",
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 3000,
  }, () => {});
  const deadline = performance.now() + DEADLINE_MS;
  for (const { group, topic } of [...PIPELINE, ...SCORING]) {
    while (!await hasTaken(log, group, topic)) {
      assert.ok(performance.now() < deadline, `${group} does not catch up`);
      await delay(POLL_MS);
    }
  }
  await victims.stop();
  await writeHistoryFile(folder.path, "history", history);
  await writeTopics(folder.path, log);
  const exported = async (file: string, ...flags: string[]) => {
    const out = `--out=${join(folder.path, file)}.jsonl`;
    const args = ["export", ...connection, out, ...flags];
    await using process = new RoleProcess("export", args);
    const { code } = await process.ended();
    assert.equal(code, 0, process.tail());
  };
  await exported("stored", "--with=payment,prediction");
  await exported("scored", "--table=predictions");
  const counts = await assertHistory(folder.path);
  const kills = Object.entries(killed).map(([victim, n]) => `${victim}: ${n}`);
  await t.step(`killed ${kills.join(", ")}; ${counts.trim()}`, () => {
    const [, unanswered, decided] =
      /(\d+) unanswered, (\d+) payments decided/.exec(counts) ?? [];
    assert.ok(Number(unanswered) >= KILLS);
    assert.ok(Number(decided) >= 10 * KILLS);
  });
}

function test(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  if (checkerProblem === undefined) testServing(name, fn);
  else Deno.test({ name: `${name} (${checkerProblem})`, ignore: true, fn });
}

test(`${KILLS} SIGKILLs of Kafka and of a program with an API on it: each payment is decided once (seed ${SEED})`, (t) =>
  assertKillsChangeNothing(t, "api_kills_one", (apiPort) => [
    [ALL_IN_ONE, apiPort, MODEL],
  ]));

if (isLong) {
  test(`${KILLS} SIGKILLs of Kafka, of an API and of the stages behind it: each payment is decided once (seed ${SEED})`, (t) =>
    assertKillsChangeNothing(t, "api_kills_two", (apiPort) => [
      ["--role=api", apiPort],
      ["--role=processor,scorer,writer,labels", MODEL],
    ]));
}
