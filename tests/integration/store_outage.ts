/** Cassandra is dead or hangs while payments flow: the writer waits, or stops when it is told to. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { startCassandra } from "../services/cassandra_server.ts";
import { testServing } from "../services/testing_servers.ts";
import { ClusterStream } from "./cluster_stream.ts";
import type { RoleProcess } from "./role_process.ts";

const OUTAGE_MS = 60_000;
const STOP_MS_MAX = 10_000;
const GROWTH_MIB_MAX = 64;
const DOWN = "the store does not answer, waiting for it";
const UP = "the store answers again";

/** Memory of a process, MiB. */
async function residentMib({ pid }: RoleProcess): Promise<number> {
  const ps = new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] });
  const { stdout } = await ps.output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

testServing(
  "Cassandra down for a minute: the writer waits with flat memory, then stores all",
  async (t) => {
    await using cassandra = await startCassandra();
    await using stream = await ClusterStream.open({ cassandra });
    const slow = stream.start("producer", "--rate=300");
    const processor = stream.start("processor");
    let writer = stream.start("writer");
    const storedMore = async () => {
      const before = await stream.status();
      const stored = before?.stages[2].counters.emitted ?? 0;
      await stream.waitFor(
        "rows in the store",
        ({ stages: [, , { counters }] }) => {
          return counters.emitted > stored;
        },
      );
    };
    const waits = () =>
      stream.until("word of the outage in the log", () => {
        return writer.said(DOWN).length === 1;
      });
    const stopWaiting = async () => {
      await waits();
      const { code, tookMs, words } = await writer.stop();
      assert.equal(code, 0, words.join("\n"));
      assert.ok(tookMs < STOP_MS_MAX, `it took ${Math.round(tookMs)} ms`);
    };
    await storedMore();
    const steps: [string, () => Promise<void>][] = [
      ["told to stop while it is dead, the writer ends", async () => {
        await cassandra.kill();
        await stopWaiting();
        await cassandra.start();
        writer = stream.start("writer");
        await storedMore();
      }],
      ["told to stop while it hangs, the writer ends", async () => {
        cassandra.pause();
        await stopWaiting();
        cassandra.resume();
        writer = stream.start("writer");
        await storedMore();
      }],
      ["a minute's outage", async () => {
        await cassandra.kill();
        // The minute is the fault, nothing is decided by it.
        const over = delay(OUTAGE_MS);
        await waits();
        const before = await stream.status();
        const beforeMib = await residentMib(writer);
        await over;
        const after = await stream.status();
        const grown = await residentMib(writer) - beforeMib;
        assert.ok(grown < GROWTH_MIB_MAX, `memory grew by ${grown} MiB`);
        const rows = (status: typeof after) =>
          status?.stages.map(({ counters }) => counters.emitted) ?? [];
        const [[, processed, stored], [, then, thenStored]] = [before, after]
          .map(rows);
        assert.equal(thenStored, stored);
        assert.ok(then > processed, "the others went on");
        await cassandra.start();
        await stream.until("the end of the outage in the log", () => {
          return writer.said(UP).length === 1;
        });
      }],
      ["the result is exact", async () => {
        await slow.stop();
        const fast = stream.start("producer", "--rate=max");
        await stream.finished(fast, processor, writer);
        await stream.assertExact();
      }],
    ];
    for (const [name, body] of steps) {
      if (!await t.step(name, body)) return;
    }
  },
);
