/**
 * The merge of a source's partitions: random records, delays, idle partitions,
 * pages and crashes, against a plain account of the rule, and against what is
 * promised to people.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import type { Append, Step } from "../../src/log/log.ts";
import {
  emptyBatch,
  type RecordBatch,
  RecordBatchBuilder,
} from "../../src/log/record_batch.ts";
import { noCounters } from "../../src/stream/commit.ts";
import type { DeadLetter } from "../../src/stream/dead_letters.ts";
import { firstInCompany } from "../../src/stream/source_merge.ts";
import type { SourceLog } from "../../src/stream/source_partition.ts";
import type { SourcePosition } from "../../src/stream/source_position.ts";
import {
  SourceTask,
  type SourceTaskOptions,
} from "../../src/stream/source_task.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import {
  CONTROL_TOPIC,
  DEAD_LETTER_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { SOURCE_DEFINITION } from "./source_definition.ts";
import { chance, forEachSeed } from "../long.ts";

/** With pseudonyms. */
const SECRET = readDefinition(
  `version: 1
payment:
  TRANSACTION_ID: nr
  TX_DATETIME: at
  CUSTOMER_ID: { from: card, hmac: true }
  TERMINAL_ID: shop
  TX_AMOUNT: eur
  TX_FRAUD: bad
labels: { from: payment, delay: 7d }
features: { include: handbook }
`,
  "secret.yaml",
);

const T0 = Date.UTC(2024, 0, 1) / 1000;
const IDLE_SECONDS = 30;

/** A record of the source and when it can be read. */
interface Arrival {
  /** Its time, seconds since T0; null for a record that is no payment. */
  readonly time: number | null;
  /** What it holds, where that is not made of its time. */
  readonly value?: string;
  /** When it is there, milliseconds of the clock. */
  readonly at: number;
}

type Arrivals = readonly (readonly Arrival[])[];

/** The source at a moment of a clock. */
class FakeSource implements SourceLog {
  now = 0;
  readonly #arrivals: Arrivals;
  readonly #page: () => number;

  constructor(arrivals: Arrivals, page: () => number = () => 1000) {
    this.#arrivals = arrivals;
    this.#page = page;
  }

  there(partition: number): readonly Arrival[] {
    return this.#arrivals[partition].filter(({ at }) => at <= this.now);
  }

  endOffsets(): Promise<number[]> {
    return Promise.resolve(this.#arrivals.map((_, p) => this.there(p).length));
  }

  topics(): ReturnType<SourceLog["topics"]> {
    return Promise.resolve([]);
  }

  read(
    _topic: string,
    partition: number,
    offset: number,
  ): Promise<RecordBatch> {
    const values = this.there(partition)
      .slice(offset, offset + this.#page())
      .map(({ time, value }, i) =>
        value ?? valueOf(partition, offset + i, time)
      );
    return Promise.resolve(batchOf(values, offset));
  }
}

/** Records without keys, from an offset on. */
function batchOf(values: readonly string[], offset: number): RecordBatch {
  const encoded = values.map((value) => new TextEncoder().encode(value));
  let at = 0;
  const positions = encoded.flatMap(({ length }) => {
    const from = at;
    at += length;
    return [from, from, from, at];
  });
  return {
    count: values.length,
    offsets: Float64Array.from(values, (_, i) => offset + i),
    timestamps: new Float64Array(values.length),
    positions: Int32Array.from(positions),
    bytes: new Uint8Array(Buffer.concat(encoded)),
    next: offset + values.length,
  };
}

function valueOf(
  partition: number,
  offset: number,
  time: number | null,
): string {
  if (time === null) return "no payment";
  return JSON.stringify({
    nr: 1_000_000 * partition + offset,
    at: T0 + time,
    card: partition,
    shop: 1,
    eur: 1.5,
    bad: 0,
  });
}

/** The records of an append to a topic. */
function valuesTo(appends: readonly Append[], topic: string): string[] {
  return appends.filter((append) => append.topic === topic)
    .flatMap(({ records }) => valuesIn(records));
}

function valuesIn({ count, lengths, writer }: RecordBatchBuilder): string[] {
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const from = at + lengths[2 * i];
    at = from + lengths[2 * i + 1];
    return new TextDecoder().decode(writer.view().subarray(from, at));
  });
}

