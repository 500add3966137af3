import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

interface ShownTopic {
  name: string;
  partitions: number;
  compacted: boolean;
  exists: boolean;
  problems: string[];
}

async function shown(data: string): Promise<ShownTopic[]> {
  const { stdout } = await runMain(["topics", `--data=${data}`, "--json"]);
  return JSON.parse(stdout).topics;
}

testRunning(
  "topics --create makes what is missing, and says what is there",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const topics = ["topics", `--data=${data}`];
    const none = await runMain(topics);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^fraudstream: there is no data folder /);
    const made = await runMain([...topics, "--create", "--partitions=3"]);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /\ntransaction_topic +3 +no +0 +ok\n/);
    assert.match(made.stdout, /\ncustomer_topic +3 +yes +0 +ok\n/);
    assert.match(made.stdout, /\ntransaction_control_topic +1 +yes +0 +ok\n/);
    assert.equal((await shown(data)).length, 10);
    const again = await runMain([...topics, "--create"]);
    assert.equal(again.code, 0);
    assert.equal(again.stdout, made.stdout);
  },
);

testRunning("a stream begins on topics that were made before", async () => {
  await using folder = temporaryFolder();
  const data = `--data=${join(folder.path, "data")}`;
  await runMain(["topics", data, "--create", "--partitions=3"]);
  const run = ["run", data, "--customers=9", "--terminals=9", "--days=2"];
  const other = await runMain([...run, "--rate=max"]);
  assert.equal(other.code, 2);
  assert.match(other.stderr, /give --partitions=3/);
  const same = await runMain([...run, "--rate=max", "--partitions=3"]);
  assert.equal(same.code, 0, same.stderr);
  const wrong = await runMain(["topics", data, "--partitions=5"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /created with --partitions=3, not 5/);
});

testRunning("a topic of another form is told and left as it is", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  Deno.mkdirSync(data);
  {
    const path = join(data, "log.db");
    await using log = new EmbeddedLog({ path, durable: false });
    await log.createTopics([
      { name: "transaction_topic", partitions: 2, compacted: false },
      { name: "customer_topic", partitions: 5, compacted: false },
    ]);
  }
  const missing = await runMain(["topics", `--data=${data}`]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^fraudstream: 8 topics missing; .*--create/);
  const made = await runMain(["topics", `--data=${data}`, "--create"]);
  assert.equal(made.code, 1);
  assert.match(
    made.stderr,
    /^fraudstream: wrong settings: customer_topic;/,
  );
  const [customers] = await shown(data);
  assert.deepEqual(
    [customers.partitions, customers.compacted, customers.problems],
    [5, false, ["should have 2 partitions", "should be compacted"]],
  );
});
