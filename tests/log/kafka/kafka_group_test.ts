/** Membership in a group of the scripted Kafka: which generations follow one another. */
import assert from "node:assert/strict";
import { GroupMember } from "../../../src/log/kafka/kafka_group.ts";
import { joinGroupRequest } from "../../../src/log/kafka/kafka_group_requests.ts";
import { VirtualClock } from "../../virtual_clock.ts";
import { ScriptedKafka } from "./scripted/scripted_kafka.ts";
import { clusterOf, openScripted } from "./scripted/scripted_log.ts";

const GROUP = "group";
const SESSION_MS = 3000;

/** A topic of two partitions, and members of a group that shares them. */
async function members(count: number) {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  await using log = openScripted(kafka, clock);
  await log.createTopics([{ name: "t", partitions: 2, compacted: false }]);
  const cluster = clusterOf(kafka, clock);
  const made = Array.from({ length: count }, () =>
    new GroupMember({
      cluster,
      lane: cluster.lane(),
      group: GROUP,
      topic: "p-t",
      sessionTimeoutMs: SESSION_MS,
      signal: new AbortController().signal,
    }));
  return { clock, cluster, kafka, made };
}

Deno.test("a member keeps its partitions while it misses no generation", async () => {
  const { made: [first, second] } = await members(2);
  const alone = await first.join();
  assert.deepEqual(alone.partitions, [0, 1]);
  assert.equal(alone.continuous, false);
  const coming = second.join();
  while (await first.heartbeat() === undefined);
  assert.equal(await first.heartbeat(), "rebalance");
  const [kept, given] = await Promise.all([first.join(), coming]);
  assert.equal(kept.continuous, true);
  assert.equal(given.continuous, false);
  assert.deepEqual(
    [...kept.partitions, ...given.partitions].toSorted(),
    [0, 1],
  );
  await second.leave();
  assert.equal(await first.heartbeat(), "rebalance");
  const again = await first.join();
  assert.deepEqual(again.partitions, [0, 1]);
  assert.equal(again.continuous, true);
});

Deno.test("a generation that a member knows nothing of may have given its partitions to others", async () => {
  const { cluster, made: [member] } = await members(1);
  const { member: { generation, memberId } } = await member.join();
  // As a request that was sent once more and read late: the coordinator goes on
  // with a generation of which nobody here has heard.
  const late = joinGroupRequest({
    group: GROUP,
    memberId,
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: SESSION_MS,
    protocol: "late",
    subscription: new Uint8Array(0),
  });
  const node = await cluster.coordinator("group", GROUP);
  await cluster.lane().send(node, late);
  assert.equal(await member.heartbeat(), "lost");
  const next = await member.join();
  assert.equal(next.member.memberId, memberId);
  assert.equal(next.member.generation, generation + 2);
  assert.equal(next.continuous, false);
});

Deno.test("a member that is silent is taken for dead, and joins as a stranger", async () => {
  const { clock, made: [member] } = await members(1);
  const { member: before } = await member.join();
  await clock.sleep(SESSION_MS / 2);
  assert.equal(await member.heartbeat(), undefined);
  await clock.sleep(2 * SESSION_MS);
  assert.equal(await member.heartbeat(), "lost");
  const { member: after, continuous } = await member.join();
  assert.notEqual(after.memberId, before.memberId);
  assert.equal(continuous, false);
});

Deno.test("a heartbeat that gets no answer is no reason to go, one that is refused is", async () => {
  const { kafka, made: [member] } = await members(1);
  await member.join();
  for (const fault of ["request lost", "answer lost", "loading"] as const) {
    kafka.play(({ name }) => name === "Heartbeat" ? fault : undefined);
    assert.equal(await member.heartbeat(), undefined, fault);
  }
  kafka.play(() => undefined);
  assert.equal(await member.heartbeat(), undefined);
  await member.leave();
  await member.leave(); // it is no member any more: nothing to complain of
  assert.equal(await member.heartbeat(), "lost");
});
