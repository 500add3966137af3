/**
 * From raw CSV to features, through the stream and by `features`, against
 * tests/oracle: pandas, which reads the same raw file and knows nothing of the
 * program. 100,000 rows of each set in a long run, fewer otherwise.
 */
import assert from "node:assert/strict";
import { splitRecord } from "../../src/files/csv_records.ts";
import {
  RAW_COLUMNS,
  rawSet,
  type RawSetName,
} from "../definition/raw_sets.ts";
import { chance, isLong } from "../long.ts";
import {
  assertEqualsOracle,
  type OracleInput,
  oracleProblem,
  type ResultRow,
} from "../oracle/raw_oracle.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain } from "./program_runner.ts";

const ROWS = isLong ? 100_000 : 6000;
const SEED = 4;

/** Few cards and merchants during 60 days, so that windows hold many payments. */
const SPARKOV = {
  rows: ROWS,
  cards: ROWS / 250,
  merchants: ROWS / 200,
  perDay: ROWS / 60,
  seed: SEED,
};

/** A card for each 1,000 rows, which pays every day on average. */
const TABFORMER = { rows: ROWS, merchants: ROWS / 250, seed: SEED };

/** A raw set cut into its header and its rows. */
function rowsOf(
  name: RawSetName,
  options: typeof TABFORMER,
): { header: string; rows: string[] } {
  const text = [...rawSet(name, options)].join("").trimEnd();
  const [header, ...rows] = text.split("\n");
  return { header, rows };
}

function fieldOf(row: string, name: string): string {
  return (splitRecord(row, ",") ?? [])[RAW_COLUMNS.sparkov.indexOf(name)];
}

/** Runs commands of the program in a folder, one after the other. */
async function runAll(
  folder: string,
  commands: readonly (readonly string[])[],
): Promise<void> {
  for (const args of commands) {
    const { code, stderr } = await runMain(args, { cwd: folder });
    assert.equal(code, 0, stderr);
  }
}

/** Compares what was found in a folder with its raw file by the oracle; returns the rows. */
async function assertOracle(
  folder: string,
  { found = "found.jsonl", ...input }: Omit<OracleInput, "raw"> & {
    readonly found?: string;
  },
): Promise<ResultRow[]> {
  const raw = `${folder}/raw.csv`;
  return await assertEqualsOracle(`${folder}/${found}`, ROWS, {
    ...input,
    raw,
  });
}

/** Streams a raw file or an import, and exports what is stored. */
function streamed(
  set: string,
  input: string,
): readonly (readonly string[])[] {
  const definition = `--definition=${set}`;
  return [
    ["run", definition, `--in=${input}`, "--rate=max", "--data=shop"],
    ["export", "--data=shop", "--out=found.jsonl", "--with=payment"],
  ];
}

/** Shuffles texts. */
function shuffled(texts: readonly string[]): string[] {
  const random = chance(SEED);
  return texts.map((text) => ({ text, place: random() }))
    .sort((a, b) => a.place - b.place).map(({ text }) => text);
}

function test(name: string, check: (folder: string) => Promise<void>): void {
  Deno.test({
    name: oracleProblem === undefined ? name : `${name} (${oracleProblem})`,
    ignore: oracleProblem !== undefined,
    fn: async () => {
      await using temporary = temporaryFolder();
      await check(temporary.path);
    },
  });
}

test("a stream of Sparkov's raw file has the features of pandas, and its ids", async (folder) => {
  const { header, rows } = rowsOf("sparkov", SPARKOV);
  await Deno.writeTextFile(`${folder}/raw.csv`, [header, ...rows].join("\n"));
  await runAll(folder, streamed("sparkov", "raw.csv"));
  const found = await assertOracle(folder, { set: "sparkov" });
  const ids = found.map((row) => row.TRANSACTION_ID);
  assert.ok(ids.every((id) => typeof id === "string"));
  // Hexadecimal digits, whose bytes are in the order of UTF-16.
  assert.deepEqual(ids, ids.toSorted());
  const cards = new Set(rows.map((row) => fieldOf(row, "cc_num")));
  const has19 = ({ CUSTOMER_ID: card }: ResultRow) =>
    typeof card === "string" && card.length === 19 && cards.has(card);
  assert.ok(found.some(has19), "no card number of 19 digits");
});

