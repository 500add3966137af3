import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { dataPath, fileSum, readReference, sha256 } from "../files/sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const TRANSACTIONS_A = dataPath("A/transactions.csv");
const FEATURES_A = dataPath("A/features_canonical.csv");

testRunning(
  "features of a generated set B are the canonical ones",
  async () => {
    await using folder = temporaryFolder();
    const data = `${folder.path}/data`;
    const out = `${folder.path}/features.csv`;
    await runMain(["generate", `--out=${data}`, "--preset=seed"]);
    const { code, stderr } = await runMain(
      ["features", `--in=${data}`, `--out=${out}`],
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^102,575 payments, \d+\.\d s\n$/);
    assert.equal(
      fileSum(out),
      readReference("B").features.canonical_csv.sha256,
    );
  },
);

testRunning("features reads stdin and writes stdout", async () => {
  const { code, stdout, stderr } = await runMain(
    ["features", "--in=-", "--out=-"],
    { stdin: Deno.readFileSync(TRANSACTIONS_A) },
  );
  assert.equal(code, 0, stderr);
  assert.equal(
    sha256(stdout),
    readReference("A").features.canonical_csv.sha256,
  );
  assert.match(stderr, /^2,555 payments, /);
});

testRunning(
  "features are the same from JSON lines and from Parquet",
  async () => {
    await using folder = temporaryFolder();
    const set = [
      "--customers=50",
      "--terminals=100",
      "--days=30",
      "--radius=10",
    ];
    for (const format of ["jsonl", "parquet"]) {
      const data = `${folder.path}/${format}`;
      await runMain([
        "generate",
        `--out=${data}`,
        `--format=${format}`,
        ...set,
      ]);
      const { code, stdout, stderr } = await runMain(
        ["features", `--in=${data}`, "--out=-"],
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout, Deno.readTextFileSync(FEATURES_A));
    }
  },
);

testRunning(
  "features reads JSON lines from stdin with --input-format",
  async () => {
    const record =
      '{"TRANSACTION_ID":5,"TX_DATETIME":"2018-04-01 00:07:56","CUSTOMER_ID":2,' +
      '"TERMINAL_ID":38,"TX_AMOUNT":146,"TX_TIME_SECONDS":476,' +
      '"TX_TIME_DAYS":0,"TX_FRAUD":0,"TX_FRAUD_SCENARIO":0}\n';
    const { code, stdout } = await runMain(
      ["features", "--in=-", "--input-format=jsonl", "--out=-", "--windows=1"],
      { stdin: new TextEncoder().encode(record) },
    );
    assert.equal(code, 0);
    assert.equal(
      stdout,
      "TRANSACTION_ID,TX_DURING_WEEKEND,TX_DURING_NIGHT," +
        "CUSTOMER_ID_NB_TX_1DAY_WINDOW,CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW," +
        "TERMINAL_ID_NB_TX_1DAY_WINDOW,TERMINAL_ID_RISK_1DAY_WINDOW\n" +
        "5,1,1,1,146,0,0\n",
    );
  },
);

testRunning(
  "features writes the full doubles to JSON lines and Parquet",
  async () => {
    await using folder = temporaryFolder();
    const jsonl = `${folder.path}/f.jsonl`;
    const parquet = `${folder.path}/f.parquet`;
    for (const out of [jsonl, parquet]) {
      const { code } = await runMain(
        ["features", `--in=${TRANSACTIONS_A}`, `--out=${out}`],
      );
      assert.equal(code, 0);
    }
    const rows = Deno.readTextFileSync(jsonl).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    const file = Deno.readFileSync(parquet).buffer;
    const types = parquetMetadata(file).schema.slice(1, 6).map(({ type }) =>
      type
    );
    assert.deepEqual(types, ["INT64", "INT32", "INT32", "INT32", "DOUBLE"]);
    const read = await parquetReadObjects({ file });
    assert.deepEqual(
      read.map((row) => ({
        ...row,
        TRANSACTION_ID: Number(row.TRANSACTION_ID),
      })),
      rows,
    );
    const rounded = Deno.readTextFileSync(FEATURES_A).split("\n")[2555].split(
      ",",
    );
    const last = Object.values<number>(rows[2554]);
    last.forEach((value, at) => {
      assert.ok(Math.abs(value - Number(rounded[at])) <= 5.1e-7);
    });
    assert.notEqual(String(last[6]), rounded[6]);
  },
);

