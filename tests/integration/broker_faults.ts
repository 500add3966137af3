/** Kafka is killed or hangs while payments flow, and roles are told to stop meanwhile. */
import assert from "node:assert/strict";
import { startKafka } from "../services/kafka_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { ClusterStream } from "./cluster_stream.ts";
import type { RoleProcess } from "./role_process.ts";

const STOP_MS_MAX = 10_000;
const ROLES = ["producer", "processor", "writer"];

/** Waits until a part of all rows has passed the second stage. */
async function reach(stream: ClusterStream, part: number): Promise<void> {
  const rows = part * stream.expected.rows;
  await stream.waitFor(`${rows} rows`, ({ stages: [, terminal] }) => {
    return terminal.counters.emitted >= rows;
  });
}

/** Tells all to stop at once; each must end soon, and in order. */
async function stopAll(processes: readonly RoleProcess[]): Promise<void> {
  const endings = await Promise.all(processes.map((role) => role.stop()));
  for (const [i, { code, tookMs, words }] of endings.entries()) {
    const { name } = processes[i];
    assert.equal(code, 0, `${name}: ${words.join("\n")}`);
    assert.ok(tookMs < STOP_MS_MAX, `${name} took ${Math.round(tookMs)} ms`);
  }
}

testServing(
  "Kafka killed or hanging in the middle: all go on by themselves, or stop when told to",
  async (t) => {
    await using kafka = await startKafka();
    await using stream = await ClusterStream.open({ kafka });
    const start = () => ROLES.map((role) => stream.start(role, "--rate=3000"));
    let roles = start();
    await reach(stream, 0.2);
    const steps: [string, () => Promise<void>][] = [
      ["SIGKILL and a new start: everything goes on by itself", async () => {
        await kafka.kill();
        await kafka.start();
        await reach(stream, 0.4);
        for (const role of roles) {
          const told = role.said("Kafka answers with errors").length;
          assert.ok(told > 0, role.tail());
          assert.equal(role.said("Kafka answers again").length, told);
        }
      }],
      ["told to stop while it is dead", async () => {
        await kafka.kill();
        await stopAll(roles);
        await kafka.start();
        roles = start();
        await reach(stream, 0.6);
      }],
      ["told to stop while it hangs", async () => {
        kafka.pause();
        await stopAll(roles);
        kafka.resume();
        roles = start();
        await reach(stream, 0.8);
      }],
      ["the result is exact", async () => {
        await stream.finished(...roles);
        await stream.assertExact();
      }],
    ];
    for (const [name, body] of steps) {
      if (!await t.step(name, body)) return;
    }
  },
);