test("payments of one second that come in order of their ids have the features of pandas", async (folder) => {
  // Few cards, so that a card has several payments in a minute.
  const options = { ...SPARKOV, perDay: ROWS / 10, cards: 4, merchants: 4 };
  const { header, rows } = rowsOf("sparkov", options);
  const byMinute = rows.map((row) =>
    row.replace(/(\d\d:\d\d):\d\d,/, "$1:00,")
  );
  const key = (row: string) =>
    `${fieldOf(row, "trans_date_trans_time")} ${fieldOf(row, "trans_num")}`;
  const sorted = byMinute.map((row) => ({ row, key: key(row) }))
    .sort((a, b) => a.key < b.key ? -1 : 1).map(({ row }) => row);
  assert.notDeepEqual(sorted, byMinute);
  const write = (name: string, lines: readonly string[]) =>
    Deno.writeTextFile(`${folder}/${name}`, [header, ...lines].join("\n"));
  await write("sorted.csv", sorted);
  await write("raw.csv", shuffled(byMinute));
  await runAll(folder, streamed("sparkov", "sorted.csv"));
  await assertOracle(folder, { set: "sparkov", ties: "id" });
  // In the order of the shuffled file the features are others.
  await assert.rejects(
    assertOracle(folder, { set: "sparkov" }),
    /pandas has/,
  );
});

test("a stream of TabFormer's raw file, imported, has the features of pandas, refunds and composed ids", async (folder) => {
  const { header, rows } = rowsOf("tabformer", TABFORMER);
  await Deno.writeTextFile(`${folder}/raw.csv`, [header, ...rows].join("\n"));
  const refunds = rows.filter((row) => row.includes("$-"));
  assert.ok(refunds.length > ROWS / 100);
  await runAll(folder, [
    ["import", "--definition=tabformer", "--in=raw.csv", "--out=days"],
    ...streamed("tabformer", "days"),
  ]);
  const [{ CUSTOMER_ID: card }] = await assertOracle(folder, {
    set: "tabformer",
  });
  assert.match(String(card), /^\d+-\d$/);
});

test("a stream of TabFormer's rows in order of time has the features of pandas", async (folder) => {
  const options = { ...TABFORMER, byTime: true };
  const { header, rows } = rowsOf("tabformer", options);
  await Deno.writeTextFile(`${folder}/raw.csv`, [header, ...rows].join("\n"));
  await runAll(folder, streamed("tabformer", "raw.csv"));
  await assertOracle(folder, { set: "tabformer" });
});

/** Sparkov's raw file, its second half before its first. */
function unsortedSet(): string {
  const { header, rows } = rowsOf("sparkov", SPARKOV);
  const half = rows.length >> 1;
  return [header, ...rows.slice(half), ...rows.slice(0, half)].join("\n");
}

test("features of a raw file equal those of pandas, imported or not", async (folder) => {
  await Deno.writeTextFile(`${folder}/raw.csv`, unsortedSet());
  const raw = ["--definition=sparkov", "--in=raw.csv"];
  await runAll(folder, [
    ["features", ...raw, "--out=features.jsonl"],
    ["import", ...raw, "--out=data"],
    ["features", "--in=data", "--out=imported.jsonl"],
  ]);
  const found = await Deno.readTextFile(`${folder}/features.jsonl`);
  const imported = await Deno.readTextFile(`${folder}/imported.jsonl`);
  assert.ok(imported === found, "imported or not makes a difference");
  await assertOracle(folder, {
    set: "sparkov",
    found: "features.jsonl",
    without: ["CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"],
  });
});
