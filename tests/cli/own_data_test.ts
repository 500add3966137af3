/** `run --in --definition`: files of one's own columns through the program, killed on the way, and what it refuses. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { chance, isLong, seeds } from "../long.ts";
import { valuesOfTopic } from "../roles/stages.ts";
import { SINK_TOPIC, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const KILLS = isLong ? 20 : 4;
const [SEED] = seeds(1, 1);
const ROWS = 20_000;

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amt
  TX_FRAUD: fraud
  keep: { category: text }
`;

/** Payments of some weeks in one file, every thousandth broken. */
function csv(random: () => number): string {
  const below = (n: number) => Math.floor(random() * n);
  let seconds = Date.UTC(2024, 0, 1, 5) / 1000;
  let text = "id,time,card,shop,amt,fraud,category,city\n";
  for (let n = 0; n < ROWS; n++) {
    seconds += 1 + below(200);
    const time = new Date(1000 * seconds).toISOString();
    const amount = n % 1000 === 999 ? "?" : below(30_000) / 100;
    text += `t-${n},${time},4${10n ** 18n + BigInt(below(300))},` +
      `"Köhler, ${below(80)} 😀",${amount},${below(50) === 0 ? 1 : 0},` +
      `kind ${below(5)},Ulm\n`;
  }
  return text;
}

async function topicsOf(data: string): Promise<[string[], string[]]> {
  await using log = new EmbeddedLog({
    path: join(data, "log.db"),
    durable: false,
  });
  return [
    await valuesOfTopic(log, TRANSACTION_TOPIC),
    await valuesOfTopic(log, SINK_TOPIC),
  ];
}

testRunning(
  `a file of text ids is streamed once, row for row, through ${KILLS} SIGKILLs (seed ${SEED})`,
  async () => {
    await using folder = temporaryFolder();
    const random = chance(SEED);
    const input = join(folder.path, "payments.csv");
    const definition = join(folder.path, "stream.yaml");
    Deno.writeTextFileSync(input, csv(random));
    Deno.writeTextFileSync(definition, DEFINITION);
    const flags = (data: string) => [
      "run",
      "--role=producer,processor",
      `--in=${input}`,
      `--definition=${definition}`,
      `--data=${data}`,
    ];
    const whole = join(folder.path, "whole");
    const run = await runMain([...flags(whole), "--rate=max"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /"rejected":20,"rows":20000/);
    const killed = join(folder.path, "killed");
    for (let kill = 0; kill < KILLS; kill++) {
      const target = Math.floor((kill + random()) / KILLS * ROWS * 0.9);
      const child = startProgram([...flags(killed), "--rate=6000"]);
      const outcome = outcomeOf(child);
      await child.stdin.close();
      await waitFor(killed, ({ produced }) => produced >= target);
      child.kill("SIGKILL");
      await outcome;
    }
    // The folder knows its definition and its file.
    const last = await runMain([
      "run",
      "--role=producer,processor",
      "--rate=max",
      `--data=${killed}`,
    ]);
    assert.equal(last.code, 0, last.stderr);
    assert.deepEqual(await topicsOf(killed), await topicsOf(whole));
    const [payments, rows] = await topicsOf(whole);
    assert.equal(payments.length, ROWS - 20);
    assert.equal(rows.length, ROWS - 20);
    assert.match(payments[0], /^\{"TRANSACTION_ID":"t-0",.*"city":"Ulm"\}$/);
    assert.equal(JSON.parse(rows[7]).TRANSACTION_ID, "t-7");
  },
);

/** Runs with some data at stdin, to its end or until so many payments are in the log. */
async function runStdin(
  flags: readonly string[],
  data: string,
  text: string,
  until = Infinity,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = startProgram(["run", "--in=-", `--data=${data}`, ...flags]);
  const outcome = outcomeOf(child);
  const writer = child.stdin.getWriter();
  const writing = writer.write(new TextEncoder().encode(text))
    .then(() => until === Infinity ? writer.close() : undefined)
    .catch(() => {}); // it has ended before
  if (until < Infinity) {
    await waitFor(data, ({ produced }) => produced >= until);
    child.kill("SIGKILL");
    await writer.abort().catch(() => {});
  }
  await writing;
  return await outcome;
}

testRunning(
  "a stream from stdin continues if the data come again from their beginning, and refuses others in one line",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(path("stream.yaml"), DEFINITION);
    const [header, ...rows] = csv(chance(SEED)).trimEnd().split("\n");
    const text = (lines: readonly string[]) =>
      [header, ...lines, ""].join("\n");
    const whole = text(rows.slice(0, 5000));
    const flags = ["--role=producer", `--definition=${path("stream.yaml")}`];
    const fast = [...flags, "--rate=max"];
    await runStdin([...flags, "--rate=4000"], path("a"), whole, 1000);
    for (const other of [rows.slice(1000, 5000), rows.slice(0, 100)]) {
      const { code, stderr } = await runStdin(fast, path("a"), text(other));
      assert.equal(code, 2, stderr);
      const errors = stderr.split("\n").filter((line) =>
        line.includes(" row ")
      );
      assert.match(
        errors.join("\n"),
        /stdin: row \d+ is not the payment .*again from its beginning; give/,
      );
    }
    const again = await runStdin(fast, path("a"), whole);
    assert.equal(again.code, 0, again.stderr);
    const once = await runStdin(fast, path("b"), whole);
    assert.equal(once.code, 0, once.stderr);
    assert.deepEqual(await topicsOf(path("a")), await topicsOf(path("b")));
    assert.equal((await topicsOf(path("b")))[0].length, 4995);
  },
);

