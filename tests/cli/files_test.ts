import assert from "node:assert/strict";
import { dataPath } from "../files/sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
  "TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n";
const SMALL = ["--customers=20", "--terminals=20", "--days=2", "--radius=20"];
const TRANSACTIONS_A = dataPath("A/transactions.csv");

testRunning(
  "features counts by time and writes a day in order of ids",
  async () => {
    const rows = [
      "900,2018-04-01 08:00:00,1,1,10,28800,0,0,0",
      "500,2018-04-01 12:00:00,1,1,20,43200,0,0,0",
      "100,2018-04-01 18:00:00,1,1,30,64800,0,0,0",
    ];
    for (const order of [[0, 1, 2], [2, 0, 1]]) {
      const text = HEADER + order.map((at) => rows[at] + "\n").join("");
      const { code, stdout } = await runMain(
        ["features", "--in=-", "--out=-", "--windows=1"],
        { stdin: new TextEncoder().encode(text) },
      );
      assert.equal(code, 0);
      const found = stdout.trimEnd().split("\n").slice(1)
        .map((line) =>
          line.split(",").filter((_, at) => [0, 3, 4].includes(at))
        );
      assert.deepEqual(found, [
        ["100", "3", "20"],
        ["500", "2", "15"],
        ["900", "1", "10"],
      ]);
    }
  },
);

testRunning(
  "a row group of two million rows is read in little memory",
  async () => {
    const path = dataPath("formats/refused_many.parquet");
    const { code, stderr } = await runMain([
      "features",
      `--in=${path}`,
      "--out=-",
    ], {
      permissions: [
        "--allow-read",
        "--allow-write",
        "--v8-flags=--max-old-space-size=150",
      ],
    });
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `fraudstream: ${path}:row 2: TRANSACTION_ID 0 has come already in ` +
        `${path}:row 1; remove one of the rows, or keep the first of such rows ` +
        "with --skip-bad-rows\n",
    );
  },
);

testRunning(
  "an output name with an unknown ending is refused before any work",
  async () => {
    const commands = [
      ["features", "--in=no-such-folder", "--out=f.xlsx"],
      ["features", "--in=no-such-folder", "--out=f.csv.gz"],
      ["export", "--data=no-such-folder", "--out=f.xlsx"],
      ["evaluate", "--in=no-such-folder", "--curves=f.xlsx"],
    ];
    for (const args of commands) {
      const { code, stderr } = await runMain(args);
      assert.equal(code, 2, stderr);
      assert.match(
        stderr,
        /^fraudstream: --(out|curves)=f\.\S+ ends in \.(xlsx|gz), which is not a table format; end the name in \.csv, \.jsonl or \.parquet.*\n$/,
      );
    }
    const { code, stderr } = await runMain(
      ["generate", "--out=no-such-folder", "--format=xlsx"],
    );
    assert.equal(code, 2);
    assert.match(stderr, /--format must be csv, jsonl or parquet/);
  },
);

testRunning(
  "an output is never a file that the same command reads, whatever is forced",
  async () => {
    await using folder = temporaryFolder();
    const data = `${folder.path}/data`;
    Deno.mkdirSync(data);
    const day = `${data}/2018-04-01.csv`;
    Deno.copyFileSync("tests/data/A/transactions.csv", day);
    const before = Deno.readFileSync(day);
    for (
      const [command, ...flags] of [
        ["features", `--in=${day}`],
        ["features", `--in=${data}`],
        ["train", `--in=${data}`, "--model=decision-tree"],
        ["report", `--in=${day}`, "--format=html"],
      ]
    ) {
      const { code, stderr } = await runMain([
        command,
        ...flags,
        `--out=${day}`,
        "--force",
      ]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /belongs to --in=.*which would be lost/);
      assert.deepEqual(Deno.readFileSync(day), before);
    }
  },
);

