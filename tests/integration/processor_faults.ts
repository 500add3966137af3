/**
 * Processors that are killed, paused and joined by others while payments flow.
 * `deno task test:long` kills 20 times on all of set B.
 */
import assert from "node:assert/strict";
import { chance, isLong, seeds } from "../long.ts";
import { testServing } from "../services/testing_servers.ts";
import { ALL, ClusterStream, STAGES } from "./cluster_stream.ts";
import { SET_B, SIXTY_DAYS, THIRTY_DAYS } from "./expected_features.ts";
import type { LogLine, RoleProcess } from "./role_process.ts";

const KILLS = isLong ? 20 : 8;
const [SEED] = seeds(1, 1);
const STOP_MS_MAX = 10_000;
const REFUSED = "commit refused";
/** For processors that nobody harms: on no machine is one so slow that it is taken for dead. */
const PATIENT = "--session-timeout=60s";

/** Whether a processor has all partitions of both stages. */
function hasAll(processor: RoleProcess): boolean {
  return STAGES.every(({ group }) =>
    processor.assigned(group).length === ALL.length
  );
}

testServing(
  `${KILLS} SIGKILLs of the processor lose nothing and repeat nothing (seed ${SEED})`,
  async (t) => {
    const set = isLong ? SET_B : SIXTY_DAYS;
    await using stream = await ClusterStream.open({ set });
    const { rows } = stream.expected;
    // Held while there is no processor, and slow, since what a pause has held up
    // comes as a burst of a second: the stream must not end before the kills.
    const producer = stream.start("producer", "--rate=1500");
    const writer = stream.start("writer");
    const random = chance(SEED);
    let midway = 0;
    let replayed = 0;
    let last = 0;
    for (let kill = 1; kill <= KILLS; kill++) {
      // One random count in each of KILLS equal parts of the stream.
      const target = Math.floor((kill - random()) / KILLS * rows);
      const name = `SIGKILL ${kill} at ${target} committed rows`;
      const isDone = await t.step(name, async () => {
        const processor = stream.start("processor");
        await stream.until("the processor at work", () => hasAll(processor));
        producer.resume();
        await stream.waitFor(`${target} rows`, ({ stages: [, terminal] }) => {
          // Where a busy machine has let the stream end, a kill of one that has
          // nothing to do is none too many; how many fell midway is asserted.
          const wanted = Math.min(Math.max(target, last + 1), rows);
          return terminal.counters.emitted >= wanted;
        });
        const killed = processor.kill();
        await stream.pause(producer);
        await killed;
        const restored = processor.said("partition restored");
        if (restored.some(({ fromOffset }) => Number(fromOffset) > 0)) {
          replayed++;
        }
        const status = await stream.status();
        last = status?.stages[1].counters.emitted ?? 0;
        if (last > 0 && last < rows) midway++;
      });
      if (!isDone) return;
    }
    const processor = stream.start("processor");
    producer.resume();
    await stream.finished(producer, processor, writer);
    assert.ok(midway >= KILLS * 0.75, `${midway} of ${KILLS} fell midway`);
    assert.ok(
      replayed >= KILLS * 0.4,
      `${replayed} of ${KILLS} replays began after offset 0`,
    );
    await stream.assertExact();
  },
);