testRunning(
  "a run stops at once while it waits for stdin, and the next one says how to continue",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(path("stream.yaml"), DEFINITION);
    const [header, ...rows] = csv(chance(SEED)).trimEnd().split("\n");
    const text = [header, ...rows.slice(0, 100), ""].join("\n");
    const run = ["run", `--data=${path("a")}`, "--rate=max", "--no-model"];
    const waiting = startProgram([
      ...run,
      "--in=-",
      `--definition=${path("stream.yaml")}`,
    ]);
    const outcome = outcomeOf(waiting);
    const writer = waiting.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await waitFor(path("a"), ({ produced }) => produced >= 100);
    waiting.kill("SIGINT");
    const stopped = await outcome;
    await writer.close().catch(() => {});
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.doesNotMatch(stopped.stderr, /did not stop in time/);
    assert.match(stopped.stdout, /\nstopped +the same command continues/);
    const without = await runMain(run);
    assert.equal(without.code, 2);
    assert.match(
      without.stderr,
      /payments came from stdin.*'\.\/fraudstream run --in=-.*--role=processor,writer/,
    );
    const whole = await runStdin(["--rate=max", "--no-model"], path("a"), text);
    assert.equal(whole.code, 0, whole.stderr);
    // All have come, so that it needs none.
    const complete = await runMain(run);
    assert.equal(complete.code, 0, complete.stderr);
  },
);

