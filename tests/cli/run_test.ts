import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { TERMINAL_GROUP, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { forgetCommits } from "../log/forget_commits.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { exportSum, statusOf, waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const A_FLAGS = [
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];
testRunning(
  "run streams set A through every stage, right to the last digit",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const run = [...A_FLAGS, "--rate=max", `--data=${data}`];
    const { code, stdout, stderr } = await runMain(["run", ...run]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /published\s+2,555 payments, complete/);
    assert.match(stdout, /writer\s+2,555\s+2,555\s+0\s+0\s+0/);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning("run is what is meant without a command", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const run = [...A_FLAGS, "--rate=max", `--data=${data}`];
  const { code, stdout } = await runMain(run);
  assert.equal(code, 0);
  assert.match(stdout, /stored 2,555, 1,058 of them frauds/);
});

testRunning("a finished run started again has nothing to do", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const run = ["run", ...A_FLAGS, "--rate=max", `--data=${data}`];
  await runMain(run);
  const { code, stdout } = await runMain(run);
  assert.equal(code, 0);
  assert.match(stdout, /this run\s+nothing new was stored/);
  assert.equal(await exportSum(data), referenceSum("A"));
});

testRunning("a run does not count what it only finds again", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const flags = [...A_FLAGS, "--rate=max", `--data=${data}`];
  await runMain(["run", ...flags, "--role=producer,processor"]);
  forgetCommits(join(data, "log.db"), TERMINAL_GROUP);
  const again = await runMain(["run", ...flags, "--role=processor"]);
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /the stage's commit was missing/);
  assert.match(again.stdout, /terminal windows\s+2,555\s+2,555/);
  assert.match(again.stdout, /this run\s+nothing new was processed/);
});

testRunning("roles in processes of their own make the same", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const flags = [...A_FLAGS, "--rate=max", `--data=${data}`, "--partitions=3"];
  const outcomes = await Promise.all(
    ["processor", "producer", "writer"].map((role) =>
      runMain([`--role=${role}`, ...flags])
    ),
  );
  for (const { code, stderr } of outcomes) assert.equal(code, 0, stderr);
  assert.equal(await exportSum(data), referenceSum("A"));
});

testRunning(
  "a role is refused while another process has it, with its pid",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const first = startProgram(["--role=processor", `--data=${data}`]);
    await first.stdin.close();
    const pid = join(data, "processor.lock.pid");
    await waitFor(data, () => existsNow(pid));
    const second = await runMain(["--role=processor", `--data=${data}`]);
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      new RegExp(
        `^fraudstream: another process \\(pid ${first.pid}(, since [^)]*)?\\) already`,
        "m",
      ),
    );
    first.kill("SIGINT");
    assert.equal((await outcomeOf(first)).code, 0);
    const third = startProgram(["--role=processor", `--data=${data}`]);
    await third.stdin.close();
    third.kill("SIGKILL"); // a lock dies with its process
    await outcomeOf(third);
  },
);

function existsNow(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

testRunning(
  "other data flags on the same folder are refused with exit 2",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    await runMain(["run", ...A_FLAGS, "--rate=max", `--data=${data}`]);
    const cases: [string, RegExp][] = [
      ["--preset=seed", /--customers=50, not 500: leave --preset out/],
      ["--days=31", /with --days=30, not 31: leave --days out/],
      ["--start=2019-01-01", /--start=2018-04-01, not 2019-01-01/],
      ["--radius=6", /--radius=10, not 6/],
      ["--rng=seedrandom", /--rng=handbook, not seedrandom/],
      ["--seed=x", /created without --seed, not x: leave --seed out/],
    ];
    for (const [flag, line] of cases) {
      const other = await runMain(["run", flag, `--data=${data}`]);
      assert.equal(other.code, 2, flag);
      assert.match(other.stderr, /^fraudstream: [^\n]*\n$/);
      assert.match(other.stderr, line);
    }
  },
);

testRunning(
  "run without data flags goes on with what the folder holds",
  async () => {
    await using folder = temporaryFolder();
    const streams: [string, string[]][] = [
      ["small", [...A_FLAGS]],
      ["other", [
        "--customers=20",
        "--terminals=40",
        "--days=20",
        "--start=2019-02-03",
        "--radius=12.5",
        "--rng=seedrandom",
        "--seed=a seed --of=words",
      ]],
    ];
    for (const [name, flags] of streams) {
      const data = join(folder.path, name);
      const whole = join(folder.path, `${name}-whole`);
      await runMain(["run", ...flags, "--rate=max", `--data=${whole}`]);
      const child = startProgram([
        "run",
        ...flags,
        "--rate=300",
        `--data=${data}`,
      ]);
      await child.stdin.close();
      await waitFor(data, ({ stages }) => stages[2].counters.emitted > 100);
      child.kill("SIGINT");
      assert.equal((await outcomeOf(child)).code, 0);
      const rest = await runMain(["run", "--rate=max", `--data=${data}`]);
      assert.equal(rest.code, 0, rest.stderr);
      assert.match(rest.stdout, /published .*, complete/);
      assert.match(rest.stdout, /this run +[1-9]/);
      // A flag that agrees is no reason to take the others' defaults.
      const again = await runMain(["run", flags[0], `--data=${data}`]);
      assert.equal(again.code, 0, again.stderr);
      assert.equal(await exportSum(data), await exportSum(whole));
    }
  },
);

