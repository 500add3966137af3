import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import {
  dataPath,
  dayFiles,
  fileSum,
  joinDays,
  readReference,
  sha256,
} from "../files/sets.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

/** Flags of set A. */
const SET_A = [
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];

const SMALL = ["--customers=20", "--terminals=20", "--days=2", "--radius=20"];

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

testRunning("generate writes set A byte for byte", async () => {
  await using folder = temporaryFolder();
  const out = `${folder.path}/new/folder`;
  const { code, stdout, stderr } = await runMain(
    ["generate", `--out=${out}`, ...SET_A],
  );
  assert.equal(code, 0, stderr);
  const set = readReference("A");
  assert.equal(sha256(joinDays(out)), set.transactions_csv.sha256);
  assert.equal(fileSum(`${out}/customers.csv`), set.customers_csv.sha256);
  assert.equal(fileSum(`${out}/terminals.csv`), set.terminals_csv.sha256);
  assert.equal(names(out).length, 32);
  for (const [name, { sha256 }] of Object.entries(set.day_files ?? {})) {
    assert.equal(fileSum(`${out}/${name}`), sha256, name);
  }
  assert.equal(stderr, "");
  assert.match(
    stdout,
    /^2,555 payments of 30 days, 50 customers, 100 terminals\n1,058 frauds \(41\.41 %\): scenario 1: 0, scenario 2: 569, scenario 3: 489\n32 files in .*, \d+\.\d s\n$/,
  );
});

testRunning("generate --preset=seed writes set B byte for byte", async () => {
  await using folder = temporaryFolder();
  const { code } = await runMain(
    ["generate", "--out", folder.path, "--preset", "seed"],
  );
  assert.equal(code, 0);
  const set = readReference("B");
  assert.equal(sha256(joinDays(folder.path)), set.transactions_csv.sha256);
  assert.equal(
    fileSum(`${folder.path}/customers.csv`),
    set.customers_csv.sha256,
  );
});

testRunning("generate --format=jsonl has the fields of the CSV", async () => {
  await using folder = temporaryFolder();
  const { code } = await runMain(
    ["generate", `--out=${folder.path}`, "--format=jsonl", ...SET_A],
  );
  assert.equal(code, 0);
  for (const name of ["customers.jsonl", "terminals.jsonl"]) {
    assert.equal(
      fileSum(`${folder.path}/${name}`),
      fileSum(dataPath(`A/${name}`)),
    );
  }
  const rows = dayFiles(folder.path).flatMap((name) => {
    const text = Deno.readTextFileSync(`${folder.path}/${name}`);
    return text.trimEnd().split("\n").map((line) => JSON.parse(line));
  });
  assert.equal(canonicalCsv(rows), Deno.readTextFileSync(TRANSACTIONS_A));
});

testRunning("generate --format=parquet has the fields of the CSV", async () => {
  await using folder = temporaryFolder();
  const { code } = await runMain(
    ["generate", `--out=${folder.path}`, "--format=parquet", ...SET_A],
  );
  assert.equal(code, 0);
  const rows: Record<string, unknown>[] = [];
  for (const name of dayFiles(folder.path)) {
    const file = Deno.readFileSync(`${folder.path}/${name}`).buffer;
    rows.push(...await parquetReadObjects({ file }));
  }
  for (const row of rows) {
    assert.ok(row.TX_DATETIME instanceof Date, String(row.TX_DATETIME));
    row.TX_DATETIME = formatDatetime(row.TX_DATETIME.getTime() / 1000);
  }
  assert.equal(canonicalCsv(rows), Deno.readTextFileSync(TRANSACTIONS_A));
  // Apart, so that the folder is a table of payments to other programs.
  const profiles = `${folder.path}/_profiles`;
  assert.deepEqual(names(profiles), ["customers.parquet", "terminals.parquet"]);
  const file = Deno.readFileSync(`${profiles}/customers.parquet`).buffer;
  assert.equal(
    canonicalCsv(await parquetReadObjects({ file })),
    Deno.readTextFileSync(dataPath("A/customers.csv")),
  );
});

const TRANSACTIONS_A = dataPath("A/transactions.csv");

function canonicalCsv(rows: readonly Record<string, unknown>[]): string {
  const lines = [Object.keys(rows[0]), ...rows.map(Object.values)];
  return lines.map((fields) => fields.join(",") + "\n").join("");
}

testRunning(
  "generate writes another set for each seed, the same for the same",
  async () => {
    await using folder = temporaryFolder();
    const sums: string[] = [];
    for (const [name, seed] of [["a", "x"], ["b", "x"], ["c", "y"]]) {
      const out = `${folder.path}/${name}`;
      const { code } = await runMain([
        ...["generate", `--out=${out}`, "--rng=seedrandom", `--seed=${seed}`],
        ...SMALL,
        "--start=2024-02-29",
      ]);
      assert.equal(code, 0);
      assert.deepEqual(dayFiles(out), ["2024-02-29.csv", "2024-03-01.csv"]);
      sums.push(sha256(joinDays(out)));
    }
    assert.equal(sums[0], sums[1]);
    assert.notEqual(sums[0], sums[2]);
  },
);

