/**
 * What other programs write into the topics that nobody checks on the way in
 * (control, profiles, labels, predictions, dead letters) stops no role and no
 * command, and nothing of it counts.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const A_FLAGS = [
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];
const PROFILES = ["customer_topic", "terminal_topic"];
const OTHERS = ["label_topic", "prediction_topic"];
const LETTERS = "transaction_dead_letter_topic";
const CONTROL = "transaction_control_topic";
const VALUES = ["", "{", "null", "[]", "7", '{"CUSTOMER_ID":"x"}', "\x00\xff"];
const CONTROL_KEYS = ["hello", "threshold", "end:nothing", "requeued:a/0/0"];

/** Appends junk to all of these topics; gives the number of records. */
async function spoil(data: string, topics: readonly string[]): Promise<number> {
  await using log = new EmbeddedLog({
    path: join(data, "log.db"),
    durable: false,
  });
  const producer = await log.producer("foreign");
  const encoder = new TextEncoder();
  let count = 0;
  for (const topic of topics) {
    const records = new RecordBatchBuilder();
    const keys = topic === CONTROL ? CONTROL_KEYS : ["somebody"];
    for (const key of keys) {
      for (const [i, value] of VALUES.entries()) {
        const name = topic === CONTROL ? key : `${key} ${i}`;
        records.add(encoder.encode(name), encoder.encode(value), 0);
        count++;
      }
    }
    await producer.append([{ topic, partition: 0, records }]);
  }
  return count;
}

testRunning(
  "junk in any of the topics that are not checked stops no role and no command",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const run = (roles: string) =>
      runMain([
        "run",
        ...A_FLAGS,
        `--role=${roles}`,
        "--rate=max",
        `--data=${data}`,
      ]);
    const first = await run("producer");
    assert.equal(first.code, 0, first.stderr);
    const topics = [...PROFILES, ...OTHERS, LETTERS, CONTROL];
    await spoil(data, topics);
    const rest = await run("processor,writer");
    assert.equal(rest.code, 0, rest.stderr);
    const warned = rest.stderr.split("\n").filter((line) =>
      line.includes("a record of the control topic was ignored")
    );
    // The embedded log keeps the newest record of a key.
    assert.equal(warned.length, CONTROL_KEYS.length, rest.stderr);
    const commands: [command: string, ...flags: string[]][] = [
      ["status"],
      ["topics"],
      ["export", "--out=-"],
      ["report"],
      ["dead-letters"],
      ["dead-letters", "--json"],
    ];
    for (const [command, ...flags] of commands) {
      const ended = await runMain([command, `--data=${data}`, ...flags]);
      assert.equal(ended.code, 0, `${command}: ${ended.stderr}`);
      if (command === "report") {
        const left = ended.stderr.split("record that is not a profile").length -
          1;
        assert.equal(left, 2 * VALUES.length, ended.stderr);
      }
      if (command === "export") {
        assert.equal(ended.stdout.trimEnd().split("\n").length, 1 + 2555);
      }
      if (command !== "dead-letters" || flags.length > 0) continue;
      const told = ended.stdout.split("not a dead letter").length - 1;
      assert.equal(told, VALUES.length);
    }
  },
);