testRunning("features --no-labels leaves every risk 0", async () => {
  const { stdout } = await runMain(
    ["features", `--in=${TRANSACTIONS_A}`, "--out=-", "--no-labels"],
  );
  const lines = stdout.trimEnd().split("\n");
  const risks = lines[0].split(",").flatMap((name, at) => {
    return name.includes("RISK") ? [at] : [];
  });
  const rows = lines.slice(1).map((line) => line.split(","));
  assert.equal(risks.length, 3);
  assert.ok(rows.every((row) => risks.every((at) => row[at] === "0")));
  assert.ok(rows.some((row) => row[risks[2] - 1] !== "0"));
});

testRunning("features overwrites a file only with --force", async () => {
  await using folder = temporaryFolder();
  const out = `${folder.path}/f.csv`;
  Deno.writeTextFileSync(out, "old");
  const args = ["features", `--in=${TRANSACTIONS_A}`, `--out=${out}`];
  const refused = await runMain(args);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^fraudstream: --out=.*--force\n$/);
  assert.equal(Deno.readTextFileSync(out), "old");
  assert.equal((await runMain([...args, "--force"])).code, 0);
  assert.equal(
    fileSum(out),
    readReference("A").features.canonical_csv.sha256,
  );
});

testRunning(
  "features tells where a row is bad and leaves no file",
  async () => {
    await using folder = temporaryFolder();
    const input = `${folder.path}/t.csv`;
    const lines = Deno.readTextFileSync(TRANSACTIONS_A).split("\n");
    lines[1000] = lines[1000].replace(/^\d+/, "x");
    Deno.writeTextFileSync(input, lines.join("\n"));
    const out = `${folder.path}/f.csv`;
    const args = ["features", `--in=${input}`, `--out=${out}`];
    const { code, stderr } = await runMain(args);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `fraudstream: ${input}:1001:1: TRANSACTION_ID "x" is not a whole number; ` +
        "fix the row, or leave such rows out with --skip-bad-rows\n",
    );
    assert.deepEqual([...Deno.readDirSync(folder.path)].length, 1);
    const skipping = await runMain([...args, "--skip-bad-rows"]);
    assert.equal(skipping.code, 0);
    assert.match(
      skipping.stderr,
      /^2,554 payments, .* s\nskipped 1 bad row; wrong type: 1\n {2}.*\/t\.csv:1001:1: TRANSACTION_ID "x" is not a whole number\n$/,
    );
  },
);

testRunning("features of files without payments is a header", async () => {
  const header = Deno.readTextFileSync(TRANSACTIONS_A).split("\n", 1)[0];
  const { code, stdout } = await runMain(
    ["features", "--in=-", "--out=-"],
    { stdin: new TextEncoder().encode(header) },
  );
  assert.equal(code, 0);
  assert.match(stdout, /^TRANSACTION_ID,[^\n]*\n$/);
});

testRunning("features stopped while it waits leaves no file", async () => {
  await using folder = temporaryFolder();
  const out = `${folder.path}/f.csv`;
  const watcher = Deno.watchFs(folder.path);
  const child = startProgram(["features", "--in=-", `--out=${out}`]);
  for await (const { paths } of watcher) {
    if (paths.some((path) => path.endsWith(".partial"))) break;
  }
  child.kill("SIGINT");
  const { code, stderr } = await outcomeOf(child);
  // stdin stayed open to the end: it was the signal that ended the program.
  await child.stdin.close().catch(() => {});
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `fraudstream: stopped by SIGINT: nothing was written to ${out}\n`,
  );
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

testRunning(
  "features ends quietly when stdout's reader goes away",
  async () => {
    await using folder = temporaryFolder();
    const data = `${folder.path}/data`;
    await runMain(["generate", `--out=${data}`, "--preset=seed"]);
    const child = startProgram(["features", `--in=${data}`, "--out=-"]);
    await child.stdin.close();
    const stdout = child.stdout.getReader();
    await stdout.read();
    await stdout.cancel();
    const stderr = await new Response(child.stderr).text();
    assert.equal((await child.status).code, 0);
    assert.equal(stderr, "");
  },
);
