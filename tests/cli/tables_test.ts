/** The tables that export, features and score write: types, joins, and the same scores as in a stream. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { linearModel, writeModel } from "../roles/models.ts";
import { dataPath } from "../files/sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const SET = ["--customers=50", "--terminals=100", "--days=12", "--radius=10"];

type Row = Record<string, unknown>;

/** Runs a command that must not fail; gives its stdout. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runMain(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

function lines(text: string): Row[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** The rows of a Parquet file as those of JSON lines are; times must be timestamps in UTC. */
async function parquetRows(path: string): Promise<Row[]> {
  const file = Deno.readFileSync(path).buffer;
  const time = parquetMetadata(file).schema.find(({ name }) =>
    name === "TX_DATETIME"
  );
  assert.deepEqual(time?.logical_type, {
    type: "TIMESTAMP",
    isAdjustedToUTC: true,
    unit: "MILLIS",
  });
  const rows = await parquetReadObjects({ file });
  return rows.map((row) => {
    assert.ok(row.TX_DATETIME instanceof Date);
    const why = row.CONTRIBUTIONS;
    return {
      ...row,
      TRANSACTION_ID: Number(row.TRANSACTION_ID),
      TX_DATETIME: row.TX_DATETIME.toISOString().replace(".000Z", "Z"),
      ...typeof why === "string" && { CONTRIBUTIONS: JSON.parse(why) },
    };
  });
}

testRunning(
  "export joins payments, labels and predictions to the features, with real types",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const model = join(folder.path, "model.json");
    writeModel(model, linearModel());
    const run = ["run", data, ...SET, "--rate=max"];
    await done(...run, `--model=${model}`, "--alert-threshold=0.3");
    const all = "--with=prediction,label,payment";
    const joined = lines(
      await done("export", data, "--out=-", "--format=jsonl", all),
    );
    assert.deepEqual(Object.keys(joined[0]).slice(0, 10), [
      "TRANSACTION_ID",
      "TX_DATETIME",
      "CUSTOMER_ID",
      "TERMINAL_ID",
      "TX_AMOUNT",
      "TX_TIME_SECONDS",
      "TX_TIME_DAYS",
      "TX_FRAUD",
      "TX_FRAUD_SCENARIO",
      "TX_DURING_WEEKEND",
    ]);
    assert.match(String(joined[0].TX_DATETIME), /^2018-04-01T\d\d:\d\d:\d\dZ$/);
    const predictions = lines(
      await done(
        "export",
        data,
        "--out=-",
        "--format=jsonl",
        "--table=predictions",
      ),
    );
    assert.equal(joined.length, predictions.length);
    joined.forEach((row, at) => {
      for (const [name, value] of Object.entries(predictions[at])) {
        assert.deepEqual(row[name], value, name);
      }
    });
    const alert = predictions.find(({ ALERT }) => ALERT === 1);
    assert.equal(typeof alert?.CONTRIBUTIONS, "object");
    const calm = predictions.find(({ ALERT }) => ALERT === 0);
    assert.equal(calm?.CONTRIBUTIONS, null);
    for (
      const [flags, rows] of [[[all], joined], [
        ["--table=predictions"],
        predictions,
      ]] as const
    ) {
      const path = join(folder.path, `${flags[0].slice(2, 6)}.parquet`);
      await done("export", data, `--out=${path}`, ...flags);
      assert.deepEqual(await parquetRows(path), rows);
    }
  },
);