/** What a record became: `partition/offset`, with the reason if it is a dead letter. */
function outcomes({ appends }: Step): string[] {
  return [
    ...valuesTo(appends, TRANSACTION_TOPIC).map((json) => {
      const { TRANSACTION_ID: id } = JSON.parse(json);
      return `${Math.floor(id / 1_000_000)}/${id % 1_000_000}`;
    }),
    ...valuesTo(appends, DEAD_LETTER_TOPIC).map((json) => {
      const { partition, offset, reason }: DeadLetter = JSON.parse(json);
      return `${partition}/${offset} ${reason}`;
    }),
  ];
}

const START: Omit<SourcePosition, "offsets" | "reached"> = {
  topic: "theirs",
  steps: 0,
  newest: null,
  startSeconds: T0,
  lag: 0,
  counters: noCounters(),
};

function firstPosition(partitions: number): SourcePosition {
  return {
    ...START,
    offsets: Array(partitions).fill(0),
    reached: Array(partitions).fill(null),
  };
}

function open(
  source: SourceLog & { readonly now: number },
  position: SourcePosition,
  latenessSeconds: number,
  more: Partial<SourceTaskOptions> = {},
): SourceTask {
  const { definition = SOURCE_DEFINITION } = more;
  return new SourceTask({
    definition,
    hmacKey: undefined,
    settings: {
      topic: "theirs",
      idleAfterSeconds: IDLE_SECONDS,
      aheadSeconds: 60,
      acceptsGaps: false,
    },
    source,
    parameters: {
      partitions: 1,
      features: HANDBOOK_FEATURES,
      latenessSeconds,
      maxGapSeconds: 400 * 86_400,
      dedupeSeconds: latenessSeconds,
      definition: recordedDefinition(definition),
    },
    position,
    signal: new AbortController().signal,
    clock: {
      now: () => source.now,
      sleep: () => Promise.resolve(),
      random: () => 0,
    },
    timeOfDay: () => T0 + 1e9,
    ...more,
  });
}

function positionIn({ appends }: Step): SourcePosition | undefined {
  const [json] = valuesTo(appends, CONTROL_TOPIC);
  return json === undefined ? undefined : JSON.parse(json);
}

/** The rule, on plain lists: what is taken at a moment, in order. */
class PlainMerge {
  readonly offsets: number[];
  readonly #arrivals: Arrivals;
  readonly #lateness: number;
  readonly #reached: number[];
  // How many records there were at the last look, and since which look.
  #quiet: { length: number; now: number }[] = [];
  #newest = -Infinity;

  constructor(arrivals: Arrivals, lateness: number) {
    this.#arrivals = arrivals;
    this.#lateness = lateness;
    this.offsets = arrivals.map(() => 0);
    this.#reached = arrivals.map(() => -Infinity);
  }

  restart(): void {
    this.#quiet = [];
  }

  take(now: number): string[] {
    const there = this.#arrivals.map((all) => all.filter((r) => r.at <= now));
    const out: string[] = [];
    const isIdle = there.map(({ length }, p) => {
      if (this.#quiet[p]?.length !== length) this.#quiet[p] = { length, now };
      return now - this.#quiet[p].now >= 1000 * IDLE_SECONDS;
    });
    for (;;) {
      for (const [p, records] of there.entries()) {
        while (records[this.offsets[p]]?.time === null) {
          out.push(`${p}/${this.offsets[p]++} not JSON`);
        }
      }
      const heads = there.map((records, p) => records[this.offsets[p]]?.time);
      const oldest = Math.min(...heads.map((time) => time ?? Infinity));
      if (oldest === Infinity) return out;
      const holds = heads.some((time, p) => {
        const limit = this.#reached[p] + Math.floor(this.#lateness / 2);
        const isBehind = limit < this.#newest;
        return time === undefined && !isIdle[p] && !isBehind && limit < oldest;
      });
      if (holds) return out;
      const p = heads.findIndex((time) => time === oldest);
      const isLate = oldest < this.#newest - this.#lateness;
      out.push(`${p}/${this.offsets[p]++}${isLate ? " late" : ""}`);
      this.#reached[p] = Math.max(this.#reached[p], oldest);
      if (!isLate) this.#newest = Math.max(this.#newest, oldest);
    }
  }
}

/** Random partitions: in order but for some disorder, with delays, and pauses longer than anybody waits. */
function randomArrivals(
  random: () => number,
  { disorder, pauses }: { disorder: number; pauses: boolean },
): Arrivals {
  return Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
    const speed = 1 + random() * 200;
    let time = Math.floor(random() * 500);
    let at = random() < 0.5 ? 0 : random() * 5000;
    return Array.from({ length: Math.floor(random() * 40) }, () => {
      time += Math.floor(random() * speed);
      at += random() < 0.5 ? 0 : random() * 4000;
      if (pauses && random() < 0.05) at += 40_000 * random();
      const isGarbage = pauses && random() < 0.05;
      const late = Math.floor(random() * disorder);
      return { time: isGarbage ? null : Math.max(0, time - late), at };
    });
  });
}