testRunning("generate writes a header for a day without payments", async () => {
  await using folder = temporaryFolder();
  const { code } = await runMain([
    ...["generate", `--out=${folder.path}`, "--customers=1", "--terminals=1"],
    ...["--days=1", "--radius=0.001"],
  ]);
  assert.equal(code, 0);
  assert.match(
    Deno.readTextFileSync(`${folder.path}/2018-04-01.csv`),
    /^TRANSACTION_ID,.*,TX_FRAUD_SCENARIO\n$/,
  );
});

testRunning("generate refuses a folder that isn't empty", async () => {
  await using folder = temporaryFolder();
  Deno.writeTextFileSync(`${folder.path}/notes.txt`, "mine");
  const { code, stderr } = await runMain(
    ["generate", `--out=${folder.path}`, ...SMALL],
  );
  assert.equal(code, 2);
  assert.equal(
    stderr,
    `fraudstream: --out=${folder.path} is not empty; choose another folder, ` +
      "or replace the data set in it with --force\n",
  );
  assert.deepEqual(names(folder.path), ["notes.txt"]);
});

testRunning(
  "generate --force replaces the data set and nothing else",
  async () => {
    await using folder = temporaryFolder();
    const foreign = ["2018-04-01.txt", "customers.xlsx", "notes.csv"];
    const old = [
      "2017-01-01.csv",
      "2017-01-02.jsonl",
      "2017-01-03.parquet",
      "2017-01-04.csv.partial",
      "customers.jsonl",
      "terminals.parquet",
    ];
    for (const name of [...foreign, ...old]) {
      Deno.writeTextFileSync(`${folder.path}/${name}`, "old");
    }
    const { code } = await runMain(
      ["generate", `--out=${folder.path}`, "--force", ...SMALL],
    );
    assert.equal(code, 0);
    assert.deepEqual(
      names(folder.path),
      [
        ...foreign,
        "2018-04-01.csv",
        "2018-04-02.csv",
        "customers.csv",
        "terminals.csv",
      ].sort(),
    );
    assert.equal(Deno.readTextFileSync(`${folder.path}/notes.csv`), "old");
    const generate = ["generate", `--out=${folder.path}/set`, ...SMALL];
    await runMain([...generate, "--format=parquet"]);
    assert.equal((await runMain([...generate, "--force"])).code, 0);
    assert.ok(!names(`${folder.path}/set`).includes("_profiles"));
  },
);

testRunning("generate tells of a folder it may not write to", async () => {
  await using folder = temporaryFolder();
  const { code, stderr } = await runMain(
    ["generate", `--out=${folder.path}/new`, ...SMALL],
    { permissions: ["--allow-read"] },
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^fraudstream: cannot make .*: Deno was not given the permission; add --allow-write=.*\n$/,
  );
});

testRunning("generate tells of a file where the folder should be", async () => {
  await using folder = temporaryFolder();
  Deno.writeTextFileSync(`${folder.path}/file`, "");
  const { code, stderr } = await runMain(
    ["generate", `--out=${folder.path}/file`, ...SMALL],
  );
  assert.equal(code, 1);
  assert.match(stderr, /^fraudstream: cannot list .*file, not a folder; .*\n$/);
});

/** Waits until a folder has a day file, without looking again and again. */
async function firstDayFile(folder: string): Promise<void> {
  for await (const _ of Deno.watchFs(folder)) {
    if (dayFiles(folder).some((name) => name.endsWith(".csv"))) return;
  }
}

/** Stops a long generation after its first days. */
async function stopGenerating(
  folder: string,
  days: number,
  signal: Deno.Signal,
) {
  const flags = ["--customers=20", "--terminals=20", "--radius=20"];
  const child = startProgram([
    ...["generate", `--out=${folder}`, "--rng=seedrandom", `--days=${days}`],
    ...flags,
  ]);
  await child.stdin.close();
  await firstDayFile(folder);
  child.kill(signal);
  return await outcomeOf(child);
}

/** Asserts that a folder has whole days only; returns how many. */
function wholeDays(folder: string): number {
  const days = dayFiles(folder);
  for (const name of days) {
    assert.match(name, /\.csv$/);
    assert.ok(Deno.readTextFileSync(`${folder}/${name}`).endsWith("\n"));
  }
  return days.length;
}

testRunning("generate --days=0 ends well by Ctrl-C", async () => {
  await using folder = temporaryFolder();
  const { code, stdout } = await stopGenerating(folder.path, 0, "SIGINT");
  assert.equal(code, 0);
  const days = wholeDays(folder.path);
  assert.match(
    stdout,
    new RegExp(` payments of ${counted(days)}, 20 customers`),
  );
});

testRunning(
  "generate stopped before its last day fails and leaves whole days",
  async () => {
    await using folder = temporaryFolder();
    const { code, stdout, stderr } = await stopGenerating(
      folder.path,
      20_000,
      "SIGTERM",
    );
    assert.equal(code, 1);
    assert.equal(stdout, "");
    const days = wholeDays(folder.path).toLocaleString("en-US");
    assert.match(
      stderr,
      new RegExp(
        `^fraudstream: stopped by SIGTERM: .* holds ${days} complete days? of 20,000, and is marked as unfinished\n$`,
      ),
    );
  },
);

function counted(days: number): string {
  return `${days.toLocaleString("en-US")} day${days === 1 ? "" : "s"}`;
}
