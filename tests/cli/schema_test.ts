import assert from "node:assert/strict";
import { shapeOf } from "../../src/definition/definition_shape.ts";
import { openDefinition } from "../../src/definition/read_definition.ts";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { schemaCql } from "../../src/store/cassandra/cassandra_schema.ts";
import { readStreamFlags } from "../../src/cli/flags/stream_flags.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { runMain, testRunning } from "./program_runner.ts";

testRunning(
  "schema prints what the store makes, without any permission but reading",
  async () => {
    const { code, stdout, stderr } = await runMain(
      ["schema", "--local-dc=dc1"],
      { permissions: ["--allow-read"] },
    );
    assert.deepEqual([code, stderr], [0, ""]);
    const settings = {
      localDataCenter: "dc1",
      keyspace: "detectionfraud",
      replication: 1,
    };
    assert.equal(stdout, schemaCql(settings, HANDBOOK_FEATURES));
  },
);

testRunning("the flags of schema say what is printed", async () => {
  const { code, stdout } = await runMain([
    "schema",
    "--local-dc=east",
    "--keyspace=shop",
    "--store-replication=3",
    "--bigint-ids",
    "--windows=2",
    "--feature-set=extended",
  ]);
  assert.equal(code, 0);
  const settings = {
    localDataCenter: "east",
    keyspace: "shop",
    replication: 3,
  };
  const features: FeatureParameters = {
    ...HANDBOOK_FEATURES,
    set: "extended",
    windowDays: [2],
  };
  assert.equal(stdout, schemaCql(settings, features));
});

testRunning(
  "schema --definition prints the tables of its payments",
  async () => {
    const { code, stdout } = await runMain([
      "schema",
      "--local-dc=dc1",
      "--definition=sparkov",
      "--windows=2",
    ]);
    assert.equal(code, 0);
    const settings = {
      localDataCenter: "dc1",
      keyspace: "detectionfraud",
      replication: 1,
    };
    const features = { ...HANDBOOK_FEATURES, windowDays: [2] };
    const shape = shapeOf(openDefinition("sparkov"));
    assert.equal(stdout, schemaCql(settings, features, shape));
    assert.match(stdout, /customer_id text/);
  },
);

testRunning("what no schema can have is refused in one line", async () => {
  const cases: [string[], RegExp][] = [
    [[], /^fraudstream: --local-dc is needed; for example: .* schema /],
    [["--local-dc=dc1", "--keyspace=A"], /^fraudstream: a keyspace is a lower/],
    [["--local-dc=d'"], /^fraudstream: the local data centre must be a name/],
    [["--local-dc=dc1", "--store-replication=0"], /--store-replication must/],
  ];
  for (const [flags, line] of cases) {
    const { code, stdout, stderr } = await runMain(["schema", ...flags]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, line);
    assert.match(stderr, /^[^\n]*\n$/);
  }
});

testRunning(
  "schema --labels=stream prints the tables of the handbook's payments whose labels arrive later",
  async () => {
    const schema = (...flags: string[]) =>
      runMain(["schema", "--local-dc=dc1", ...flags]);
    const { code, stdout } = await schema("--labels=stream");
    assert.equal(code, 0);
    const settings = {
      localDataCenter: "dc1",
      keyspace: "detectionfraud",
      replication: 1,
    };
    // What a run with that flag makes.
    const { features } = readStreamFlags({ labels: "stream" }, undefined);
    const shape = shapeOfStream({ features });
    assert.equal(stdout, schemaCql(settings, features, shape));
    assert.match(stdout, /transaction_label/);
    const plain = await schema();
    assert.equal((await schema("--labels=payment")).stdout, plain.stdout);
    const both = await schema("--labels=stream", "--definition=sparkov");
    assert.equal(both.code, 2);
    assert.match(both.stderr, /--labels cannot be given with --definition/);
  },
);