Deno.test("the merge is that of plain lists, whatever the delays, pages, idle partitions and crashes", async () => {
  await forEachSeed(400, 20_000, async (seed) => {
    const random = chance(seed);
    const lateness = Math.floor(random() * 1000);
    const disorder = random() * 2 * lateness;
    const arrivals = randomArrivals(random, { disorder, pauses: true });
    const source = new FakeSource(
      arrivals,
      () => 1 + Math.floor(random() * 10),
    );
    const plain = new PlainMerge(arrivals, lateness);
    let position = firstPosition(arrivals.length);
    let task = open(source, position, lateness);
    const seen: string[] = [];
    while (source.now < 600_000) {
      source.now += Math.floor(random() * 9000);
      const step = await task.step(emptyBatch(0));
      if (random() < 0.1) { // killed before the commit
        plain.restart();
        task = open(source, position, lateness);
        continue;
      }
      const expected = plain.take(source.now);
      assert.deepEqual(outcomes(step).sort(), [...expected].sort());
      assert.deepEqual(
        valuesTo(step.appends, TRANSACTION_TOPIC).length,
        expected.filter((text) => !text.includes(" ")).length,
      );
      const paid = expected.filter((text) => !text.includes(" "));
      assert.deepEqual(outcomes(step).slice(0, paid.length), paid);
      position = positionIn(step) ?? position;
      seen.push(...expected);
      if (random() < 0.05) {
        plain.restart();
        task = open(source, position, lateness);
      }
    }
    const all = arrivals.flatMap((records, p) =>
      records.map((_, offset) => `${p}/${offset}`)
    );
    assert.deepEqual(seen.map((text) => text.split(" ")[0]).sort(), all.sort());
    const { counters, offsets } = position;
    assert.deepEqual(offsets, arrivals.map(({ length }) => length));
    assert.equal(counters.read, all.length);
    assert.equal(counters.emitted + counters.deadLettered, counters.read);
  });
});

Deno.test("nothing is late while no partition is idle and each is in order to within half the lateness", async () => {
  await forEachSeed(200, 10_000, async (seed) => {
    const random = chance(seed);
    const lateness = Math.floor(random() * 1000);
    const arrivals = randomArrivals(random, {
      disorder: lateness / 2,
      pauses: false,
    });
    const source = new FakeSource(arrivals, () => 1 + Math.floor(random() * 9));
    const task = open(source, firstPosition(arrivals.length), lateness);
    // Each partition's last record is followed by none: they are then idle
    // together, and none comes back.
    let newest = -Infinity;
    while (source.now < 400_000) {
      source.now += Math.floor(random() * 5000);
      const { appends } = await task.step(emptyBatch(0));
      assert.deepEqual(valuesTo(appends, DEAD_LETTER_TOPIC), []);
      for (const json of valuesTo(appends, TRANSACTION_TOPIC)) {
        const { TX_TIME_SECONDS: time } = JSON.parse(json);
        assert.ok(time >= newest - lateness, `${time} after ${newest}`);
        newest = Math.max(newest, time);
      }
    }
  });
});

Deno.test("a backlog in order is merged into one order", async () => {
  await forEachSeed(50, 2000, async (seed) => {
    const random = chance(seed);
    const arrivals = randomArrivals(random, { disorder: 0, pauses: false })
      .map((records) => records.map((record) => ({ ...record, at: 0 })));
    const source = new FakeSource(arrivals, () => 1 + Math.floor(random() * 9));
    const task = open(source, firstPosition(arrivals.length), 600);
    const times: number[] = [];
    for (source.now = 0; source.now <= 40_000; source.now += 10_000) {
      const { appends } = await task.step(emptyBatch(0));
      for (const json of valuesTo(appends, TRANSACTION_TOPIC)) {
        times.push(JSON.parse(json).TX_TIME_SECONDS);
      }
    }
    assert.deepEqual(
      times,
      arrivals.flat().map(({ time }) => time).sort((a, b) =>
        Number(a) - Number(b)
      ),
    );
  });
});

