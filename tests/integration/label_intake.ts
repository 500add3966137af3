/**
 * Labels through the intake on a real Kafka and a real Cassandra, which dies
 * and hangs while the intake is killed and stopped.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Log, readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { takenOffset } from "../../src/stream/commit.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import {
  LABEL_INTAKE_GROUP,
  LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { startCassandra } from "../services/cassandra_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ClusterStream } from "./cluster_stream.ts";
import { type DataSet, tableOf } from "./expected_features.ts";

const SMALL: DataSet = {
  data: ["--preset=seed", "--days=12"],
  features: ["--windows=1,5"],
};
const LABELS = 20_000;
/** Those at the beginning of the file come twice more, in each outage. */
const AGAIN = 3_000;
const UNKNOWN = 40;
const KILLS = 3;
const DOWN = "the store does not answer, waiting for it";
const UP = "the store answers again";

/** KNOWN_AT of the labels of the file, which no other label has. */
const KNOWN_AT = "2018-04-12 00:00:01";

/** How often each payment has a label of the file in a topic. */
async function labelsById(
  log: Log,
  topic: string,
): Promise<Map<number, number>> {
  const decoder = new TextDecoder();
  const counts = new Map<number, number>();
  const ends = await log.endOffsets(topic) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, topic, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const text = decoder.decode(recordValue(batch, i));
        if (!text.includes(`"KNOWN_AT":"${KNOWN_AT}"`)) continue;
        const id = JSON.parse(text).TRANSACTION_ID;
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** A table of numbers as CSV, without one of its columns. */
function without(name: string, csv: string): string {
  const [header] = csv.split("\n", 1);
  const at = header.split(",").indexOf(name);
  assert.ok(at >= 0, `no ${name} in ${header}`);
  return csv.split("\n")
    .map((line) => line.split(",").toSpliced(at, 1).join(",")).join("\n");
}

testServing(
  "labels are taken once each while the intake is killed and stopped and Cassandra is down",
  async (t) => {
    await using cassandra = await startCassandra();
    await using stream = await ClusterStream.open({ set: SMALL, cassandra });
    await using folder = temporaryFolder();
    const { rows } = stream.expected;
    assert.ok(rows > LABELS / 4);
    const all = stream.start(
      "producer,processor,writer",
      "--rate=max",
      "--labels=stream",
    );
    await stream.finished(all);
    const file = join(folder.path, "labels.csv");
    const again = join(folder.path, "again.csv");
    const lines = Array.from({ length: LABELS }, (_, n) => {
      const id = n < UNKNOWN ? 10_000_000 + n : n % rows;
      return `${id},${n % 2},${KNOWN_AT}\n`;
    });
    const header = "TRANSACTION_ID,TX_FRAUD,KNOWN_AT\n";
    for (const [path, count] of [[file, LABELS], [again, AGAIN]] as const) {
      Deno.writeTextFileSync(path, header + lines.slice(0, count).join(""));
    }
    await stream.run("label", file);
    const roles = ["processor,writer,labels", "--rate=max"] as const;
    const taken = async () => {
      const { log } = stream;
      const commits = await log.committed(LABEL_INTAKE_GROUP, LABEL_TOPIC);
      return commits.reduce((sum, commit) => sum + takenOffset(commit), 0);
    };
    let intake = stream.start(...roles);
    const takenMore = async () => {
      const before = await taken();
      await stream.until("labels that are taken", async () => {
        return await taken() > before || intake.said(DOWN).length > 0;
      });
    };
    const waits = () =>
      stream.until("word of the outage in the log", () => {
        return intake.said(DOWN).some(({ role }) => role === "labels");
      });
    const steps: [string, () => Promise<void>][] = [
      ["killed while it takes labels", async () => {
        for (let kills = 0; kills < KILLS; kills++) {
          await takenMore();
          await intake.kill();
          intake = stream.start(...roles);
        }
      }],
      ["stopped while Cassandra is dead, it ends in order", async () => {
        await takenMore();
        await cassandra.kill();
        await stream.run("label", again);
        await waits();
        const { code, words } = await intake.stop();
        assert.equal(code, 0, words.join("\n"));
        await cassandra.start();
        intake = stream.start(...roles);
      }],
      ["while Cassandra hangs it waits, and goes on", async () => {
        await takenMore();
        cassandra.pause();
        await stream.run("label", again);
        await waits();
        cassandra.resume();
        await stream.until("the end of the outage in the log", () => {
          return intake.said(UP).length > 0;
        });
        await stream.finished(intake);
      }],
      ["each label was taken once", async () => {
        for (const topic of [LABEL_TOPIC, TRANSACTION_TOPIC]) {
          const counts = await labelsById(stream.log, topic);
          const wrong: string[] = [];
          for (let id = 0; id < rows; id++) {
            let wanted = 0;
            for (let n = id; n < LABELS; n += rows) {
              if (n >= UNKNOWN) wanted += n < AGAIN ? 3 : 1;
            }
            const count = counts.get(id) ?? 0;
            if (count !== wanted) wrong.push(`${id}: ${count}`);
          }
          assert.deepEqual(wrong, [], topic);
        }
        const letters = await Array.fromAsync(readDeadLetters(stream.log));
        assert.equal(letters.length, 3 * UNKNOWN);
        const features = without("TX_FRAUD", await stream.exported());
        assert.equal(tableOf(features).sum, stream.expected.sum);
      }],
    ];
    for (const [name, body] of steps) {
      if (!await t.step(name, body)) return;
    }
  },
);