testServing(
  "a processor that wakes up after another has taken its partitions commits nothing more",
  async () => {
    await using stream = await ClusterStream.open();
    // Slow, so that there is still work for the second try and the third.
    const producer = stream.start("producer", "--rate=1500");
    const writer = stream.start("writer");
    let victim = stream.start("processor");
    let successor: RoleProcess;
    let refusal: LogLine | undefined;
    for (;;) {
      // A step in hand, most likely: all eight partitions have work to do.
      let before = await stream.status();
      await stream.waitFor(
        "the processor at work",
        ({ stages }) =>
          [0, 1].every((i) =>
            stages[i].counters.emitted >
              (before?.stages[i].counters.emitted ?? 0)
          ),
      );
      victim.pause();
      await stream.pause(producer);
      successor = stream.start("processor");
      await stream.until(
        "the second processor with all partitions",
        () => hasAll(successor),
      );
      before = await stream.status();
      producer.resume();
      await stream.waitFor(
        "commits of the second processor",
        ({ stages }) =>
          [0, 1].every((i) =>
            stages[i].counters.emitted >
              (before?.stages[i].counters.emitted ?? 0)
          ),
      );
      const assignments = victim.said("partitions assigned").length;
      const earlier = victim.said(REFUSED).length;
      victim.resume();
      await stream.until(
        "word of its end to the first processor",
        () =>
          victim.said(REFUSED).length > earlier ||
          victim.said("partitions assigned").length > assignments,
      );
      refusal = victim.said(REFUSED)[earlier];
      if (refusal) break;
      // It happened to have no step in hand: the second one is the next.
      await victim.kill();
      victim = successor;
    }
    await stream.finished(producer, victim, successor, writer);
    const { group, partition, error } = refusal;
    assert.ok(STAGES.some((stage) => stage.group === group), String(group));
    assert.ok(ALL.includes(Number(partition)));
    assert.match(
      String(error),
      /FENCED|INVALID_PRODUCER_EPOCH|UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION/,
    );
    await stream.assertExact();
  },
);

testServing(
  "a second processor joins and leaves midway, and both do their share",
  async () => {
    await using stream = await ClusterStream.open();
    const { rows } = stream.expected;
    const producer = stream.start("producer", "--rate=3000");
    const writer = stream.start("writer");
    const first = stream.start("processor", PATIENT);
    await stream.waitFor("a part of the rows", ({ stages: [, terminal] }) => {
      return terminal.counters.emitted > rows / 8;
    });
    await stream.pause(producer);
    const second = stream.start("processor", PATIENT);
    const share = (processor: RoleProcess) =>
      STAGES.map(({ group }) => processor.assigned(group));
    await stream.until("two partitions of either stage for each", () => {
      return [...share(first), ...share(second)]
        .every(({ length }) => length === 2);
    });
    const shares = share(second);
    for (const [i, own] of share(first).entries()) {
      assert.deepEqual([...own, ...shares[i]].sort(), ALL);
    }
    producer.resume();
    await allGrow(stream, "rows by both processors");
    await stream.pause(producer);
    const { code, tookMs } = await second.stop();
    assert.equal(code, 0);
    assert.ok(tookMs < STOP_MS_MAX, `it took ${Math.round(tookMs)} ms`);
    await stream.until("all partitions with the first again", () => {
      return hasAll(first);
    });
    assert.deepEqual(share(second), shares, "it kept its share to the end");
    producer.resume();
    await allGrow(stream, "rows of all partitions by the first");
    await stream.finished(producer, first, writer);
    await stream.assertExact();
  },
);

/** Waits until every partition of both stages has handed on more rows than now. */
async function allGrow(stream: ClusterStream, what: string): Promise<void> {
  const emitted = () => Promise.all(STAGES.map((of) => stream.emitted(of)));
  const before = (await emitted()).flat();
  await stream.until(what, async () => {
    return (await emitted()).flat().every((n, i) => n > before[i]);
  });
}

testServing(
  "a processor that waits for the others of its group stops when it is told to",
  async () => {
    await using stream = await ClusterStream.open({ set: THIRTY_DAYS });
    const producer = stream.start("producer", "--rate=3000");
    const writer = stream.start("writer");
    // The group waits for it for so long.
    const hung = stream.start("processor", PATIENT);
    await stream.waitFor("some rows", ({ stages: [, terminal] }) => {
      return terminal.counters.emitted > 0;
    });
    hung.pause();
    const waiting = stream.start("processor");
    await stream.until("a while in which it waits", () => {
      return waiting.said("progress").length > 0;
    });
    assert.deepEqual(waiting.said("partitions assigned"), []);
    const { code, tookMs } = await waiting.stop();
    assert.equal(code, 0);
    assert.ok(tookMs < STOP_MS_MAX, `it took ${Math.round(tookMs)} ms`);
    hung.resume();
    await stream.finished(producer, hung, writer);
    await stream.assertExact();
  },
);
