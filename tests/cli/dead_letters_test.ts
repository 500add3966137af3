import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { DEAD_LETTER_TOPIC } from "../../src/stream/topics.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const A_FLAGS = ["--customers=50", "--terminals=100", "--days=30"];

/** A stream with two dead letters: text that is no row, and bytes that are no text. */
async function withDeadLetters(data: string): Promise<string[]> {
  const run = ["run", ...A_FLAGS, "--partitions=1", "--rate=max"];
  assert.equal(
    (await runMain(["topics", `--data=${data}`, "--create", "--partitions=1"]))
      .code,
    0,
  );
  await using log = new EmbeddedLog({
    path: join(data, "log.db"),
    durable: false,
  });
  const records = new RecordBatchBuilder();
  const none = new Uint8Array();
  records.add(none, new TextEncoder().encode('{"TX_AMOUNT":1'), 0);
  records.add(none, new Uint8Array([0xff, 0xfe, 0x5c]), 0);
  const producer = await log.producer("foreign");
  const topic = "transaction_topic";
  await producer.append([{ topic, partition: 0, records }]);
  const all = [...run, `--data=${data}`];
  const { code, stderr } = await runMain(all);
  assert.equal(code, 0, stderr);
  return all;
}

testRunning("a dead letter is edited and requeued, once", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const run = await withDeadLetters(data);
  const letters = (...more: string[]) =>
    runMain(["dead-letters", `--data=${data}`, ...more]);
  const all = await letters();
  assert.match(all.stdout, /^transaction_topic\/0\/0\n {2}not JSON: /);
  assert.match(
    all.stdout,
    /\ntransaction_topic\/0\/1\n.*\n {2}\\xff\\xfe\\x5c\n/,
  );
  const one = ["--id=transaction_topic/0/0"];
  const json = JSON.parse((await letters(...one, "--json")).stdout);
  assert.deepEqual([json.offset, json.requeued], [0, undefined]);
  assert.equal((await letters(...one, "--edit")).stdout, '{"TX_AMOUNT":1\n');

  const file = join(folder.path, "row.json");
  const requeue = [...one, `--requeue=${file}`];
  const row = {
    TRANSACTION_ID: 9999,
    TX_DATETIME: "2018-04-30 23:59:59",
    CUSTOMER_ID: 1,
    TERMINAL_ID: 2,
    TX_AMOUNT: 1,
    TX_TIME_SECONDS: 30 * 86_400 - 1,
    TX_TIME_DAYS: 29,
    TX_FRAUD: 0,
    TX_FRAUD_SCENARIO: 0,
  };
  Deno.writeTextFileSync(file, JSON.stringify({ ...row, TX_FRAUD: 7 }));
  const wrong = await letters(...requeue);
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    /^fraudstream: transaction_topic\/0\/0: .*TX_FRAUD/,
  );
  Deno.writeTextFileSync(file, JSON.stringify(row, null, 2));
  const done = await letters(...requeue);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stderr, /^requeued to transaction_topic partition 0, at/);
  const twice = await letters(...requeue);
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /was requeued already.*--force/);

  const again = await runMain(run);
  assert.match(again.stdout, /this run\s+1 stored/);
  assert.match(
    (await letters(...one)).stdout,
    /\n {2}requeued to transaction_/,
  );
  const { requeued } = JSON.parse((await letters(...one, "--json")).stdout);
  assert.equal(requeued.topic, "transaction_topic");
});

testRunning("what can't be edited or found is told in one line", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  await withDeadLetters(data);
  const cases: [string[], number, RegExp][] = [
    [["--id=transaction_topic/0/1", "--edit"], 1, /is not text/],
    [["--id=transaction_topic/0/7"], 1, /there is no dead letter transaction/],
    [["--edit"], 2, /--edit needs --id/],
    [["--requeue=x"], 2, /--requeue needs --id/],
    [["--id=a/0/0", "--edit", "--requeue=x"], 2, /not both/],
    [["--force"], 2, /--force has no effect without --requeue/],
    [["--id=transaction_topic/0/0", "--requeue=none"], 1, /cannot read none/],
  ];
  for (const [flags, exit, line] of cases) {
    const { code, stderr } = await runMain([
      "dead-letters",
      `--data=${data}`,
      ...flags,
    ]);
    assert.equal(code, exit, stderr);
    assert.match(stderr, /^fraudstream: [^\n]*\n$/);
    assert.match(stderr, line);
  }
});