testRunning(
  "other stream parameters on the same folder are refused with exit 2",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    await runMain(["run", ...A_FLAGS, "--rate=max", `--data=${data}`]);
    for (
      const flag of [
        "--partitions=5",
        "--windows=1,7",
        "--feature-set=extended",
        "--delay=9",
        "--no-labels",
      ]
    ) {
      const { code, stderr } = await runMain([
        "run",
        ...A_FLAGS,
        flag,
        `--data=${data}`,
      ]);
      assert.equal(code, 2, flag);
      assert.match(stderr, /^fraudstream: .*--/);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }
  },
);

testRunning(
  "Ctrl-C ends with a summary and exit 0; the next start goes on",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const flags = ["run", ...A_FLAGS, `--data=${data}`];
    const child = startProgram([...flags, "--rate=1000"]);
    await child.stdin.close();
    await waitFor(data, ({ stages }) => stages[2].counters.emitted > 300);
    child.kill("SIGINT");
    const { code, stdout } = await outcomeOf(child);
    assert.equal(code, 0);
    assert.match(stdout, /the same command continues from here/);
    assert.match(stdout, /^latency +median .*, p99 .*, published to stored$/m);
    const stopped = await statusOf(data);
    assert.ok(stopped && !stopped.complete, "it was stopped before the end");
    assert.equal((await runMain([...flags, "--rate=max"])).code, 0);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning("one Ctrl-C that comes as two signals is one", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const child = startProgram(["run", ...A_FLAGS, `--data=${data}`]);
  await child.stdin.close();
  await waitFor(data, ({ stages }) => stages[2].counters.emitted > 100);
  child.kill("SIGINT");
  child.kill("SIGTERM");
  const { code, stdout } = await outcomeOf(child);
  assert.equal(code, 0);
  assert.match(stdout, /the same command continues from here/);
});

testRunning("SIGTERM ends like Ctrl-C", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const child = startProgram([
    "run",
    "--rng=seedrandom",
    "--days=0",
    "--rate=500",
    `--data=${data}`,
  ]);
  await child.stdin.close();
  await waitFor(data, ({ stages }) => stages[2].counters.emitted > 100);
  child.kill("SIGTERM");
  assert.equal((await outcomeOf(child)).code, 0);
});

testRunning("--speedup publishes by event time", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const child = startProgram([
    "run",
    ...A_FLAGS,
    "--speedup=86400",
    `--data=${data}`,
  ]);
  await child.stdin.close();
  const status = await waitFor(data, ({ produced }) => produced > 150);
  child.kill("SIGINT");
  assert.equal((await outcomeOf(child)).code, 0);
  assert.ok(status.produced < 1500, `${status.produced} at once`);
});

testRunning("--files keeps one sorted file a day, in both forms", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const files = join(folder.path, "files");
  const { code, stderr } = await runMain([
    "run",
    ...A_FLAGS,
    "--rate=max",
    `--data=${data}`,
    `--files=${files}`,
    "--files-format=csv",
  ]);
  assert.equal(code, 0, stderr);
  const names = [...Deno.readDirSync(files)].map(({ name }) => name)
    .filter((name) => name.endsWith(".csv")).sort();
  assert.equal(names.length, 30);
  assert.equal(
    [...Deno.readDirSync(files)].filter(({ name }) => {
      return name.endsWith(".part") || name.endsWith(".partial");
    }).length,
    0,
  );
  const texts = names.map((name) => Deno.readTextFileSync(join(files, name)));
  const header = texts[0].slice(0, texts[0].indexOf("\n") + 1);
  const whole = header +
    texts.map((text) => text.slice(header.length)).join("");
  const path = new URL("../data/reference.json", import.meta.url);
  const { sets } = JSON.parse(Deno.readTextFileSync(path));
  assert.equal(
    createHash("sha256").update(whole).digest("hex"),
    sets.A.features.transactions_with_features_double_csv.sha256,
  );
});

testRunning(
  "status tells what a folder holds, for people and for programs",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    await runMain(["run", ...A_FLAGS, "--rate=max", `--data=${data}`]);
    const people = await runMain(["status", `--data=${data}`]);
    assert.match(people.stdout, /transaction_sink_topic\s+2,555/);
    assert.match(people.stdout, /store\s+2,555 payments, 1,058 of them frauds/);
    const { stdout } = await runMain(["status", `--data=${data}`, "--json"]);
    const { stream, store, topics } = JSON.parse(stdout);
    assert.equal(stream.produced, 2555);
    assert.deepEqual(store, { rows: 2555, frauds: 1058 });
    assert.equal(topics.length, 10);
  },
);

