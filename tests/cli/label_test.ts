/** Labels come from a file into a stream, and out of its store as of any time. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { temporaryFolder } from "../temporary_folder.ts";
import { waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const SET = ["--customers=50", "--terminals=100", "--days=9", "--radius=10"];
const RUN = ["run", ...SET, "--rate=max"];

async function done(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runMain(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return [stdout, stderr];
}

/** TX_FRAUD of the first payments, by id. */
async function labelsOf(data: string, ...more: string[]) {
  const table = ["export", data, "--out=-", "--format=jsonl"];
  const [text] = await done(...table, ...more);
  const rows = text.trim().split("\n").map((line) => JSON.parse(line));
  return rows.slice(0, 8).map(({ TX_FRAUD }) => TX_FRAUD);
}

testRunning(
  "labels of a file reach the store through the next run, and are exported as of a time",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "data");
    const data = `--data=${path}`;
    await done(...RUN, "--labels=stream", data);
    // The simulator's labels are known after 6 days.
    assert.deepEqual(await labelsOf(data), Array(8).fill(0));
    assert.deepEqual(
      await labelsOf(data, "--as-of=2018-04-05"),
      Array(8).fill(null),
    );
    const [, late] = await done(
      ...["export", data, "--out=-", "--as-of=2018-04-05"],
    );
    assert.match(
      late,
      /\nno label was known by 2018-04-05.* has [\d,]+ labels: /,
    );
    const file = join(folder.path, "labels.csv");
    Deno.writeTextFileSync(
      file,
      "TRANSACTION_ID,TX_FRAUD,KNOWN_AT\n" +
        "3,1,2018-04-08 12:00:00\n4,,\n999999,1,\n",
    );
    const [, taken] = await done("label", file, data);
    assert.match(
      taken,
      /^3 labels taken\n.*run --data=.* passes them on, unless/,
    );
    const [before] = await done("status", data);
    assert.match(before, /label intake +0 +0 +0 +0 +0 +3\n/);
    // A run of all roles ends when they are stored.
    const [after] = await done("run", data);
    assert.match(after, /label intake +3 +2 +0 +1 +0 +0\n/);
    const expected = [0, 0, 0, 1, null, 0, 0, 0];
    assert.deepEqual(await labelsOf(data), expected);
    const [verified] = await done("status", "--verify", data);
    assert.match(verified, /[1-9],?\d* labels are as the log says\n/);
    assert.deepEqual(
      await labelsOf(data, "--as-of=2018-04-08"),
      Array(8).fill(0),
    );
    const [letters] = await done("dead-letters", data);
    assert.match(
      letters,
      /unknown payment: .*TRANSACTION_ID 999999 is stored, though everything is that was published before/,
    );
    const id = /^label_topic\S+/.exec(letters)?.[0] ?? "";
    const [row] = await done("dead-letters", `--id=${id}`, "--edit", data);
    const edited = { ...JSON.parse(row), TRANSACTION_ID: 5 };
    Deno.writeTextFileSync(file, JSON.stringify(edited));
    const [, requeued] = await done(
      "dead-letters",
      `--id=${id}`,
      `--requeue=${file}`,
      data,
    );
    assert.match(requeued, /a running role labels takes it, or the next run/);
    // The role alone goes on until it is stopped.
    const child = startProgram(["run", "--role=labels", data]);
    await waitFor(path, ({ stages: [customers] }) => customers.lag >= 1);
    child.kill("SIGINT");
    await child.stdin.close();
    assert.equal((await outcomeOf(child)).code, 0);
    await done("run", "--role=processor,writer", data);
    expected[5] = 1;
    assert.deepEqual(await labelsOf(data), expected);
  },
);

testRunning("labels that cannot be taken are refused in one line", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "labels.csv");
  Deno.writeTextFileSync(path, "TRANSACTION_ID,TX_FRAUD\n1,1\n2,2\n");
  const stream = `--data=${join(folder.path, "stream")}`;
  const payment = `--data=${join(folder.path, "payment")}`;
  await done(...RUN, "--role=producer", "--labels=stream", stream);
  await done(...RUN, "--role=producer,processor,writer", payment);
  const cases: [string[], number, RegExp][] = [
    [
      ["label", path, stream],
      1,
      /labels\.csv:3: TX_FRAUD "2" is none of 1, .*; nothing was taken/,
    ],
    [["label", folder.path, stream], 2, /is a folder; name one file/],
    [
      ["label", path, payment],
      2,
      /whose definition has 'labels: \{ from: stream \}' \(for .* --labels=stream\)/,
    ],
    [["label", stream], 2, /name the file of labels/],
    [["run", "--role=labels", payment], 2, /--role=labels takes labels that/],
    [
      ["export", "--out=-", "--with=label", "--as-of=2018-04-02", payment],
      2,
      /--as-of has no effect/,
    ],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await runMain(args);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, message);
  }
  // Two at once take turns.
  const lines = Array.from({ length: 10_000 }, (_, id) => `${id},1\n`);
  Deno.writeTextFileSync(path, `TRANSACTION_ID,TX_FRAUD\n${lines.join("")}`);
  await Promise.all([1, 2].map(() => done("label", path, stream)));
  const [status] = await done("status", stream);
  assert.match(status, /label intake .* 20,000\n/);
});
