/**
 * A trainer that learns from labels that arrive later, on a real Kafka: it makes
 * the models and the metrics of the embedded world.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readRegistry } from "../../src/scoring/model_registry.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { runMain } from "../cli/program_runner.ts";
import { labelParameters } from "../faults/label_stream.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ClusterStream } from "./cluster_stream.ts";
import type { DataSet } from "./expected_features.ts";

/** Six weeks. */
const SET: DataSet = {
  data: ["--customers=150", "--terminals=100", "--radius=10", "--days=42"],
  features: [],
};

/** What is trained, weekly. */
const TRAINING = [
  ...["--rate=max", "--labels=stream", "--retrain=7d", "--train-days=7"],
  ...["--retrain-kind=logistic-regression", "--no-model"],
];

/** What was decided, without the clock's times. */
function decisionsIn(folder: string) {
  const { openDay: _, ...decided } = readRegistry(join(folder, "models"));
  return {
    ...decided,
    history: decided.history.map(({ at: _, ...entry }) => entry),
  };
}

async function metricsIn(folder: string) {
  const parameters = labelParameters(4);
  await using store = new EmbeddedStore({
    path: join(folder, "store.db"),
    features: parameters.features,
    shape: shapeOfStream(parameters),
    durable: false,
  });
  return await store.predictions().metrics();
}

testServing(
  "a trainer on Kafka makes of late labels the models and metrics of the embedded world",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    const embedded = await runMain([
      ...["run", `--data=${path("embedded")}`, ...SET.data, ...TRAINING],
    ]);
    assert.equal(embedded.code, 0, embedded.stderr);
    const data = path("data");
    await using stream = await ClusterStream.open({ set: SET, folder: data });
    const learning = "producer,processor,writer,scorer,trainer";
    await stream.finished(stream.start(learning, ...TRAINING));
    const found = decisionsIn(data);
    assert.deepEqual(found, decisionsIn(path("embedded")));
    assert.ok(found.history.length > 3, `${found.history.length} decisions`);
    const metrics = await metricsIn(data);
    assert.deepEqual(metrics, await metricsIn(path("embedded")));
    assert.ok(metrics.length > 50, `${metrics.length} metrics`);
  },
);
