/** All roles on a real Kafka and a real Cassandra, with nothing in their way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runMain } from "../cli/program_runner.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { ClusterStream } from "./cluster_stream.ts";
import { SET_B, tableOf } from "./expected_features.ts";

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
    const run = await runMain(["run", "--preset=seed", "--rate=max", data]);
    assert.equal(run.code, 0, run.stderr);
    const { stdout } = await runMain(["export", data, "--out=-"]);
    assert.equal(tableOf(stdout).sum, stream.expected.sum);
    assert.ok(stdout === await stream.exported(), "the bytes differ");
  },
);

testServing("two workers in one process share the partitions", async () => {
  await using stream = await ClusterStream.open();
  const workers = stream.start("processor,writer", "--workers=2");
  const shares = () =>
    ["processor-1", "processor-2"].map((role) => {
      const assigned = workers.said("partitions assigned")
        .filter((line) => line.role === role);
      return ["customer", "terminal"].flatMap((stage) => {
        const group = `fraudstream-${stage}-windows`;
        return assigned.findLast((line) => line.group === group)?.partitions;
      });
    });
  await stream.until("two partitions of both stages for each", () => {
    return shares().every((partitions) => partitions.length === 4);
  });
  const before = shares();
  assert.deepEqual(before.flat().sort(), [0, 0, 1, 1, 2, 2, 3, 3]);
  // Whatever comes now comes to both.
  const producer = stream.start("producer", "--rate=max");
  await stream.finished(producer, workers);
  await stream.assertExact();
  assert.deepEqual(shares(), before);
});
