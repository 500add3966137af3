/**
 * Scoring on a real Kafka and a real Cassandra: the predictions are those of
 * the embedded world, also when the scorer is killed and others join it, and
 * what somebody else puts into the prediction topic becomes a dead letter.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import type { DeadLetter } from "../../src/stream/dead_letters.ts";
import { discrepancies } from "../../src/stream/status.ts";
import { PREDICTION_TOPIC } from "../../src/stream/topics.ts";
import { runMain } from "../cli/program_runner.ts";
import { linearModel, writeModel } from "../roles/models.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ClusterStream } from "./cluster_stream.ts";
import type { DataSet } from "./expected_features.ts";

/** The first 20 days of set B. */
const TWENTY_DAYS: DataSet = {
  data: ["--preset=seed", "--days=20"],
  features: [],
};

const encoder = new TextEncoder();

/** No prediction, whatever it looks like. */
const POISON: readonly (readonly [string, DeadLetter["reason"]])[] = [
  ["\\u0000 garbage", "not JSON"],
  ['{"TRANSACTION_ID":1}', "missing field"],
  [
    '{"TRANSACTION_ID":1,"TX_DATETIME":"2099-01-01 00:00:00",' +
    '"CUSTOMER_ID":1,"TERMINAL_ID":1,"TX_AMOUNT":1,"TX_TIME_SECONDS":7,' +
    '"SCORE":0.5,"ALERT":1,"MODEL_VERSION":"x"}',
    "time mismatch",
  ],
];

/** Rules of all three decisions, one of them in the shadow. */
const RULES = `version: 1
rules:
  - { id: small, priority: 1, when: TX_AMOUNT < 5, then: approve, reason: Small }
  - { id: large, when: TX_AMOUNT > 150, then: decline, reason: Large }
  - { id: likely, when: SCORE > 0.3, then: review, reason: Likely }
  - { id: night, when: TX_DURING_NIGHT == 1, then: review, reason: Night, state: shadow }
`;

const EXPORT = ["export", "--table=predictions", "--out=-"] as const;

testServing(
  "predictions in Cassandra are byte for byte those of the embedded world, through killed scorers and poison in the prediction topic",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "model.json");
    writeModel(path, linearModel());
    const data = `--data=${join(folder.path, "data")}`;
    const rules = join(folder.path, "rules.yaml");
    Deno.writeTextFileSync(rules, RULES);
    const model = [`--model=${path}`, `--rules=${rules}`];
    const embedded = await runMain([
      "run",
      "--rate=max",
      ...TWENTY_DAYS.data,
      data,
      ...model,
    ]);
    assert.equal(embedded.code, 0, embedded.stderr);
    const { stdout: expected } = await runMain([...EXPORT, data]);

    await using stream = await ClusterStream.open({ set: TWENTY_DAYS });
    const others = stream.start("producer,processor,writer", "--rate=1500");
    const { rows } = stream.expected;
    const scored = (least: number) =>
      stream.waitFor(`${least} predictions`, ({ stages }) => {
        return (stages[3]?.counters.emitted ?? 0) >= least;
      });
    for (const part of [0.2, 0.5]) {
      const scorer = stream.start("scorer", ...model);
      await scored(Math.floor(part * rows));
      await scorer.kill();
    }
    const records = new RecordBatchBuilder();
    for (const [text] of POISON) {
      records.add(encoder.encode("k"), encoder.encode(text), 0);
    }
    const producer = await stream.log.producer("somebody");
    await producer.append([{ topic: PREDICTION_TOPIC, partition: 2, records }]);
    const last = [
      stream.start("scorer", ...model),
      stream.start("scorer", ...model),
    ];
    await stream.finished(others, ...last);
    const [command, ...flags] = EXPORT;
    const exported = await stream.run(command, ...flags);
    assert.equal(expected.split("\n").length, rows + 2);
    assert.ok(exported.stdout === expected, "the predictions differ");
    const status = await stream.status();
    assert.ok(status);
    assert.deepEqual(discrepancies(status), []);
    assert.equal(status.stages[3].counters.emitted, rows);
    assert.equal(status.stages[4].counters.emitted, rows);
    assert.equal(status.deadLetters, POISON.length);
    const { stdout } = await stream.run("dead-letters", "--json");
    const letters: DeadLetter[] = stdout.trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      letters.map(({ topic, partition, reason }) => [topic, partition, reason]),
      POISON.map(([, reason]) => [PREDICTION_TOPIC, 2, reason]),
    );
  },
);
