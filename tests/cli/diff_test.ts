import assert from "node:assert/strict";
import { featureRowCells } from "../../src/features/feature_row.ts";
import {
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../src/payment/prediction.ts";
import type { StoreRows } from "../../src/store/store.ts";
import {
  openStoredRows,
  openStoredStream,
} from "../../src/stream/stored_stream.ts";
import { predictionRows, sinkRows } from "../../src/stream/topic_rows.ts";
import { dataPath } from "../files/sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const TRANSACTIONS_A = dataPath("A/transactions.csv");

testRunning(
  "diff of two exports says rows, columns and values, and its exit code",
  async () => {
    await using folder = temporaryFolder();
    const a = `${folder.path}/a.csv`;
    const b = `${folder.path}/b.parquet`;
    const changed = `${folder.path}/changed.csv`;
    for (const out of [a, b]) {
      const { code, stderr } = await runMain([
        ...["features", `--in=${TRANSACTIONS_A}`, `--out=${out}`],
      ]);
      assert.equal(code, 0, stderr);
    }
    const rounded = await runMain(["diff", a, b]);
    assert.equal(rounded.code, 1);
    assert.match(rounded.stdout, /rounding of CSV: --tolerance=1e-6 /);
    const same = await runMain(["diff", a, b, "--tolerance=1e-6"], {
      permissions: ["--allow-read"],
    });
    assert.equal(same.code, 0, same.stderr);
    assert.equal(
      same.stdout,
      `A: ${a}: 2,555 rows\nB: ${b}: 2,555 rows\n` +
        "2,555 rows in both, 14 columns compared\n" +
        "only in A: no row\nonly in B: no row\nrows that differ: none\n",
    );
    const lines = Deno.readTextFileSync(a).split("\n");
    // Without the first payment, and with another flag in the last.
    lines.splice(1, 1);
    const last = lines.length - 2;
    const [id, weekend, ...rest] = lines[last].split(",");
    lines[last] = [id, weekend === "0" ? "1" : "0", ...rest].join();
    Deno.writeTextFileSync(changed, lines.join("\n"));
    const text = await runMain(["diff", a, changed]);
    assert.equal(text.code, 1);
    assert.equal(text.stderr, `fraudstream: ${a} and ${changed} differ\n`);
    assert.match(text.stdout, /\nonly in A: 1 row, first TRANSACTION_ID \d+\n/);
    assert.match(text.stdout, /\nrows that differ: 1 row in features\n/);
    assert.match(text.stdout, new RegExp(`TX_DURING_WEEKEND +1 +– +1 +${id} `));
    const json = await runMain(["diff", a, changed, "--json"]);
    assert.equal(json.code, 1);
    const found = JSON.parse(json.stdout);
    assert.equal(found.equal, false);
    assert.deepEqual(found.rows, { a: 2555, b: 2554, both: 2554 });
    assert.equal(found.columns.length, 1);
    assert.equal(found.columns[0].first.transactionId, id);
  },
);

/** All numbers and texts of rows. */
async function contentOf(
  rows: AsyncIterable<StoreRows | PredictionRows>,
  width: number,
): Promise<unknown[]> {
  const content: unknown[] = [];
  for await (const page of rows) {
    content.push(...page.cells.subarray(0, page.count * width));
    if (!("versions" in page)) continue;
    content.push(...page.versions.slice(0, page.count));
    content.push(...page.contributions.slice(0, page.count));
  }
  return content;
}

/** What diff --brokers reads of a stream's topics is what its store has. */
async function assertTopicsAsStore(folder: string): Promise<void> {
  const embedded = { kind: "embedded", folder } as const;
  const connection = {
    folder,
    log: { ...embedded, durable: true },
    store: { ...embedded, durable: false },
  };
  const report = () => {};
  await using stream = await openStoredStream(connection, report);
  await using store = await openStoredRows(connection, stream, report);
  const { log, parameters } = stream;
  const startSeconds = stream.control?.begun;
  assert.ok(store && parameters && startSeconds !== undefined);
  const topics = { log, parameters, startSeconds };
  const width = featureRowCells(parameters.features);
  const rows = await contentOf(store.rows(), width);
  assert.ok(rows.length > 100 * width);
  assert.deepEqual(await contentOf(sinkRows(topics), width), rows);
  const predictions = await contentOf(
    store.predictions().rows(),
    PREDICTION_CELLS,
  );
  assert.ok(predictions.some((value) => String(value).startsWith("{")));
  assert.deepEqual(
    await contentOf(predictionRows(topics), PREDICTION_CELLS),
    predictions,
  );
}

testRunning(
  "diff of two streams compares payments, features, scores and decisions",
  async () => {
    await using folder = temporaryFolder();
    const [old, other] = [`${folder.path}/old`, `${folder.path}/new`];
    const set = [
      "--customers=20",
      "--terminals=40",
      "--days=20",
      "--radius=20",
    ];
    const roles = "--role=producer,processor,writer,scorer";
    for (const [data, threshold] of [[old, "0.5"], [other, "0.01"]]) {
      const { code, stderr } = await runMain([
        "run",
        ...[roles, `--data=${data}`, ...set],
        ...["--model=built-in", `--alert-threshold=${threshold}`],
      ]);
      assert.equal(code, 0, stderr);
    }
    const same = await runMain(["diff", old, old]);
    assert.equal(same.code, 0, same.stderr);
    const { code, stdout, stderr } = await runMain([
      "diff",
      old,
      other,
      "--json",
    ]);
    assert.equal(code, 1, stderr);
    const { parts, rows } = JSON.parse(stdout);
    assert.ok(rows.both > 100 && rows.both === rows.a && rows.both === rows.b);
    assert.deepEqual(
      [parts.payments, parts.labels, parts.features, parts.scores],
      [0, 0, 0, 0],
    );
    assert.ok(parts.decisions > 0);
    const table = `${folder.path}/old.parquet`;
    await runMain([
      ...["export", `--data=${old}`, `--out=${table}`],
      "--with=payment,label,prediction",
    ]);
    const exported = await runMain(["diff", old, table]);
    assert.equal(exported.code, 0, exported.stdout);
    assert.match(exported.stdout, /26 columns compared/);
    await assertTopicsAsStore(old);
  },
);

testRunning(
  "diff ends with exit code 2 where it is used wrongly or cannot compare",
  async () => {
    await using folder = temporaryFolder();
    const a = `${folder.path}/a.csv`;
    Deno.writeTextFileSync(a, "TRANSACTION_ID,F\n1,2\n");
    const cases: [string[], RegExp][] = [
      [[], /diff needs two tables or two streams/],
      [[a], /diff needs two tables or two streams/],
      [[a, a, a], /diff takes two words and flags/],
      [
        [a, a, "--columns=G"],
        /a\.csv has no column G; it has TRANSACTION_ID, F/,
      ],
      [[a, a, "--columns="], /--columns must be names of columns/],
      [[a, a, "--tolerance=-1"], /--tolerance must be/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await runMain(["diff", ...args]);
      assert.equal(code, 2, args.join());
      assert.match(stderr, message);
    }
    // As with diff and cmp, 1 says that something differs.
    const { code, stderr } = await runMain(["diff", a, `${folder.path}/b.csv`]);
    assert.equal(code, 2);
    assert.match(stderr, /cannot read .*b\.csv/);
  },
);
