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
import { writeRawSet } from "../definition/raw_sets.ts";
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
  "report of own payments is the same from their files, their import and a store",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runMain(args);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    for (const name of ["sparkov", "tabformer"] as const) {
      const [file, days, stream] = ["csv", "days", "stream"].map((kind) =>
        `${path}/${name}.${kind}`
      );
      const definition = `--definition=${name}`;
      // Sparkov's rows are of two days, TabFormer's of three years.
      const rows = name === "sparkov" ? 4000 : 500;
      await writeRawSet(file, name, { rows, cards: 20 });
      // A stream needs the order of time, which TabFormer's file does not have.
      await run("import", definition, `--in=${file}`, `--out=${days}`);
      const roles = "--role=producer,processor,writer";
      const source = [definition, `--in=${days}`, "--rate=max"];
      await run("run", `--data=${stream}`, ...source, roles);
      const page = await run("report", definition, `--in=${file}`, "--out=-");
      readMarkup(page);
      const wanted = withoutSource(page);
      for (const from of [`--in=${days}`, `--data=${stream}`]) {
        assert.equal(
          withoutSource(await run("report", from, "--out=-")),
          wanted,
          from,
        );
      }
      const headings = [...wanted.matchAll(/<h2[^>]*>(.*?)<\/h2>/g)];
      assert.deepEqual(headings.map(([, heading]) => heading), [
        "The data set",
        "Payments",
        "Days and frauds",
        "Features of genuine and fraudulent payments",
        "Terminals and kept fields",
      ]);
      assert.doesNotMatch(wanted, /scenario|undefined|NaN/i);
      assert.match(wanted, /amount, USD/);
    }
  },
);

testRunning(
  "report counts outcomes that are not known yet, and payments without a label as genuine later",
  async () => {
    await using folder = temporaryFolder();
    const [data, definition, stream] = ["in.csv", "stream.yaml", "stream"].map(
      (name) => `${folder.path}/${name}`,
    );
    // Every third payment is without a label, and all of the last ten days.
    const rows = Array.from({ length: 400 }, (_, at) => {
      const label = at % 3 === 0 || at >= 300 ? "" : at % 7 === 0 ? "1" : "0";
      return { day: Math.floor(at / 10), label };
    });
    const date = (day: number) =>
      new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10);
    Deno.writeTextFileSync(
      data,
      "time,card,shop,amount,fraud\n" +
        rows.map(({ day, label }, at) => {
          return `${date(day)} 12:00:00,c${at % 9},s${at % 5},${at},${label}\n`;
        }).join(""),
    );
    Deno.writeTextFileSync(
      definition,
      "version: 1\npayment:\n  TRANSACTION_ID: { from: row }\n" +
        "  TX_DATETIME: time\n  CUSTOMER_ID: card\n  TERMINAL_ID: shop\n" +
        "  TX_AMOUNT: amount\n  TX_FRAUD: fraud\n" +
        "labels: { from: stream, delay: 7d, grace: 1d }\n",
    );
    const source = [`--definition=${definition}`, `--in=${data}`];
    const roles = "--role=producer,processor,writer";
    await runMain(["run", `--data=${stream}`, ...source, "--rate=max", roles]);
    const unknown = rows.filter((row) => row.label === "" && row.day > 39 - 7);
    const frauds = rows.filter(({ label }) => label === "1").length;
    const known = rows.length - unknown.length;
    const share = (100 * frauds / known).toFixed(2);
    for (const from of [source, [`--data=${stream}`]]) {
      const { code, stdout, stderr } = await runMain(["report", ...from]);
      assert.equal(code, 0, stderr);
      const text = stdout.replaceAll(/ +/g, " ");
      for (
        const line of [
          `frauds ${frauds} ${share} % of ${known} payments`,
          `outcome not known ${unknown.length} 17.50 % of the payments`,
          `2024-02-03.`, // the first day of which they are not known
          "Labels arrive later than their payments. A payment without one " +
          "counts as genuine",
        ]
      ) assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
    }
  },
);

testRunning("report of payments without labels says so", async () => {
  await using folder = temporaryFolder();
  const [data, definition] = ["payments.csv", "stream.yaml"].map((name) =>
    `${folder.path}/${name}`
  );
  Deno.writeTextFileSync(
    data,
    "time,card,shop,yen\n2024-01-31 09:30:00,a,x,1200\n" +
      "2024-01-31 23:30:00,a,y,-1200\nnever,a,y,1\n",
  );
  Deno.writeTextFileSync(
    definition,
    "version: 1\npayment:\n  TRANSACTION_ID: { from: row }\n" +
      "  TX_DATETIME: time\n  CUSTOMER_ID: card\n  TERMINAL_ID: shop\n" +
      "  TX_AMOUNT: { from: yen, decimals: 0, currency: JPY, refunds: true }\n",
  );
  const { code, stdout, stderr } = await runMain([
    "report",
    `--definition=${definition}`,
    `--in=${data}`,
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^rejected 1 row; invalid time: 1$/m);
  assert.match(
    stdout,
    /^The payments have no TX_FRAUD, and no label has arrived: nothing/m,
  );
  assert.match(stdout, /^payments +2 +2024-01-31$/m);
  assert.match(stdout, /^refunds +1 +−¥1,200, part of the amount$/m);
  assert.doesNotMatch(stdout, /^(frauds|outcome|amount of frauds|Frauds) /m);
});

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
  const files = [`--in=${TRANSACTIONS_A}`, "--customer=7"];
  const unknown = await runMain(["report", ...files]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /--customer=7: nothing says where customers/);
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
      [["--definition=sparkov"], /--definition has no effect with no --in/],
      [
        ["--data=x", "--hmac-key-file=k"],
        /--hmac-key-file has no effect with no --in/,
      ],
      [
        [`--in=${path}`, "--definition=sparkov", "--skip-bad-rows"],
        /--skip-bad-rows has no effect with a definition/,
      ],
      [
        [`--in=${path}`, "--definition=sparkov", "--delay=3"],
        /--delay cannot be given for payments with a definition/,
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
