/**
 * Another program's topic becomes a stream: payments by librdkafka with other
 * field names and keys, in seven partitions, taken by processes of which one is
 * killed, one comes later and one is stopped. An oracle in Python, which shares
 * nothing with the program, says what must have become of them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { readStatus } from "../../src/stream/status.ts";
import { CONTROL_TOPIC, INGEST_GROUP } from "../../src/stream/topics.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithClients } from "../services/python.ts";
import { serverProblem } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { freshSettings } from "./servers.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";

const SCRIPT = fileURLToPath(new URL("ingest_client.py", import.meta.url));

/** What the script publishes, and how many records among it are no payments. */
const PAYMENTS = 4000;
const BROKEN = PAYMENTS / 100;

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: { from: nr, type: number }
  TX_DATETIME: when
  CUSTOMER_ID: { from: pan, type: number }
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: { from: eur, decimals: 2, decimal: ",", currency: EUR }
  TX_FRAUD: { from: suspicious, true: "yes", false: "no" }
  TX_FRAUD_SCENARIO: kind
labels: { from: payment, delay: 7d }
features: { include: handbook }
`;

async function python(...args: readonly string[]): Promise<string> {
  const interpreter = await pythonWithClients();
  const { success, output } = await runTool(interpreter, [SCRIPT, ...args]);
  assert.ok(success, output);
  return output;
}

/** Waits until something holds; says what the processes wrote where it does not. */
async function until(
  what: string,
  processes: readonly RoleProcess[],
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!await holds()) {
    const failed = processes.some(({ unexpectedCode }) =>
      unexpectedCode !== undefined
    );
    if (failed || performance.now() > deadline) {
      const tails = processes.map((process) => process.tail());
      assert.fail([`waited for ${what}`, ...tails].join("\n"));
    }
    await delay(50);
  }
}

/** How many payments have been ingested and stored, and what is left to read. */
async function progress(log: Log) {
  if (!await log.endOffsets(CONTROL_TOPIC)) return undefined;
  const { ingest, stages: [, , writer] } = await readStatus(
    log,
    new Control(log),
  );
  return {
    read: ingest?.counters.read ?? 0,
    deadLettered: ingest?.counters.deadLettered ?? 0,
    stored: writer.counters.emitted,
  };
}

/** A topic that is not there is refused in one line, before the stream has any of its own. */
async function refusesMistyped(
  log: Log,
  { brokers, prefix }: { brokers: readonly string[]; prefix: string },
  folder: string,
): Promise<void> {
  await using ingest = new RoleProcess("mistyped", [
    "run",
    "--role=ingest",
    "--log=kafka",
    `--brokers=${brokers}`,
    `--topic-prefix=${prefix}`,
    `--source-topic=${prefix}shop.oders`,
    "--definition=sparkov",
    `--data=${join(folder, "mistyped")}`,
  ]);
  assert.equal((await ingest.ended()).code, 2);
  assert.match(ingest.tail(), /shop\.oders: the cluster has no such topic/);
  assert.equal(await log.endOffsets(CONTROL_TOPIC), undefined);
}

const problem = serverProblem ?? pythonProblem;

Deno.test({
  name:
    `payments of a librdkafka producer in seven partitions are ingested once, while processes come and go${
      problem ? ` (${problem})` : ""
    }`,
  ignore: problem !== undefined,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using folder = temporaryFolder();
    const settings = await freshSettings();
    const [address] = settings.brokers;
    const topic = `${settings.prefix}shop.orders`;
    await using log = await openLog(settings, () => {});
    await refusesMistyped(log, settings, folder.path);
    await log.createTopics([
      { name: "shop.orders", partitions: 7, compacted: false },
    ]);
    const definition = join(folder.path, "stream.yaml");
    await Deno.writeTextFile(definition, DEFINITION);
    const connection = [
      "--log=kafka",
      `--brokers=${address}`,
      `--topic-prefix=${settings.prefix}`,
      "--session-timeout=3s",
      `--data=${join(folder.path, "data")}`,
    ];
    await using processes = new AsyncDisposableStack();
    const started: RoleProcess[] = [];
    const start = (role: string, ...flags: string[]) => {
      const process = new RoleProcess(role, [
        "run",
        `--role=${role}`,
        ...connection,
        ...flags,
      ]);
      started.push(process);
      return processes.use(process);
    };
    const ingest = () =>
      start(
        "ingest",
        `--source-topic=${topic}`,
        `--definition=${definition}`,
        // Every partition has records to its end: the clock decides nothing.
        "--idle-after=1h",
        "--partitions=4",
      );
    const hasSource = (process: RoleProcess) =>
      process.assigned(INGEST_GROUP).length > 0;
    const publish = (from: number, to: number) =>
      python("produce", address, topic, String(from), String(to));

    const first = ingest();
    await until("the first process", started, () => hasSource(first));
    const second = ingest();
    start("processor");
    start("writer");
    await publish(0, PAYMENTS / 2);
    await until("the first payments", started, async () => {
      return (await progress(log))?.read as number > PAYMENTS / 4;
    });
    const publishing = publish(PAYMENTS / 2, PAYMENTS);
    await first.kill();
    await until("the second process", started, () => hasSource(second));
    const third = ingest(); // a rebalance
    await publishing;
    await second.stop();
    await until("the third process", started, () => hasSource(third));
    await until("all payments", started, async () => {
      return (await progress(log))?.stored === PAYMENTS;
    });
    assert.deepEqual(await progress(log), {
      read: PAYMENTS + BROKEN,
      deadLettered: BROKEN,
      stored: PAYMENTS,
    });
    const exported = join(folder.path, "export.csv");
    await using exporting = new RoleProcess("export", [
      "export",
      ...connection,
      `--out=${exported}`,
    ]);
    assert.equal((await exporting.ended()).code, 0, exporting.tail());
    const transactions = `${settings.prefix}transaction_topic`;
    const output = await python("check", address, transactions, exported);
    assert.match(output, new RegExp(`checked ${PAYMENTS}`));
  },
});