/** Everything but line breaks that a terminal would obey or hide. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

testRunning(
  "nothing that stands in a record reaches the terminal raw",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const flags = [`--data=${data}`];
    await runMain(["topics", ...flags, "--create", "--partitions=1"]);
    const hostile =
      "\x1b]0;evil\x07\x9b2J\u202e\u2066\r\nfraudstream: all is well";
    {
      await using log = new EmbeddedLog({
        path: join(data, "log.db"),
        durable: false,
      });
      const producer = await log.producer("foreign");
      const add = async (topic: string, values: readonly string[]) => {
        const records = new RecordBatchBuilder();
        const bytes = (text: string) => new TextEncoder().encode(text);
        for (const value of values) {
          records.add(
            bytes(hostile),
            bytes(value),
            0,
          );
        }
        await producer.append([{ topic, partition: 0, records }]);
      };
      await add("transaction_topic", [
        "\x1b]0;evil\x07\x1b[2J",
        '{"TRANSACTION_ID":"\\u009b2J\\u202e","TX_DATETIME":1}',
        '{"TRANSACTION_ID":1,"TX_DATETIME":"\\u009b31mred\\u2028"}',
        "[1,\x1b[31m",
        `{"TRANSACTION_ID":"\x9b\x7f\u202e",\r\n"TX_DATETIME":1}`,
        `{"${hostile}`,
      ]);
      // Another program's letters look like ours.
      const letter = { partition: 0, offset: 0, key: "", value: "" };
      await add(DEAD_LETTER_TOPIC, [
        JSON.stringify({
          topic: hostile,
          reason: hostile,
          message: hostile,
          ...letter,
        }),
      ]);
    }
    const run = [...A_FLAGS, "--partitions=1", "--rate=max", ...flags];
    const outcomes = [
      await runMain(["run", ...run]),
      await runMain(["dead-letters", ...flags]),
      await runMain(["dead-letters", ...flags, "--json"]),
      await runMain([
        "dead-letters",
        ...flags,
        "--id=transaction_topic/0/4",
        "--edit",
      ]),
      await runMain([
        "dead-letters",
        ...flags,
        "--id=transaction_topic/0/5",
        "--edit",
      ]),
      await runMain([
        "dead-letters",
        ...flags,
        `--id=${hostile.replaceAll("\0", "")}`,
      ]),
      await runMain([
        "dead-letters",
        ...flags,
        `--id=transaction_topic/0/0`,
        `--requeue=${hostile}`,
      ]),
      await runMain(["status", ...flags, `--${hostile}`]),
      await runMain([`run\x1b[31m`]),
    ];
    for (const { stdout, stderr } of outcomes) {
      assert.doesNotMatch(stdout, OBEYED);
      assert.doesNotMatch(stderr, OBEYED);
    }
    const [, list, json, edit, broken] = outcomes;
    assert.doesNotMatch(list.stdout, /^fraudstream: all is well/m);
    assert.match(list.stdout, /\\u001b\]0;evil\\u0007\\u009b2J\\u202e\\u2066/);
    const letters = json.stdout.trimEnd().split("\n").map((line) =>
      JSON.parse(line)
    );
    assert.equal(letters.length, 7);
    assert.ok(letters.some(({ message }) => message === hostile));
    assert.deepEqual(JSON.parse(edit.stdout), {
      TRANSACTION_ID: "\x9b\x7f\u202e",
      TX_DATETIME: 1,
    });
    assert.match(broken.stdout, /^\{"\\u001b\]0;evil/);
  },
);

testRunning(
  "a letter of a large record says that it has only the beginning, and takes the whole row",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const run = ["run", ...A_FLAGS, "--partitions=1", "--rate=max"];
    const create = ["topics", `--data=${data}`, "--create", "--partitions=1"];
    assert.equal((await runMain(create)).code, 0);
    const row = {
      TRANSACTION_ID: 9999,
      TX_DATETIME: "2018-04-30 23:59:59",
      CUSTOMER_ID: 1,
      TERMINAL_ID: 2,
      TX_AMOUNT: -1,
      TX_TIME_SECONDS: 30 * 86_400 - 1,
      TX_TIME_DAYS: 29,
      TX_FRAUD: 0,
      TX_FRAUD_SCENARIO: 0,
      REMARK: "x".repeat(787_000),
    };
    {
      await using log = new EmbeddedLog({
        path: join(data, "log.db"),
        durable: false,
      });
      const records = new RecordBatchBuilder();
      const value = new TextEncoder().encode(JSON.stringify(row));
      records.add(new Uint8Array(0), value, 0);
      const producer = await log.producer("foreign");
      await producer.append([{
        topic: "transaction_topic",
        partition: 0,
        records,
      }]);
    }
    const all = [...run, `--data=${data}`];
    assert.equal((await runMain(all)).code, 0);
    const letters = (...more: string[]) =>
      runMain([
        "dead-letters",
        `--data=${data}`,
        "--id=transaction_topic/0/0",
        ...more,
      ]);
    assert.match((await letters()).stdout, /\u2026 \(787,?\d+ bytes more\)\n/);
    const edit = await letters("--edit");
    assert.equal(edit.code, 1);
    assert.match(
      edit.stderr,
      /^fraudstream: .* only the beginning of its 787,\d+ bytes; write the whole row to a file, and give that file to --requeue\n$/,
    );
    const file = join(folder.path, "row.json");
    const whole = { ...row, TX_AMOUNT: 1, REMARK: "x".repeat(20_000) };
    Deno.writeTextFileSync(file, JSON.stringify(whole));
    const requeued = await letters(`--requeue=${file}`);
    assert.equal(requeued.code, 0, requeued.stderr);
    assert.match((await runMain(all)).stdout, /this run\s+1 stored/);
  },
);
