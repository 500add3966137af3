/** Commands on raw files with a definition: the features are those of a stream of the same file, models are trained, judged and used, and what cannot be is refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { writeRawSet } from "../definition/raw_sets.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const ROWS = 20_000;

/** Runs a command that must succeed. */
async function succeed(cwd: string, ...args: string[]) {
  const outcome = await runMain(args, { cwd });
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

for (const name of ["sparkov", "tabformer"] as const) {
  testRunning(
    `features of a ${name} file are those that a stream of it exports, byte for byte`,
    async () => {
      await using folder = temporaryFolder();
      const { path } = folder;
      await writeRawSet(join(path, "raw.csv"), name, { rows: ROWS, seed: 3 });
      const definition = `--definition=${name}`;
      const columns = "--with=payment,label";
      const out = ["--format=csv", "--out=-"];
      await succeed(path, "import", definition, "--in=raw.csv", "--out=sorted");
      const features = await succeed(
        path,
        ...["features", definition, "--in=raw.csv", columns, ...out],
      );
      assert.match(features.stderr, /^20,000 payments, /);
      await succeed(
        path,
        ...["run", definition, "--in=sorted", "--data=data", "--rate=max"],
        "--role=producer,processor,writer",
      );
      const exported = await succeed(
        path,
        ...["export", "--data=data", columns, ...out],
      );
      const [header, ...rows] = features.stdout.trimEnd().split("\n");
      const [exportedHeader, ...expected] = exported.stdout.trimEnd()
        .split("\n");
      assert.equal(header, exportedHeader);
      assert.equal(rows.length, ROWS);
      assert.deepEqual(rows.toSorted(), expected.toSorted());
      const timeOf = (row: string) => /\d{4}-\d\d-\d\d [\d:]{8}/.exec(row)?.[0];
      const times = rows.map(timeOf);
      assert.deepEqual(times, times.toSorted());
    },
  );
}

testRunning(
  "a model of raw files is trained, judged, selected and used with one definition",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    await writeRawSet(join(path, "raw.csv"), "sparkov", { rows: ROWS });
    // The 9 days would be too few for a delay of 7.
    await Deno.writeTextFile(
      join(path, "stream.yaml"),
      BUILT_IN_DEFINITIONS.sparkov.replace("delay: 7d", "delay: 2d"),
    );
    const input = ["--definition=stream.yaml", "--in=raw.csv"];
    const days = ["--train-days=2", "--test-days=2"];
    const trained = await succeed(
      path,
      ...["train", ...input, ...days, "--model=decision-tree"],
      "--out=model.json",
    );
    assert.match(trained.stderr, /trained on 2019-01-0\d to .*\ntested on /);
    const evaluated = await succeed(
      path,
      ...["evaluate", ...input, ...days, "--model=model.json", "--json"],
    );
    const [model] = JSON.parse(evaluated.stdout);
    const found = /auc_roc ([\d.]+)/.exec(trained.stderr)?.[1];
    assert.equal(model.auc_roc.toFixed(3), found);
    const details = await succeed(
      path,
      ...["evaluate", ...input, ...days, "--model=model.json", "--details"],
    );
    assert.match(details.stdout, /an alert costs 10 USD, a missed fraud/);
    const selected = await succeed(
      path,
      ...["select", ...input, "--train-days=1", "--test-days=1", "--folds=1"],
      ...["--model=decision-tree", "--grid=depth=2,3", "--json"],
    );
    assert.ok(selected.stdout.includes("depth"));
    await succeed(
      path,
      ...["score", ...input, "--model=model.json", "--with=label"],
      "--out=scores.jsonl",
    );
    const scores = await Deno.readTextFile(join(path, "scores.jsonl"));
    const rows = scores.trimEnd().split("\n");
    assert.equal(rows.length, ROWS);
    const { TRANSACTION_ID, CUSTOMER_ID, SCORE } = JSON.parse(rows[0]);
    assert.match(TRANSACTION_ID, /^[0-9a-f]{32}$/);
    assert.equal(typeof CUSTOMER_ID, "string");
    assert.ok(SCORE >= 0 && SCORE <= 1);
    await succeed(
      path,
      ...["run", ...input, "--model=model.json", "--data=data", "--rate=max"],
      "--role=producer,processor,scorer,writer",
    );
    const predictions = await succeed(
      path,
      ...["export", "--data=data", "--table=predictions"],
      ...["--out=-", "--format=jsonl"],
    );
    const scored = rows.map((row) => {
      const { TX_FRAUD: _label, ...prediction } = JSON.parse(row);
      return JSON.stringify(prediction);
    });
    assert.deepEqual(
      scored.toSorted(),
      predictions.stdout.trimEnd().split("\n").toSorted(),
    );
  },
);

testRunning(
  "what cannot be learned from, and flags that do not go with a definition, are refused in one line",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const write = (name: string, text: string) =>
      Deno.writeTextFile(join(path, name), text);
    await write(
      "unlabelled.yaml",
      "version: 1\npayment: { TRANSACTION_ID: id, TX_DATETIME: time, " +
        "CUSTOMER_ID: card, TERMINAL_ID: shop, TX_AMOUNT: amount }\n",
    );
    await write(
      "raw.csv",
      "id,time,card,shop,amount\na,2024-01-01 10:00:00,b,c,1.00\n" +
        "b,2024-01-01,b,c,1.00\n",
    );
    const unlabelled = ["--definition=unlabelled.yaml", "--in=raw.csv"];
    const features = await succeed(
      path,
      ...["features", ...unlabelled, "--with=label", "--windows=1"],
      "--out=-",
      "--format=csv",
    );
    assert.equal(
      features.stdout,
      "TRANSACTION_ID,TX_DURING_WEEKEND,TX_DURING_NIGHT," +
        "CUSTOMER_ID_NB_TX_1DAY_WINDOW,CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW," +
        "TERMINAL_ID_NB_TX_1DAY_WINDOW,TERMINAL_ID_RISK_1DAY_WINDOW\n" +
        "a,0,0,1,1,0,0\n",
    );
    assert.match(
      features.stderr,
      /1 payment, .*\nrejected 1 row; invalid time: 1\n {2}raw\.csv:3: time /,
    );
    const learn = ["--model=decision-tree"];
    const out = "--out=x.csv";
    const refused: [string[], RegExp][] = [
      [["train", ...unlabelled, ...learn, "--out=m.json"], /no TX_FRAUD, so /],
      [["evaluate", ...unlabelled, ...learn], /no TX_FRAUD, so /],
      [["select", ...unlabelled, ...learn], /no TX_FRAUD, so /],
      [["features", ...unlabelled, "--delay=3", out], /--delay cannot be giv/],
      [["features", ...unlabelled, "--skip-bad-rows", out], /has no effect wi/],
      [
        ["features", ...unlabelled, "--hmac-key-file=raw.csv", out],
        /--hmac-key-file has no effect/,
      ],
      [
        ["features", "--in=raw.csv", "--hmac-key-file=raw.csv", out],
        /without --d/,
      ],
      [["evaluate", "--definition=sparkov"], /name your data with --in=FILE/],
      [
        ["features", "--definition=sparkov", "--in=raw.csv", out],
        /no column 'tra/,
      ],
    ];
    for (const [args, says] of refused) {
      const { code, stderr } = await runMain(args, { cwd: path });
      assert.ok(code === 2 || /no column/.test(stderr), stderr);
      assert.match(stderr, says);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    }
  },
);
