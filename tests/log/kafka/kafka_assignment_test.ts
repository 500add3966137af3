import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import kafkajsProtocol from "kafkajs/src/consumer/assignerProtocol.js";
import {
  assignPartitions,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Member,
} from "../../../src/log/kafka/kafka_assignment.ts";

const counts = fc.integer({ min: 0, max: 20 });
const claims = fc.array(
  fc.record({
    generation: fc.integer({ min: -1, max: 5 }),
    partitions: fc.uniqueArray(fc.nat(25), { maxLength: 20 }),
  }, { noNullPrototype: true }),
  { minLength: 1, maxLength: 7 },
).map((claims) =>
  claims.map((claim, i): Member => ({ memberId: `member-${i}`, ...claim }))
);

/** Who had a partition last: the newest claim. */
function newest(members: readonly Member[], partition: number): number {
  const had = members.filter(({ partitions }) =>
    partitions.includes(partition)
  );
  return Math.max(-Infinity, ...had.map(({ generation }) => generation));
}

Deno.test("every partition goes to one member, and none has two more than another", () => {
  fc.assert(fc.property(counts, claims, (count, members) => {
    const shares = assignPartitions(count, members);
    assert.deepEqual(
      [...shares.keys()].sort(),
      members.map(({ memberId }) => memberId),
    );
    const all = [...shares.values()].flat().sort((a, b) => a - b);
    assert.deepEqual(all, Array.from({ length: count }, (_, i) => i));
    const sizes = [...shares.values()].map(({ length }) => length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${sizes}`);
    for (const share of shares.values()) {
      assert.deepEqual(share, share.toSorted((a, b) => a - b));
    }
  }));
});

Deno.test("no more partitions move than a balanced sharing needs", () => {
  fc.assert(fc.property(counts, claims, (count, members) => {
    const owned = new Map(members.map(({ memberId }) => [memberId, 0]));
    const claimed = new Set<number>();
    // Claims without conflicts, so that who owns what is beyond doubt.
    const clean = members.map((member) => {
      const partitions = member.partitions.filter((partition) =>
        partition < count && !claimed.has(partition)
      );
      for (const partition of partitions) claimed.add(partition);
      owned.set(member.memberId, partitions.length);
      return { ...member, partitions };
    });
    const shares = assignPartitions(count, clean);
    let kept = 0;
    for (const { memberId, partitions } of clean) {
      const share = shares.get(memberId) ?? [];
      kept += partitions.filter((partition) =>
        share.includes(partition)
      ).length;
    }
    // The largest shares to those who have most: the most that can be kept.
    const most = [...owned.values()].sort((a, b) => b - a).map((has, i) =>
      Math.min(
        has,
        Math.floor((count + members.length - 1 - i) / members.length),
      )
    ).reduce((sum, more) => sum + more, 0);
    assert.equal(kept, most);
  }));
});

Deno.test("of two that say they have a partition the newer generation is believed", () => {
  fc.assert(fc.property(counts, claims, (count, members) => {
    const shares = assignPartitions(count, members);
    for (const { memberId, generation, partitions } of members) {
      const share = shares.get(memberId) ?? [];
      const claimed = partitions.filter((partition) => partition < count);
      const undisputed = claimed.filter((partition) =>
        newest(members, partition) === generation &&
        members.filter((other) =>
            other.generation === generation &&
            other.partitions.includes(partition)
          ).length === 1
      );
      // Whoever has no more than its share keeps all that is its own.
      if (undisputed.length > Math.floor(count / members.length)) continue;
      const others = claimed.filter((partition) =>
        newest(members, partition) === generation
      );
      if (others.length !== undisputed.length) continue;
      for (const partition of undisputed) assert.ok(share.includes(partition));
    }
  }));
});

Deno.test("a member that comes or goes moves a share, not all", () => {
  let shares = assignPartitions(12, [
    { memberId: "a", generation: -1, partitions: [] },
    { memberId: "b", generation: -1, partitions: [] },
  ]);
  assert.deepEqual(shares.get("a"), [0, 1, 2, 3, 4, 5]);
  const members = (generation: number): Member[] =>
    [...shares].map(([memberId, partitions]) => ({
      memberId,
      generation,
      partitions,
    }));
  const newcomer = { memberId: "c", generation: -1, partitions: [] };
  shares = assignPartitions(12, [...members(1), newcomer]);
  assert.deepEqual([...shares].sort(), [
    ["a", [0, 1, 2, 3]],
    ["b", [6, 7, 8, 9]],
    ["c", [4, 5, 10, 11]],
  ]);
  const left = members(2).filter(({ memberId }) => memberId !== "b");
  assert.deepEqual([...assignPartitions(12, left)].sort(), [
    ["a", [0, 1, 2, 3, 6, 7]],
    ["c", [4, 5, 8, 9, 10, 11]],
  ]);
});

Deno.test("subscriptions come back, and are those of Kafka's consumer protocol", () => {
  fc.assert(fc.property(fc.string(), claims, (topic, [claim]) => {
    const { generation, partitions } = claim;
    const bytes = encodeSubscription({ topic, generation, partitions });
    assert.deepEqual(decodeSubscription(bytes), {
      topic,
      generation,
      partitions,
    });
    const { MemberMetadata } = kafkajsProtocol;
    const theirs = MemberMetadata.decode(Buffer.from(bytes));
    assert.equal(theirs.version, 0);
    assert.deepEqual(theirs.topics, [topic]);
    assert.equal(
      MemberMetadata.encode(theirs).toString("hex"),
      Buffer.from(bytes).toString("hex"),
    );
  }));
});

Deno.test("assignments come back ascending, and are those of Kafka's consumer protocol", () => {
  const topics = fc.stringMatching(/^[a-z_.-]{1,30}$/);
  fc.assert(fc.property(topics, claims, (topic, [{ partitions }]) => {
    const bytes = encodeAssignment(topic, partitions);
    assert.deepEqual(
      decodeAssignment(bytes),
      partitions.toSorted((a, b) => a - b),
    );
    const { MemberAssignment } = kafkajsProtocol;
    const theirs = MemberAssignment.decode(Buffer.from(bytes));
    assert.deepEqual(Object.entries(theirs?.assignment ?? {}), [
      [topic, [...partitions]],
    ]);
  }));
  assert.deepEqual(decodeAssignment(new Uint8Array(0)), []);
});

Deno.test("a foreign member's own data are taken for nothing", () => {
  const { MemberMetadata } = kafkajsProtocol;
  for (const data of ["", "\0\0", "12", "null", "{}", '{"partitions":7}']) {
    const foreign = MemberMetadata.encode({
      version: 1,
      topics: ["a"],
      userData: Buffer.from(data),
    });
    assert.deepEqual(decodeSubscription(foreign), {
      topic: "a",
      generation: -1,
      partitions: [],
    });
  }
});