/** The dead letters of what one partition holds, taken at once. */
async function lettersOf(
  values: readonly string[],
  more: Partial<SourceTaskOptions> = {},
): Promise<DeadLetter[]> {
  const arrivals = values.map((value) => ({ time: 0, at: 0, value }));
  const source = new FakeSource([arrivals]);
  const task = open(source, firstPosition(1), 60, more);
  const { appends } = await task.step(emptyBatch(0));
  return valuesTo(appends, DEAD_LETTER_TOPIC).map((json) => JSON.parse(json));
}

Deno.test("a record that is no payment is a dead letter of its own topic, with the reason", async () => {
  const valid = (changes: object) =>
    JSON.stringify({ ...JSON.parse(valueOf(0, 7, 100)), ...changes });
  const letters = await lettersOf([
    "[1]",
    "",
    "\u0000\u0000\u0000\u0000\u0001" + valid({ eur: "1.234" }),
    "\u0000\u0000\u0000\u0000\u0001Avro",
    valid({ at: "yesterday" }),
    valid({ eur: -1 }),
    valid({}),
    valid({ at: T0 + 2e9 }),
    valid({ at: T0 + 9e8 }),
    valid({ at: T0 - 1 }),
    `{"memo":"${"x".repeat(70_000)}"}`,
  ]);
  assert.deepEqual(
    letters.map(({ topic, offset, reason }) => [topic, offset, reason]),
    [
      ["theirs", 0, "not JSON"],
      ["theirs", 1, "not JSON"],
      ["theirs", 2, "not whole minor units"],
      ["theirs", 3, "not JSON"],
      ["theirs", 4, "invalid time"],
      ["theirs", 5, "negative amount"],
      ["theirs", 7, "implausible"],
      ["theirs", 8, "implausible"],
      ["theirs", 9, "out of range"],
      ["theirs", 10, "out of range"],
    ],
  );
  assert.match(letters[3].message, /Avro and Protobuf cannot be read$/);
  assert.match(letters[6].message, /\(--ahead\) ahead of the clock/);
  assert.match(letters[8].message, /before the stream's first day, 2024-01-01/);
});

Deno.test("one wrong time, first or last of its partition, neither begins the stream nor stops it", async () => {
  const YEAR = 365 * 86_400;
  const good = Array.from({ length: 20 }, (_, i) => 1000 + 60 * i);
  for (const wrong of [-50 * YEAR, -3 * YEAR, 2 * YEAR, 30 * YEAR]) {
    for (const [first, second] of [[1, 0], [0, 1], [20, 0], [0, 20]]) {
      const times = [good.toSpliced(first, 0, wrong), good];
      times[1] = second > 0 ? good.toSpliced(second, 0, wrong) : good;
      const arrivals = times.map((all) => all.map((time) => ({ time, at: 0 })));
      const source = new FakeSource(arrivals, () => 25);
      const position = { ...firstPosition(2), startSeconds: null };
      const task = open(source, position, 600);
      const found: string[] = [];
      for (source.now = 0; source.now <= 80_000; source.now += 40_000) {
        const step = await task.step(emptyBatch(0));
        found.push(...outcomes(step));
        const { startSeconds } = positionIn(step) ?? {};
        assert.equal(startSeconds ?? T0, T0);
      }
      const what = `${wrong / YEAR} years off at ${first} and ${second}`;
      const letters = found.filter((text) => text.includes(" "));
      const reason = wrong < 0 ? "out of range" : "implausible";
      assert.deepEqual(
        letters.toSorted(),
        [`0/${first} ${reason}`, `1/${second} ${reason}`].slice(
          0,
          letters.length,
        ),
        what,
      );
      assert.equal(letters.length, second > 0 ? 2 : 1, what);
      assert.equal(found.length - letters.length, 40, what);
    }
  }
});

Deno.test("firstInCompany() is the first of times that are not alone", () => {
  assert.equal(firstInCompany([], 10), undefined);
  assert.equal(firstInCompany([7], 10), 7);
  assert.equal(firstInCompany([0, 100, 105], 10), 100);
  assert.equal(firstInCompany([105, 100, 3, 0], 10), 0);
  assert.equal(firstInCompany([0, 100], 10), 100);
  const many = Array.from({ length: 300 }, (_, i) => 1000 + i);
  assert.equal(firstInCompany([0, 1, 2, ...many], 10), 1000);
  const tenth = many.slice(0, 34).map((time) => time - 500);
  assert.equal(firstInCompany([...many, ...tenth], 10), 500);
});

Deno.test("dead letters hold nothing of what a pseudonym replaces", async () => {
  const hmacKey = new Uint8Array(32);
  const values = ['{"card":"4711"}', '{"card":"4711"'];
  const letters = await lettersOf(values, { definition: SECRET, hmacKey });
  assert.deepEqual(
    letters.map(({ reason, key, value }) => [reason, key, value]),
    [["missing field", "", ""], ["not JSON", "", ""]],
  );
  assert.doesNotMatch(JSON.stringify(letters), /4711/);
});

Deno.test("a partition that comes later is taken from its beginning", async () => {
  const arrivals = [[{ time: 10, at: 0 }], [{ time: 20, at: 0 }]];
  const source = new FakeSource(arrivals.slice(0, 1));
  const task = open(source, firstPosition(1), 60);
  assert.deepEqual(outcomes(await task.step(emptyBatch(0))), ["0/0"]);
  const wider = Object.assign(source, {
    endOffsets: () => Promise.resolve([1, 1]),
    there: (p: number) => arrivals[p],
  });
  assert.equal(wider, source);
  const step = await task.step(emptyBatch(0));
  assert.deepEqual(outcomes(step), ["1/0"]);
  assert.deepEqual(positionIn(step)?.offsets, [1, 1]);
});

Deno.test("records that were deleted before they were read are missed, unless that is accepted", async () => {
  const arrivals = [Array.from({ length: 9 }, (_, i) => ({ time: i, at: 0 }))];
  const gone = (source: FakeSource) =>
    Object.assign(source, {
      read: (_topic: string, _partition: number, offset: number) => {
        const from = Math.max(offset, 5);
        return Promise.resolve(
          batchOf(
            [5, 6, 7, 8].map((i) => valueOf(0, i, i)).slice(from - 5),
            from,
          ),
        );
      },
      topics: () =>
        Promise.resolve([{
          name: "theirs",
          partitions: 1,
          compacted: false,
          startOffsets: [5],
          endOffsets: [9],
        }]),
    });
  const strict = open(gone(new FakeSource(arrivals)), firstPosition(1), 60);
  await assert.rejects(
    async () => await strict.step(emptyBatch(0)),
    /from offset 0 to 5 were deleted before they were read; --accept-missing/,
  );
  const task = open(gone(new FakeSource(arrivals)), firstPosition(1), 60, {
    settings: {
      topic: "theirs",
      idleAfterSeconds: IDLE_SECONDS,
      aheadSeconds: 60,
      acceptsGaps: true,
    },
  });
  const step = await task.step(emptyBatch(0));
  assert.deepEqual(outcomes(step), ["0/5", "0/6", "0/7", "0/8"]);
});

Deno.test("a topic that was created again is refused", async () => {
  const source = new FakeSource([[{ time: 1, at: 0 }]]);
  const task = open(source, { ...firstPosition(1), offsets: [2] }, 60);
  await assert.rejects(
    async () => await task.step(emptyBatch(0)),
    /theirs was deleted and created again/,
  );
});

Deno.test("the fields that the definition does not name travel along, with all digits", async () => {
  const value = valueOf(0, 0, 5).replace(
    "}",
    ',"big":12345678901234567890,"a":{"b":[1]}}',
  );
  const source = new FakeSource([[{ time: 5, at: 0, value }]]);
  const { appends } = await open(source, firstPosition(1), 60).step(
    emptyBatch(0),
  );
  assert.deepEqual(valuesTo(appends, TRANSACTION_TOPIC), [
    '{"TRANSACTION_ID":0,"TX_DATETIME":"2024-01-01 00:00:05",' +
    '"CUSTOMER_ID":0,"TERMINAL_ID":1,"TX_AMOUNT":1.5,"TX_TIME_SECONDS":5,' +
    '"TX_TIME_DAYS":0,"TX_FRAUD":0,' +
    '"big":12345678901234567890,"a":{"b":[1]}}',
  ]);
});