testRunning(
  "features writes the payment's fields and label beside the features",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const path = join(folder.path, "f.parquet");
    await done("generate", `--out=${data}`, "--format=parquet", ...SET);
    const features = ["features", `--in=${data}`];
    const joined = lines(
      await done(
        ...features,
        "--out=-",
        "--format=jsonl",
        "--with=label,payment",
      ),
    );
    await done(...features, `--out=${path}`, "--with=payment,label");
    assert.deepEqual(await parquetRows(path), joined);
    const plain = lines(await done(...features, "--out=-", "--format=jsonl"));
    const payments = new Map<unknown, Row>();
    for (const { name } of Deno.readDirSync(data)) {
      if (!name.endsWith(".parquet")) continue;
      for (const row of await parquetRows(join(data, name))) {
        payments.set(row.TRANSACTION_ID, row);
      }
    }
    assert.equal(plain.length, payments.size);
    joined.forEach((row, at) => {
      const payment = payments.get(row.TRANSACTION_ID);
      assert.deepEqual(row, { ...payment, ...plain[at] });
    });
  },
);

testRunning(
  "score gives files the predictions that a stream of the same payments has, bit for bit",
  async () => {
    await using folder = temporaryFolder();
    const [data, files] = ["stream", "files"].map((n) => join(folder.path, n));
    const path = join(folder.path, "model.json");
    writeModel(path, linearModel());
    const model = `--model=${path}`;
    const policies = [
      ["--alert-threshold=0.3", "--explain=all"],
      ["--alert-cards=3", "--partitions=1"],
    ];
    await done("generate", `--out=${files}`, "--format=parquet", ...SET);
    for (const [at, [alerts, more]] of policies.entries()) {
      const stream = `--data=${data}${at}`;
      await done("run", ...SET, "--rate=max", stream, model, alerts, more);
      const expected = await done(
        ...["export", "--table=predictions", stream, "--out=-"],
      );
      assert.match(expected, /,1,[0-9a-f]{12},/, "no alert");
      const explain = more.startsWith("--explain") ? [more] : [];
      const score = ["score", `--in=${files}`, model, alerts, ...explain];
      assert.equal(await done(...score, "--out=-"), expected);
      const out = join(folder.path, `s${at}.parquet`);
      await done(...score, `--out=${out}`);
      assert.deepEqual(
        await parquetRows(out),
        lines(await done(...score, "--out=-", "--format=jsonl")),
      );
    }
  },
);

testRunning("score joins labels and features, and reads stdin", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "model.json");
  writeModel(path, linearModel());
  const stdin = Deno.readFileSync(dataPath("A/transactions.csv"));
  const score = ["score", "--in=-", `--model=${path}`, "--out=-"];
  const { code, stdout, stderr } = await runMain(
    [...score, "--with=features,label", "--format=jsonl"],
    { stdin },
  );
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^2,555 payments, [\d,]+ alerts?, \d+\.\d s\n$/);
  const rows = lines(stdout);
  const features = await runMain(
    ["features", "--in=-", "--out=-", "--format=jsonl", "--with=label"],
    { stdin },
  );
  const expected = lines(features.stdout);
  assert.equal(rows.length, expected.length);
  rows.forEach((row, at) => {
    for (const [name, value] of Object.entries(expected[at])) {
      assert.deepEqual(row[name], value, name);
    }
    assert.ok(Number(row.SCORE) >= 0 && Number(row.SCORE) <= 1);
  });
});

testRunning("wrong use of score is one clear line and exit 2", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "model.json");
  writeModel(path, linearModel());
  const input = `--in=${dataPath("A/transactions.csv")}`;
  const model = `--model=${path}`;
  const cases: [string[], RegExp][] = [
    [
      [input, "--out=-"],
      /--model is needed; for example: \.\/fraudstream score /,
    ],
    [[input, model], /--out is needed/],
    [[input, model, "--out=-", "--with=score"], /--with must be a comma list/],
    [[input, model, "--out=-", "--delay=9"], /trained with --delay=7/],
    [
      [input, model, "--out=-", "--alert-cards=1", "--alert-budget=1"],
      /give one of/,
    ],
  ];
  for (const [flags, message] of cases) {
    const { code, stdout, stderr } = await runMain(["score", ...flags]);
    assert.equal(code, 2, `${flags}: ${stderr}`);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
  }
});