testRunning(
  "a CSV whose lines end in CR alone is refused, not taken for empty",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/mac.csv`;
    const text = Deno.readTextFileSync("tests/data/A/transactions.csv")
      .split("\n").slice(0, 20).join("\r");
    Deno.writeTextFileSync(path, text);
    const { code, stderr } = await runMain([
      "features",
      `--in=${path}`,
      "--out=-",
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /mac\.csv:1:\d+: .* end in CR alone; save the file/);
  },
);

testRunning(
  "--format decides for a name with another ending or none",
  async () => {
    await using folder = temporaryFolder();
    for (const name of ["table", "table.txt"]) {
      const out = `${folder.path}/${name}`;
      const { code } = await runMain([
        ...["features", `--in=${TRANSACTIONS_A}`, `--out=${out}`],
        ...["--format=csv"],
      ]);
      assert.equal(code, 0);
      assert.equal(
        Deno.readTextFileSync(out),
        Deno.readTextFileSync(dataPath("A/features_canonical.csv")),
      );
    }
  },
);

testRunning(
  "a data set whose generation was killed is not read as a whole one",
  async () => {
    await using folder = temporaryFolder();
    const data = `${folder.path}/data`;
    Deno.mkdirSync(data);
    const child = startProgram([
      ...["generate", `--out=${data}`, "--rng=seedrandom", "--days=20000"],
      ...["--customers=20", "--terminals=20", "--radius=20"],
    ]);
    await child.stdin.close();
    for await (const _ of Deno.watchFs(data)) {
      const names = [...Deno.readDirSync(data)].map(({ name }) => name);
      if (names.some((name) => /^\d{4}.*\.csv$/.test(name))) break;
    }
    child.kill("SIGKILL");
    await outcomeOf(child);
    const features = ["features", `--in=${data}`, "--out=-", "--windows=1"];
    const refused = await runMain(features);
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, "");
    const mark = `${data}/generate.unfinished`;
    assert.equal(
      refused.stderr,
      `fraudstream: ${data}: its data set is not complete, 'generate' or 'import' ` +
        "was interrupted; run it again with --force, or, to read the finished " +
        `days, remove ${mark}\n`,
    );
    // Both ways out that the line names.
    Deno.removeSync(mark);
    assert.equal((await runMain(features)).code, 0);
    Deno.writeTextFileSync(mark, "");
    const again = await runMain([
      "generate",
      `--out=${data}`,
      "--force",
      ...SMALL,
    ]);
    assert.equal(again.code, 0, again.stderr);
    const whole = await runMain(features);
    assert.equal(whole.code, 0, whole.stderr);
  },
);

testRunning("every command that skips bad rows reports them", async () => {
  await using folder = temporaryFolder();
  const input = `${folder.path}/t.csv`;
  const lines = Deno.readTextFileSync(TRANSACTIONS_A).split("\n");
  for (const at of [7, 8, 9, 500]) lines[at] = lines[at].replace(/^\d+/, "x");
  Deno.writeTextFileSync(input, lines.join("\n"));
  const days = ["--start-day=10", "--train-days=5", "--test-days=5"];
  const commands = [
    ["features", "--out=-"],
    ["report", `--out=${folder.path}/r.html`],
    ["evaluate", "--model=logistic-regression", "--delay=2", ...days],
    [
      ...["train", "--model=logistic-regression", "--delay=2", ...days],
      `--out=${folder.path}/m.json`,
    ],
  ];
  for (const args of commands) {
    const { code, stderr } = await runMain(
      [...args, `--in=${input}`, "--skip-bad-rows"],
      { permissions: ["--allow-read", "--allow-write", "--allow-sys"] },
    );
    assert.equal(code, 0, `${args[0]}: ${stderr}`);
    const shown = stderr.slice(stderr.indexOf("skipped "));
    assert.match(
      shown,
      /^skipped 4 bad rows; wrong type: 4\n {2}\S+t\.csv:8:1: TRANSACTION_ID "x" is not a whole number\n.*\n.*\n {2}and 1 more\n/,
      args[0],
    );
  }
});
