/** FraudFinder's features, as the example definition declares them, against the oracle in Python. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTool } from "../services/java.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const pathOf = (relative: string) =>
  fileURLToPath(new URL(relative, import.meta.url));
const DEFINITION = pathOf("../../examples/definitions/fraudfinder.yaml");
const ORACLE = pathOf("../oracle/declared_features.py");

const MINUTE = 60;
const DAY = 86_400;

/** A window of FraudFinder's, for the oracle. */
interface Window {
  readonly name: string;
  readonly over: number;
  readonly delay: number;
}

const MINUTES = [15, 30, 60].map((minutes): Window => ({
  name: `${minutes}MIN`,
  over: minutes * MINUTE,
  delay: 0,
}));
const DAYS = [1, 7, 14].map((days): Window => ({
  name: `${days}DAY`,
  over: days * DAY,
  delay: 0,
}));
const LATE_DAYS = DAYS.map((window): Window => ({ ...window, delay: 7 * DAY }));

const FIELD_OF = { count: "payments", mean: "TX_AMOUNT", share: "TX_FRAUD" };

/** What FraudFinder's notebooks list, for the oracle. */
const FEATURES = Object.fromEntries([
  ...windowsOf("CUSTOMER_ID", "NB_TX", "count", [...MINUTES, ...DAYS]),
  ...windowsOf("CUSTOMER_ID", "AVG_AMOUNT", "mean", [...MINUTES, ...DAYS]),
  ...windowsOf("TERMINAL_ID", "NB_TX", "count", [...MINUTES, ...LATE_DAYS]),
  ...windowsOf("TERMINAL_ID", "AVG_AMOUNT", "mean", MINUTES),
  ...windowsOf("TERMINAL_ID", "RISK", "share", LATE_DAYS),
]);

function windowsOf(
  key: string,
  word: string,
  kind: keyof typeof FIELD_OF,
  windows: readonly Window[],
): [string, object][] {
  return windows.map(({ name, over, delay }) => [
    `${key}_${word}_${name}_WINDOW`,
    {
      kind,
      of: FIELD_OF[kind],
      by: [key],
      over,
      delay,
      where: null,
      self: true,
      decimals: 2,
      order: "log",
    },
  ]);
}

type Row = Readonly<Record<string, string | number | null>>;

/** The features of payments in order, by the oracle. */
async function oracle(folder: string, rows: readonly Row[]): Promise<Row[]> {
  const [from, to] = ["case", "result"].map((name) => join(folder, name));
  const features = FEATURES;
  const log = rows.map((row) => ({
    payment: row,
    time: row.TX_TIME_SECONDS,
    partition: 0,
  }));
  const labels = { delay: 7 * DAY, grace: null };
  const plain = { labels, scale: 100, features, log, arrival: [] };
  await Deno.writeTextFile(from, JSON.stringify(plain));
  const { success, output } = await runTool("python3", [ORACLE, from, to]);
  assert.ok(success, output);
  const values: (number | null)[][] = JSON.parse(await Deno.readTextFile(to));
  const names = Object.keys(features);
  return values.map((row) =>
    Object.fromEntries(names.map((name, i) => [name, row[i]]))
  );
}

testRunning(
  "FraudFinder's features of the example are the oracle's",
  async () => {
    await using folder = temporaryFolder();
    const cwd = folder.path;
    const succeed = async (...args: string[]) => {
      const { code, stderr } = await runMain(args, { cwd });
      assert.equal(code, 0, stderr);
    };
    const set = ["--customers=12", "--terminals=5", "--days=40", "--radius=60"];
    await succeed("generate", ...set, "--out=sim", "--format=csv");
    await succeed(
      ...["features", `--definition=${DEFINITION}`, "--in=sim"],
      ...["--with=payment,label", "--format=jsonl", "--out=features.jsonl"],
    );
    const text = await Deno.readTextFile(join(cwd, "features.jsonl"));
    const rows: Row[] = text.trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.ok(rows.length > 500);
    const expected = await oracle(cwd, rows);
    for (const [i, row] of rows.entries()) {
      const found = Object.entries(row).filter(([name]) => name in FEATURES);
      assert.deepEqual(Object.fromEntries(found), expected[i], `payment ${i}`);
    }
    // Every feature says something about some payment.
    for (const name of Object.keys(FEATURES)) {
      assert.ok(new Set(rows.map((row) => row[name])).size > 1, name);
    }
  },
);