testRunning(
  "a file of another name than its format, and pseudonyms of an import, need their flags once",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const [header, ...rows] = csv(chance(SEED)).trimEnd().split("\n");
    Deno.writeTextFileSync(
      path("payments.csv"),
      [header, ...rows.slice(0, 3000), ""].join("\n"),
    );
    Deno.writeTextFileSync(
      path("secret.yaml"),
      DEFINITION.replace(": card", ": { from: card, hmac: true }"),
    );
    Deno.writeTextFileSync(path("key"), "k".repeat(32));
    const imported = await runMain([
      "import",
      `--definition=${path("secret.yaml")}`,
      `--in=${path("payments.csv")}`,
      `--out=${path("days")}`,
      "--format=jsonl",
      `--hmac-key-file=${path("key")}`,
    ]);
    assert.equal(imported.code, 0, imported.stderr);
    const days = Array.from(Deno.readDirSync(path("days")), ({ name }) => name)
      .filter((name) => name.endsWith(".jsonl")).sort();
    const text = days.map((name) => Deno.readTextFileSync(path(`days/${name}`)))
      .join("");
    Deno.mkdirSync(path("one"));
    for (const name of ["import.json", "definition.yaml"]) {
      Deno.copyFileSync(path(`days/${name}`), path(`one/${name}`));
    }
    Deno.writeTextFileSync(path("one/2024-01-01.log"), text);
    const killed = startProgram([
      "run",
      "--role=producer",
      "--rate=3000",
      `--in=${path("one/2024-01-01.log")}`,
      "--input-format=jsonl",
      `--definition=${path("secret.yaml")}`,
      `--data=${path("a")}`,
    ]);
    const outcome = outcomeOf(killed);
    await killed.stdin.close();
    await waitFor(path("a"), ({ produced }) => produced >= 1000);
    killed.kill("SIGKILL");
    await outcome;
    const run = await runMain([
      "run",
      "--role=producer",
      "--rate=max",
      `--data=${path("a")}`,
    ]);
    assert.equal(run.code, 0, run.stderr);
    const [payments] = await topicsOf(path("a"));
    assert.equal(payments.length, 2997);
    assert.match(JSON.parse(payments[0]).CUSTOMER_ID, /^[\w-]{43}$/);
  },
);

testRunning(
  "unsorted payments are streamed from the folder that import makes of them",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const [header, ...rows] = csv(chance(SEED)).trimEnd().split("\n");
    const sorted = rows.slice(0, 3000);
    const write = (name: string, lines: readonly string[]) =>
      Deno.writeTextFileSync(path(name), [header, ...lines, ""].join("\n"));
    write("sorted.csv", sorted);
    write("reversed.csv", sorted.toReversed());
    Deno.writeTextFileSync(path("stream.yaml"), DEFINITION);
    const definition = `--definition=${path("stream.yaml")}`;
    const run = async (command: string, ...flags: string[]) => {
      const { code, stderr } = await runMain([command, definition, ...flags]);
      assert.equal(code, 0, stderr);
    };
    const imported = path("imported");
    await run("import", `--in=${path("reversed.csv")}`, `--out=${imported}`);
    const stream = ["--role=producer,processor", "--rate=max"];
    const [a, b] = [path("a"), path("b")];
    await run("run", ...stream, `--data=${a}`, `--in=${path("sorted.csv")}`);
    await run("run", ...stream, `--data=${b}`, `--in=${imported}`);
    const byId = ([, rows]: [string[], string[]]) => rows.toSorted();
    assert.equal((await topicsOf(a))[1].length, 2997);
    assert.deepEqual(byId(await topicsOf(b)), byId(await topicsOf(a)));
  },
);

