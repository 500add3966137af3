/** The shared servers themselves: each is started once and answers. */
import assert from "node:assert/strict";
import { testServing } from "../services/testing_servers.ts";
import { sharedCassandra, sharedKafka } from "./servers.ts";

testServing("all tests share one Kafka and one Cassandra", async () => {
  const [kafka, cassandra] = await Promise.all([
    sharedKafka(),
    sharedCassandra(),
  ]);
  assert.equal(await sharedKafka(), kafka);
  assert.equal(await sharedCassandra(), cassandra);
  assert.notEqual(kafka.pid, cassandra.pid);
});
