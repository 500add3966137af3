/**
 * The reference features of a stream on Kafka whose labels arrive later than
 * its payments, through SIGKILLs of the process that has all its roles.
 * `deno task test:long` kills 20 times on the handbook's default set, with 1, 3
 * and 4 partitions.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { splitRecord } from "../../src/files/csv_records.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import { recordKey } from "../../src/log/record_batch.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { discrepancies } from "../../src/stream/status.ts";
import {
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { chance, isLong } from "../long.ts";
import { referenceSum, SET_B as SIMULATED_B } from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ClusterStream } from "./cluster_stream.ts";
import { DEFAULT_SET, type Expected, SET_B } from "./expected_features.ts";

/** What flows, and how often it is killed. */
const { name, set, simulated, reference, kills } = isLong
  ? {
    name: "the default set",
    set: DEFAULT_SET,
    simulated: HANDBOOK_PARAMETERS,
    reference: "DEFAULT",
    kills: 20,
  } as const
  : {
    name: "set B",
    set: SET_B,
    simulated: SIMULATED_B.parameters,
    reference: "B",
    kills: 3,
  } as const;

/** Records that both ends of the pipeline have by now; a payment is three when all is done, with its label and its row. */
async function recordsOf(log: Log): Promise<number> {
  const ends = [
    await log.endOffsets(TRANSACTION_TOPIC) ?? [],
    await log.endOffsets(SINK_TOPIC) ?? [],
  ];
  return ends.flat().reduce((sum, end) => sum + end, 0);
}

/** Runs all roles to the end of the data, killed in each of `kills` equal parts of it. */
async function runKilled(
  stream: ClusterStream,
  partitions: number,
): Promise<void> {
  const random = chance(partitions);
  const start = () =>
    stream.start(
      "producer,processor,writer",
      ...["--rate=max", "--labels=stream", `--partitions=${partitions}`],
    );
  const all = 3 * stream.expected.rows;
  let [last, midway] = [0, 0];
  for (let kill = 1; kill <= kills; kill++) {
    const target = Math.max((kill - random()) / kills * all, last + 1);
    const roles = start();
    await stream.until(
      `SIGKILL ${kill} at ${Math.floor(target)} of ${all} records`,
      async () => await recordsOf(stream.log) >= Math.min(target, all),
    );
    await roles.kill();
    last = await recordsOf(stream.log);
    if (last < all) midway++;
  }
  assert.ok(midway >= kills / 2, `${midway} of ${kills} fell midway`);
  await stream.finished(start());
}

/** What a table of a store is without its column TX_FRAUD, and that column. */
async function readTable(path: string): Promise<Expected & { frauds: string }> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const texts = file.readable.pipeThrough(new TextDecoderStream());
  let [rest, frauds, lines, at] = ["", "", 0, -1];
  for await (const text of texts) {
    const whole = (rest + text).split("\n");
    rest = whole.pop() ?? "";
    for (const line of whole) {
      const cells = splitRecord(line, ",") ?? [];
      if (lines++ === 0) at = cells.indexOf("TX_FRAUD");
      else frauds += cells[at];
      hash.update(`${cells.toSpliced(at, 1).join()}\n`);
    }
  }
  assert.equal(rest, "");
  return { sum: hash.digest("hex"), rows: lines - 1, frauds };
}

/** How many labels of each payment the first stage has accepted, as a text of digits. */
async function labelCounts(log: Log, payments: number): Promise<string> {
  const counts = new Uint8Array(payments);
  const decoder = new TextDecoder();
  const ends = await log.endOffsets(TRANSACTION_LABEL_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, TRANSACTION_LABEL_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        counts[Number(decoder.decode(recordKey(batch, i)))]++;
      }
    }
  }
  return counts.join("");
}

for (const partitions of isLong ? [1, 3, 4] : [3]) {
  testServing(
    `labels among the payments of ${name} give its reference features on Kafka with ${partitions} partitions through ${kills} SIGKILLs`,
    async () => {
      await using folder = temporaryFolder();
      const path = (name: string) => join(folder.path, name);
      await using stream = await ClusterStream.open({
        set,
        folder: path("data"),
      });
      await runKilled(stream, partitions);
      await stream.run("export", `--out=${path("rows.csv")}`);
      const { rows, sum, frauds } = await readTable(path("rows.csv"));
      const { scenario } = simulateHandbook(simulated).table;
      assert.equal(sum, referenceSum(reference));
      assert.equal(rows, scenario.length);
      const truth = scenario.map((number) => number > 0 ? 1 : 0).join("");
      assert.ok(frauds === truth, "a label is another payment's");
      const counts = await labelCounts(stream.log, rows);
      assert.ok(/^1+$/.test(counts), "a label was lost or taken twice");
      // Compares each row and each label of the store with the log.
      await stream.run("status", "--verify");
      const status = await stream.status();
      assert.ok(status);
      assert.deepEqual(discrepancies(status), []);
      for (const { name, lag, counters } of status.stages) {
        const labels = name.endsWith("windows") ? rows : 0;
        const taken = name === "label intake" ? 0 : rows;
        const { emitted, deadLettered, duplicates } = counters;
        assert.deepEqual(
          [lag, emitted, counters.labels ?? 0, deadLettered, duplicates],
          [0, taken, labels, 0, 0],
          name,
        );
      }
    },
  );
}
