import assert from "node:assert/strict";
import { completeSettings, fitModel } from "../../src/learning/kinds/kinds.ts";
import {
  formatModelFile,
  withVersion,
} from "../../src/learning/file/model_file.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { dataPath, sha256 } from "../files/sets.ts";
import { readMarkup } from "../report/markup.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const SET_A = ["--customers=50", "--terminals=100", "--days=30", "--radius=10"];
const TRANSACTIONS_A = dataPath("A/transactions.csv");

/** Names of the files of a folder, ascending. */
function filesOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The report without the line that says where its payments come from. */
function withoutSource(page: string): string {
  const shorter = page.replace(/Source: .*?<\/p>/, "");
  assert.notEqual(shorter, page);
  return shorter;
}

testRunning("report is text of at most 80 columns without --out", async () => {
  const { code, stdout, stderr } = await runMain(["report", "--preset=seed"]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  assert.match(stdout, /^payments +102,575 /m);
  assert.match(stdout, /^1: amount above 220 +25 /m);
  for (const line of stdout.split("\n")) {
    assert.ok([...line].length <= 80, line);
  }
});

testRunning(
  "report of the same payments is the same from memory, files and a store, and each time",
  async () => {
    await using folder = temporaryFolder();
    const files = `${folder.path}/files`;
    const stream = `${folder.path}/stream`;
    await runMain(["generate", `--out=${files}`, "--format=jsonl", ...SET_A]);
    await runMain(["run", `--data=${stream}`, "--rate=max", ...SET_A]);
    const page = async (...flags: string[]) => {
      const { code, stdout, stderr } = await runMain([
        "report",
        "--out=-",
        ...flags,
      ]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const first = await page(...SET_A);
    assert.equal(sha256(await page(...SET_A)), sha256(first));
    readMarkup(first);
    assert.match(first, /2,555/);
    const wanted = withoutSource(first);
    assert.equal(
      withoutSource(await page(`--in=${files}`, "--radius=10")),
      wanted,
    );
    assert.equal(
      withoutSource(await page(`--data=${stream}`, "--radius=10")),
      wanted,
    );
  },
);

testRunning(
  "report writes a file for each figure, as SVG and as PNG",
  async () => {
    await using folder = temporaryFolder();
    const figures = async (format: string) => {
      const out = `${folder.path}/${format}`;
      const { code, stderr } = await runMain(
        [
          "report",
          `--in=${TRANSACTIONS_A}`,
          `--format=${format}`,
          `--out=${out}`,
        ],
      );
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^2,555 payments, .* in /);
      return out;
    };
    const svg = await figures("svg");
    const names = filesOf(svg).map((name) => name.replace(/\.svg$/, ""));
    for (
      const name of ["amounts", "days", "correlation", "feature_TX_AMOUNT"]
    ) {
      assert.ok(names.includes(name), name);
    }
    assert.match(Deno.readTextFileSync(`${svg}/days.svg`), /^<svg xmlns=/);
    const png = await figures("png");
    assert.deepEqual(filesOf(png), names.map((name) => `${name}.png`).sort());
    for (const name of filesOf(png)) {
      const bytes = Deno.readFileSync(`${png}/${name}`);
      assert.deepEqual([...bytes.subarray(1, 4)], [0x50, 0x4e, 0x47], name);
    }
  },
);

testRunning("report reads stdin", async () => {
  const stdin = Deno.readFileSync(TRANSACTIONS_A);
  const { code, stdout, stderr } = await runMain(["report", "--in=-"], {
    stdin,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Source: payments in stdin\.$/m);
  assert.match(stdout, /^cards that paid +48 +seen in payments$/m);
});

testRunning("report shows the customer that is asked for", async () => {
  const { stdout } = await runMain(["report", ...SET_A, "--customer=7"]);
  assert.match(stdout, /^Customer 7 at /m);
  const none = await runMain(["report", ...SET_A, "--customer=50"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /--customer=50: there is no such customer/);
});

testRunning(
  "report judges a model by what came after its training",
  async () => {
    await using folder = temporaryFolder();
    const path = `${folder.path}/model.json`;
    const inputs = ["TX_AMOUNT", ...featureNames(HANDBOOK_FEATURES)];
    // Frauds above 100: a rule that a tree finds.
    const amounts = Float64Array.from({ length: 200 }, (_, at) => at);
    const examples = {
      inputs,
      rows: amounts.length,
      columns: inputs.map((_, at) => at === 0 ? amounts : amounts.map(() => 0)),
      labels: Uint8Array.from(amounts, (amount) => amount > 100 ? 1 : 0),
    };
    const training = {
      firstDay: 5,
      firstDate: "2018-04-06",
      days: 7,
      delayDays: 7,
      rows: 200,
      frauds: 99,
      fingerprint: "0".repeat(64),
    };
    Deno.writeTextFileSync(
      path,
      formatModelFile(withVersion({
        kind: "decision-tree",
        inputs,
        featureParameters: HANDBOOK_FEATURES,
        training,
        usual: undefined,
        settings: completeSettings("decision-tree"),
        metrics: undefined,
        body: fitModel("decision-tree", examples),
      })),
    );
    const judge = (...flags: string[]) =>
      runMain(["report", `--model=${path}`, ...SET_A, ...flags]);
    const { code, stdout, stderr } = await judge();
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^decision-tree, version [0-9a-f]{12}, judged by the payments from 2018-04-20/m,
    );
    // Rows of set A from day 19 on, counted in its file.
    const after = Deno.readTextFileSync(TRANSACTIONS_A).split("\n").slice(1)
      .filter((line) => Number(line.split(",")[6]) >= 19);
    const judged = `: ${after.length.toLocaleString("en-US")} payments,`;
    assert.ok(stdout.replaceAll(/\s+/g, " ").includes(judged), judged);
    const page = await judge("--out=-");
    for (const id of ["roc", "precision_recall", "thresholds"]) {
      assert.ok(page.stdout.includes(`id="figure-${id}"`), id);
    }
    // The same days by their dates, in payments that begin five days later.
    const later = await judge("--start=2018-04-06");
    assert.match(
      later.stdout.replaceAll(/\s+/g, " "),
      /judged by the payments from 2018-04-20 on, after its training \(2018-04-06 to 2018-04-12\)/,
    );
    const none = await judge("--days=19");
    assert.equal(none.code, 0, none.stderr);
    assert.match(
      none.stderr,
      /model\.json is not judged: there is no payment from 2018-04-20 on, after /,
    );
    const other = await judge("--windows=1,7");
    assert.equal(other.code, 2);
    assert.match(other.stderr, /--windows has no effect with --model/);
  },
);

testRunning(
  "report refuses flags that contradict each other, and what is there",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    Deno.writeTextFileSync(`${path}/there.html`, "");
    const refused: [flags: string[], message: RegExp][] = [
      [["--in=x", "--preset=seed"], /--preset has no effect with --in/],
      [["--in=x", "--data=y"], /each say where payments come from/],
      [
        ["--data=x", "--days=3"],
        /--days has no effect with the flags of a stream/,
      ],
      [["--data=x", "--no-labels"], /--no-labels has no effect with a stream/],
      [
        ["--skip-bad-rows"],
        /--skip-bad-rows has no effect with a simulated data set/,
      ],
      [["--days=0", "--rng=seedrandom"], /--days=0 has no end/],
      [["--format=png"], /--out is needed; for example/],
      [["--format=svg", "--out=-"], /name a folder/],
      [["--out=report.pdf"], /ends in \.pdf, but the report is HTML/],
      [["--format=svg", `--out=${path}`], /is not empty/],
      [[`--out=${path}/there.html`], /exists; choose another name/],
    ];
    for (const [flags, message] of refused) {
      const { code, stdout, stderr } = await runMain(["report", ...flags]);
      assert.equal(code, 2, `${flags}: ${stderr}`);
      assert.equal(stdout, "");
      assert.match(stderr, message);
      assert.equal(stderr.split("\n").length, 2, "one line");
    }
    assert.deepEqual(filesOf(path), ["there.html"]);
  },
);

testRunning(
  "report takes a stream that only the environment names, unless flags say otherwise",
  async () => {
    await using folder = temporaryFolder();
    const environment = { FRAUDSTREAM_DATA: `${folder.path}/none` };
    const permissions = [
      "--allow-read",
      "--allow-write",
      "--allow-env=FRAUDSTREAM_*",
    ];
    const run = (...flags: string[]) =>
      runMain(["report", ...flags], { environment, permissions });
    const stream = await run();
    assert.equal(stream.code, 1);
    assert.match(stream.stderr, /there is no data folder .*none/);
    for (const flags of [SET_A, [`--in=${TRANSACTIONS_A}`]]) {
      const { code, stdout, stderr } = await run(...flags);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /2,555/);
    }
  },
);

testRunning("report that is stopped says so and writes nothing", async () => {
  await using folder = temporaryFolder();
  const pipe = `${folder.path}/payments.csv`;
  const made = await new Deno.Command("mkfifo", { args: [pipe] }).output();
  assert.ok(made.success);
  const out = `${folder.path}/report.html`;
  const child = startProgram(["report", `--in=${pipe}`, `--out=${out}`]);
  // A pipe opens once its reader has, which listens for signals by then.
  using _writer = await Deno.open(pipe, { write: true });
  child.kill("SIGINT");
  const { code, stdout, stderr } = await outcomeOf(child);
  await child.stdin.close().catch(() => {});
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    "fraudstream: stopped by SIGINT: no report was written\n",
  );
  assert.deepEqual(filesOf(folder.path), ["payments.csv"]);
});
