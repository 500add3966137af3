/** The tables that export, features and score write: types, joins, and the same scores as in a stream. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { linearModel, writeModel } from "../roles/models.ts";
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