testRunning(
  "another definition, and flags that do not go with one, are refused in one line",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const input = join(folder.path, "payments.csv");
    const definition = join(folder.path, "stream.yaml");
    Deno.writeTextFileSync(
      input,
      "id,time,card,shop,amt,fraud,category\na,2024-01-01 05:00:00,b,c,1,0,\n",
    );
    Deno.writeTextFileSync(definition, DEFINITION);
    const common = ["run", "--rate=max", `--data=${data}`];
    const own = [`--in=${input}`, `--definition=${definition}`];
    const roles = "--role=producer,processor";
    const first = await runMain([...common, ...own, roles]);
    assert.equal(first.code, 0, first.stderr);
    const other = join(folder.path, "other.yaml");
    Deno.writeTextFileSync(other, DEFINITION.replace("amt", "amount"));
    const refused: [string[], RegExp][] = [
      [
        [`--in=${input}`, `--definition=${other}`, roles],
        /SHA-256 [0-9a-f]{64}, not with .*SHA-256 [0-9a-f]{64}, .*never changes/,
      ],
      [[...own, roles, "--delay=3"], /--delay cannot be given/],
      [[...own, roles, "--customers=5"], /--customers says what to simulate/],
      [["--role=producer", "--preset=seed"], /--preset says what to simulate/],
    ];
    for (const [flags, says] of refused) {
      const { code, stderr } = await runMain([...common, ...flags]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    }
    const fresh = [`--data=${data}2`, "--role=producer"];
    for (
      const [flags, says] of [
        [[`--in=${input}`], /--in=.* needs --definition/],
        [["--definition=sparkov"], /name your data with --in=FILE/],
      ] as const
    ) {
      const { code, stderr } = await runMain(["run", ...flags, ...fresh]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
  },
);

testRunning(
  "a definition that is the built-in handbook streams files as well, and goes on without flags",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    Deno.writeTextFileSync(
      path("stream.yaml"),
      `# of my own\n${BUILT_IN_DEFINITIONS.handbook}`,
    );
    Deno.writeTextFileSync(
      path("sim.csv"),
      "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD," +
        "TX_FRAUD_SCENARIO,city\n7,2018-04-01 05:00:00,1,2,3.45,1,3,Ulm\n" +
        "3,2018-04-02 05:00:00,1,2,1.00,0,0,Ulm\n",
    );
    const data = `--data=${path("data")}`;
    const run = ["run", data, "--rate=max", "--role=producer,processor"];
    const files = [
      `--definition=${path("stream.yaml")}`,
      `--in=${path("sim.csv")}`,
    ];
    for (const flags of [files, []]) {
      const { code, stderr } = await runMain([...run, ...flags]);
      assert.equal(code, 0, stderr);
    }
    const [, sink] = await topicsOf(path("data"));
    const rows = sink.map((row) => JSON.parse(row));
    assert.deepEqual(
      rows.map((row) => [
        row.TRANSACTION_ID,
        row.TX_FRAUD_SCENARIO,
        row.CUSTOMER_ID_NB_TX_7DAY_WINDOW,
      ]),
      [[7, 3, 1], [3, 0, 2]],
    );
  },
);

testRunning(
  "a run stores payments of text ids and exports and reports them as they were",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const [header, ...lines] = csv(chance(SEED)).trimEnd().split("\n");
    const rows = lines.slice(0, 2000);
    Deno.writeTextFileSync(path("a.csv"), [header, ...rows, ""].join("\n"));
    Deno.writeTextFileSync(path("stream.yaml"), DEFINITION);
    const data = `--data=${path("data")}`;
    const run = await runMain([
      "run",
      "--rate=max",
      "--no-model",
      `--in=${path("a.csv")}`,
      `--definition=${path("stream.yaml")}`,
      data,
    ]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /stored 1,998,/);
    const exported = await runMain([
      "export",
      "--with=payment,label",
      "--format=jsonl",
      "--out=-",
      data,
    ]);
    assert.equal(exported.code, 0, exported.stderr);
    const found = exported.stdout.trimEnd().split("\n")
      .map((line) => JSON.parse(line))
      .map((row) => [
        row.TRANSACTION_ID,
        row.CUSTOMER_ID,
        row.TERMINAL_ID,
        row.TX_AMOUNT,
        row.TX_FRAUD,
        row.category,
      ]);
    const expected = rows.filter((row) => !row.includes(",?,")).map((row) => {
      const [id, , card, shop, rest, amount, fraud, category] = row.split(",");
      const terminal = `${shop},${rest}`.slice(1, -1);
      return [id, card, terminal, Number(amount), Number(fraud), category];
    });
    const inOrder = (list: unknown[][]) => list.map(String).toSorted();
    assert.deepEqual(inOrder(found), inOrder(expected));
    // Exports are sorted by the bytes of the id.
    const ids = found.map(([id]) => id);
    assert.deepEqual(ids, ids.toSorted());
    const report = await runMain(["report", data]);
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stdout, /1,998/);
  },
);