testRunning(
  "nothing is called published where another program publishes",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    await runMain(["topics", "--create", "--partitions=1", `--data=${data}`]);
    {
      await using log = new EmbeddedLog({
        path: join(data, "log.db"),
        durable: false,
      });
      const payment = {
        TRANSACTION_ID: 1,
        TX_DATETIME: "2018-04-02 00:00:00",
        CUSTOMER_ID: 3,
        TERMINAL_ID: 4,
        TX_AMOUNT: 5,
        TX_TIME_SECONDS: 86_400,
        TX_TIME_DAYS: 1,
        TX_FRAUD: 1,
        TX_FRAUD_SCENARIO: 0,
      };
      const bytes = (text: string) => new TextEncoder().encode(text);
      const records = new RecordBatchBuilder();
      records.add(bytes("3"), bytes(JSON.stringify(payment)), 0);
      const producer = await log.producer("another-program");
      const topic = TRANSACTION_TOPIC;
      await producer.append([{ topic, partition: 0, records }]);
    }
    const roles = startProgram([
      "--role=processor,writer",
      "--start=2018-04-01",
      "--partitions=1",
      `--data=${data}`,
    ]);
    await roles.stdin.close();
    await waitFor(data, ({ stages }) => stages[2].counters.emitted === 1);
    roles.kill("SIGINT");
    const { stdout } = await outcomeOf(roles);
    const status = await runMain(["status", `--data=${data}`]);
    for (const text of [stdout, status.stdout]) {
      assert.doesNotMatch(text, /published|produced/);
    }
    assert.match(stdout, /^stored {5}1, 1 of them frauds$/m);
    assert.match(status.stdout, /^store {6}1 payment, 1 of them frauds$/m);
  },
);

testRunning(
  "status, export and dead-letters say what to do without a data folder",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "none")}`;
    for (
      const command of [["status"], ["export", "--out=-"], ["dead-letters"]]
    ) {
      const { code, stderr } = await runMain([...command, data]);
      assert.equal(code, 1);
      assert.match(stderr, /^fraudstream: there is no data folder .*run/);
    }
  },
);

testRunning("a read-only data folder gives one clear line", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "file", "data");
  Deno.writeTextFileSync(join(folder.path, "file"), "");
  const { code, stderr } = await runMain(["run", `--data=${data}`]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^fraudstream: cannot make .*, or choose another data folder with --data/,
  );
  assert.equal(stderr.trim().split("\n").length, 1);
});

testRunning("a folder that Deno may not use gives one clear line", async () => {
  await using folder = temporaryFolder();
  const data = `--data=${join(folder.path, "data")}`;
  const elsewhere = join(folder.path, "elsewhere");
  const narrow = [`--allow-read=${elsewhere}`, `--allow-write=${elsewhere}`];
  for (const command of ["run", "status", "topics"]) {
    const { code, stderr } = await runMain([command, data], {
      permissions: narrow,
    });
    assert.equal(code, 1, command);
    assert.match(stderr, /^fraudstream: .*--allow-read=/);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
  const readOnly = await runMain(["run", data], {
    permissions: ["--allow-read", `--allow-write=${elsewhere}`],
  });
  assert.equal(readOnly.code, 1);
  assert.match(readOnly.stderr, /^fraudstream: .*--allow-write=/);
});

testRunning("values out of range are wrong use", async () => {
  const wrong = [
    ["--rate=0"],
    ["--rate=fast"],
    ["--role=boss"],
    ["--partitions=0"],
    ["--speedup=2", "--rate=5"],
    ["--lateness=7"],
    ["--delay=1"],
    ["--max-gap=10y"],
  ];
  await using folder = temporaryFolder();
  const data = `--data=${join(folder.path, "data")}`;
  for (const flags of wrong) {
    const { code, stderr } = await runMain(["run", data, ...flags]);
    assert.equal(code, 2, flags.join(" "));
    assert.match(stderr, /^fraudstream: /);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});

testRunning(
  "a --dedupe that is shorter than the lateness is wrong use",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const flags = ["--lateness=2h", "--dedupe=1h"];
    const { code, stderr } = await runMain(["run", data, ...flags]);
    assert.equal(code, 2);
    assert.equal(
      stderr,
      "fraudstream: --dedupe=1h must be at least --lateness=2h: " +
        "otherwise a payment that comes again in time would count twice\n",
    );
  },
);

testRunning(
  "a mistyped flag is refused with the right one, with a value too",
  async () => {
    const { code, stderr } = await runMain(["--roel=producer"]);
    assert.equal(code, 2);
    assert.match(stderr, /unknown option '--roel' \(Did you mean --role\?\)/);
  },
);

testRunning(
  "roles that start before the producer take the partitions that it is given",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const others = ["processor", "writer"].map((role) =>
      startProgram([`--role=${role}`, data])
    );
    for (const { stdin } of others) await stdin.close();
    const flags = ["--role=producer", ...A_FLAGS, "--rate=max", data];
    const producer = await runMain([...flags, "--partitions=3"]);
    assert.equal(producer.code, 0, producer.stderr);
    for (const other of others) {
      const { code, stderr } = await outcomeOf(other);
      assert.equal(code, 0, stderr);
    }
    const refused = await runMain(["--role=writer", data, "--partitions=4"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /created with --partitions=3, not 4/);
  },
);
