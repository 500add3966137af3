/**
 * Payments of a definition on a real Kafka and a real Cassandra: text ids, kept
 * fields, refunds and declared features from a file in three partitions, killed on the way. What
 * is stored is what one partition in SQLite has, byte for byte, and pandas says
 * the same of the features.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { splitRecord } from "../../src/files/csv_records.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { readStatus } from "../../src/stream/status.ts";
import { CONTROL_TOPIC } from "../../src/stream/topics.ts";
import { runMain } from "../cli/program_runner.ts";
import { RAW_COLUMNS, rawSet } from "../definition/raw_sets.ts";
import { assertEqualsOracle, oracleProblem } from "../oracle/raw_oracle.ts";
import { serverProblem, testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { freshSettings } from "./servers.ts";
import { DEADLINE_MS, RoleProcess } from "./role_process.ts";
import { sharedCassandra } from "./servers.ts";

const ROWS = 12_000;
/** Of the generator's rows one of so many is taken, so that they span 25 days. */
const THINNED = 5;
/** Where the process is killed, in payments published. */
const KILLS = [3000, 8000];

/** What several partitions leave room for; some may have no value, and one is named like a word of CQL. */
const DECLARED = `features:
  include: handbook
  CARD_TX_10MIN: { count: payments, by: CUSTOMER_ID, over: 10m }
  CARD_MERCHANTS_1D: { distinct: TERMINAL_ID, by: CUSTOMER_ID, over: 1d }
  CARD_CATEGORY_MAX:
    max: TX_AMOUNT
    by: [CUSTOMER_ID, category]
    over: 5d
    include_self: false
  SINCE: { seconds_since: payments, by: CUSTOMER_ID, over: 3d }
  MERCHANT_MEAN_2D: { mean: TX_AMOUNT, by: TERMINAL_ID, over: 2d, delay: 7d }
  MERCHANT_RISK_3D: { share: TX_FRAUD, by: TERMINAL_ID, over: 3d }
  order: { expression: "TX_AMOUNT / CARD_CATEGORY_MAX" }
`;

const DEFINITION = BUILT_IN_DEFINITIONS.sparkov
  .replace("currency: USD", "currency: USD, refunds: true")
  .replace("features: { include: handbook }\n", DECLARED);

/** Sparkov's rows in order of time, of which one of 41 is a refund. */
function refundedSet(): string {
  const amount = RAW_COLUMNS.sparkov.indexOf("amt");
  const options = { rows: ROWS * THINNED, cards: 60, seed: 11 };
  const text = [...rawSet("sparkov", options)].join("");
  const [header, ...lines] = text.trimEnd().split("\n");
  const rows = lines.filter((_, at) => at % THINNED === 0).map((line, at) => {
    if (at % 41 > 0) return line;
    const cells = splitRecord(line, ",") ?? [];
    cells[amount] = `-${cells[amount]}`;
    return cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join();
  });
  return [header, ...rows, ""].join("\n");
}

/** Runs the program to its end, which must be a good one. */
async function finish(name: string, args: readonly string[]): Promise<string> {
  await using process = new RoleProcess(name, args);
  const { code, stdout } = await process.ended();
  assert.equal(code, 0, process.tail());
  return stdout;
}

const problem = serverProblem ?? oracleProblem;

Deno.test({
  name: "a file of text ids, kept fields and refunds is stored on Kafka and " +
    "Cassandra as in SQLite, through two kills, with the features of pandas" +
    (problem ? ` (${problem})` : ""),
  ignore: problem !== undefined,
  // Shared servers live on from one test to the next.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(path("payments.csv"), refundedSet());
    Deno.writeTextFileSync(path("stream.yaml"), DEFINITION);
    const [settings, cassandra] = await Promise.all([
      freshSettings(),
      sharedCassandra(),
    ]);
    const connection = [
      "--log=kafka",
      `--brokers=${settings.brokers[0]}`,
      `--topic-prefix=${settings.prefix}`,
      "--session-timeout=3s",
      "--store=cassandra",
      `--contact-points=${cassandra.address}`,
      "--local-dc=datacenter1",
      "--keyspace=own_definition",
    ];
    const roles = "--role=producer,processor,writer";
    const input = [
      `--in=${path("payments.csv")}`,
      `--definition=${path("stream.yaml")}`,
    ];
    const cluster = ["run", roles, ...connection, ...input, "--partitions=3"];
    await using log = await openLog(settings, () => {});
    const produced = async () =>
      await log.endOffsets(CONTROL_TOPIC)
        ? (await readStatus(log, new Control(log))).produced
        : 0;
    for (const payments of KILLS) {
      await using killed = new RoleProcess("run", [...cluster, "--rate=2500"]);
      const deadline = performance.now() + DEADLINE_MS;
      while (await produced() < payments) {
        const failed = killed.unexpectedCode !== undefined;
        assert.ok(!failed && performance.now() < deadline, killed.tail());
        await delay(50);
      }
      await killed.kill();
    }
    // The stream knows its file and its definition.
    await finish("run", ["run", roles, ...connection, "--rate=max"]);
    const data = `--data=${path("data")}`;
    const run = await runMain([
      ...["run", "--rate=max", "--no-model", data],
      ...input,
    ]);
    assert.equal(run.code, 0, run.stderr);
    for (const format of ["csv", "jsonl"]) {
      const wanted = [`--format=${format}`, "--with=payment,label", "--out=-"];
      const embedded = await runMain(["export", data, ...wanted]);
      assert.equal(embedded.code, 0, embedded.stderr);
      const stored = await finish("export", [
        "export",
        ...connection,
        ...wanted,
      ]);
      assert.ok(stored === embedded.stdout, `the ${format} bytes differ`);
      if (format === "csv") continue;
      const found = path("found.jsonl");
      await Deno.writeTextFile(found, stored);
      const raw = path("payments.csv");
      const rows = await assertEqualsOracle(found, ROWS, {
        set: "sparkov",
        raw,
      });
      const without = rows.filter(({ order }) => order === null);
      assert.ok(without.length > 0 && without.length < ROWS);
      const refunds = rows.filter((row) => Number(row.TX_AMOUNT) < 0);
      assert.equal(refunds.length, Math.ceil(ROWS / 41));
    }
  },
});

testServing(
  "payments without features are stored in Cassandra as in SQLite",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const lines = refundedSet().split("\n").slice(0, 1 + ROWS / 10);
    Deno.writeTextFileSync(path("payments.csv"), `${lines.join("\n")}\n`);
    Deno.writeTextFileSync(
      path("stream.yaml"),
      DEFINITION.replace("include: handbook", "include: none"),
    );
    const { address } = await sharedCassandra();
    const run = [
      ...["run", "--rate=max"],
      `--in=${path("payments.csv")}`,
      `--definition=${path("stream.yaml")}`,
    ];
    const [embedded, stored] = [
      [`--data=${path("embedded")}`],
      [
        `--data=${path("log")}`,
        "--store=cassandra",
        `--contact-points=${address}`,
        "--local-dc=datacenter1",
        "--keyspace=without_features",
      ],
    ];
    const tables = [embedded, stored].map(async (place) => {
      await finish("run", [...run, ...place]);
      await finish("status", ["status", "--verify", ...place]);
      const table = ["export", "--format=jsonl", "--out=-", ...place];
      return await finish("export", [...table, "--with=payment,label"]);
    });
    const [wanted, found] = await Promise.all(tables);
    assert.equal(wanted.trimEnd().split("\n").length, ROWS / 10);
    assert.ok(found === wanted, "the bytes differ");
  },
);
