/** All roles on a real Kafka and a real Cassandra, with nothing in their way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runMain } from "../cli/program_runner.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ALL, ClusterStream, STAGES } from "./cluster_stream.ts";
import { SET_B, tableOf, THIRTY_DAYS } from "./expected_features.ts";

testServing(
  "set B through Kafka into Cassandra has the reference features, byte for byte those of the embedded world",
  async () => {
    await using stream = await ClusterStream.open({ set: SET_B });
    const all = stream.start("producer,processor,writer", "--rate=max");
    await stream.finished(all);
    await stream.assertExact();
    assert.equal(stream.expected.sum, referenceSum("B"));
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const run = await runMain([
      "run",
      "--preset=seed",
      "--no-model",
      "--rate=max",
      data,
    ]);
    assert.equal(run.code, 0, run.stderr);
    const { stdout } = await runMain(["export", data, "--out=-"]);
    assert.equal(tableOf(stdout).sum, stream.expected.sum);
    assert.ok(stdout === await stream.exported(), "the bytes differ");
  },
);

testServing("two workers in one process share the partitions", async () => {
  await using stream = await ClusterStream.open({ set: THIRTY_DAYS });
  const workers = stream.start(
    "processor,writer",
    "--workers=2",
    "--session-timeout=60s", // no machine is so busy that one is taken for dead
  );
  const shares = () =>
    STAGES.map(({ group }) =>
      [1, 2].map((n) => workers.assigned(group, `processor-${n}`))
    );
  await stream.until("two partitions of either stage for each", () => {
    return shares().flat().every(({ length }) => length === 2);
  });
  for (const share of shares()) assert.deepEqual(share.flat().sort(), ALL);
  // Whatever comes now comes to both.
  const producer = stream.start("producer", "--rate=max");
  await stream.finished(producer, workers);
  await stream.assertExact();
  // Each partition had rows, and they were in either worker's hands.
  for (const stage of STAGES) {
    const emitted = await stream.emitted(stage);
    assert.ok(emitted.every((rows) => rows > 0), `${stage.group}: ${emitted}`);
  }
});
