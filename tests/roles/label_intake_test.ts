/**
 * The label intake: what is said about payments reaches their cards' partitions
 * once, whatever is lost, repeated, reordered, unknown or not stored yet, and
 * the features are what the rule of label_windows.ts says of it.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime, parseDatetime } from "../../src/payment/calendar.ts";
import { FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import { DAY_SECONDS, type TransactionId } from "../../src/payment/payment.ts";
import { type IntakeStore, labelIntake } from "../../src/roles/label_intake.ts";
import { labelStage } from "../../src/roles/label_writer.ts";
import { writerStage } from "../../src/roles/writer.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { requeue } from "../../src/stream/requeue.ts";
import { runStage } from "../../src/stream/stage.ts";
import { readStatus } from "../../src/stream/status.ts";
import { LABEL_TOPIC, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import { chance, forEachSeed } from "../long.ts";
import {
  cardText,
  idText,
  TEXT_LABEL_DEFINITION,
  textRecord,
} from "../stream/text_stream.ts";
import { compareLabels, type SourceEntry } from "./label_oracle.ts";
import { type OpenFolder, openMemory, parametersOf } from "./pipeline.ts";
import {
  appendPayments,
  handbookRecord,
  hideDeleted,
  partitionsOf,
  paymentAt,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";

const MAX_GAP_DAYS = 60;

function parametersFor(isText: boolean, partitions = 2): StreamParameters {
  const parameters = parametersOf(partitions);
  return {
    ...parameters,
    partitioner: "murmur2",
    maxGapSeconds: MAX_GAP_DAYS * DAY_SECONDS,
    features: {
      ...parameters.features,
      windowDays: [1, 4],
      delayDays: 3,
      graceSeconds: DAY_SECONDS,
    },
    ...isText ? { definition: TEXT_LABEL_DEFINITION } : {},
  };
}

/** Publishes payments of cards, each in its card's partition. */
class Publisher {
  readonly #log: EmbeddedLog;
  readonly #isText: boolean;
  readonly #partitioner: IdPartitioner;

  constructor(log: EmbeddedLog, isText: boolean, partitions = 2) {
    this.#log = log;
    this.#isText = isText;
    this.#partitioner = new IdPartitioner(partitions, "murmur2");
  }

  async publish(
    transactionId: number,
    time: number,
    customerId = transactionId % 7,
  ): Promise<void> {
    const key = new TextEncoder().encode(cardText(customerId));
    const partition = this.#isText
      ? this.#partitioner.partitionOfText(key)
      : this.#partitioner.partition(customerId);
    const terminalId = transactionId % 3;
    const payment = paymentAt(time, { transactionId, customerId, terminalId });
    const record = this.#isText ? textRecord : handbookRecord;
    await appendPayments(this.#log, partition, [payment], record);
  }
}

/** Appends what is said to a partition of the label topic. */
async function say(
  log: EmbeddedLog,
  partition: number,
  said: readonly unknown[],
): Promise<void> {
  const records = new RecordBatchBuilder();
  for (const value of said) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    records.endKey();
    records.writer.bytes(new TextEncoder().encode(text));
    records.endRecord(0);
  }
  const producer = await log.producer("labels");
  await producer.append([{ topic: LABEL_TOPIC, partition, records }]);
}

/** The pipeline's stages, and the intake. */
async function openStages(
  { log, store }: OpenFolder,
  parameters: StreamParameters,
) {
  const options = { startSeconds: START_SECONDS };
  const open = StageDriver.open;
  return {
    customers: await StageDriver.customers(log, parameters),
    terminals: await StageDriver.terminals(log, parameters),
    writer: await open(
      log,
      parameters,
      (context) => writerStage(context, { ...options, store }),
    ),
    labels: await open(
      log,
      parameters,
      (context) => labelStage(context, { ...options, store: store.labels() }),
    ),
    intake: await open(
      log,
      parameters,
      (context) => labelIntake(context, store),
    ),
  };
}

/** Drains the stages behind the intake, one after the other, twice: a stage may wait for the other partition. */
async function drain(
  { customers, terminals, writer, labels }: Record<
    "customers" | "terminals" | "writer" | "labels",
    StageDriver
  >,
): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    for (const stage of [customers, terminals, writer, labels]) {
      await stage.drain([0, 1]);
    }
  }
}

const idOf = (id: number, isText: boolean): TransactionId =>
  isText ? idText(id) : id;

/** A label as it was said; times as TX_TIME_SECONDS. */
interface SaidEntry {
  readonly id: number;
  readonly fraud: number | null;
  /** KNOWN_AT, an odd second; undefined where it is not said. */
  readonly known: number | undefined;
  /** What becomes of it. */
  readonly becomes: "a label" | "a letter" | "either";
}

const PAYMENTS = 60;
const LABELS = 60;

/** A label stream and what is said about its payments, at random times. */
class RandomStream {
  readonly said: SaidEntry[][];
  readonly times: number[] = [];
  readonly #random: () => number;
  readonly #cards: number;
  readonly #stepSeconds: number;
  #time = 0;
  #labels = 0;

  constructor(seed: number, partitions: number) {
    this.#random = chance(seed);
    this.said = Array.from({ length: partitions }, () => []);
    // Few cards leave partitions without payments.
    this.#cards = 1 + this.below(7);
    this.#stepSeconds = [2000, 20_000][this.below(2)];
  }

  below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  get isOver(): boolean {
    return this.times.length === PAYMENTS && this.#labels >= LABELS;
  }

  /** Publishes the next payment; even seconds, a little out of order. */
  async publish(publisher: Publisher): Promise<void> {
    const id = this.times.length;
    if (id === PAYMENTS) return;
    this.#time += 2 * this.below(this.#stepSeconds / 2);
    const back = this.below(3) === 0 ? 2 * this.below(1800) : 0;
    const time = Math.max(0, this.#time - back);
    this.times.push(time);
    await publisher.publish(id, time, this.below(this.#cards));
  }

  /** Says something about a payment that is published, will be, or never is; and again; or what says nothing. */
  async say(log: EmbeddedLog, isText: boolean): Promise<void> {
    if (this.#labels >= LABELS) return;
    const id = this.below(Math.min(PAYMENTS + 6, this.times.length + 12));
    const partition = id % this.said.length;
    const days = this.below(20) === 0 ? MAX_GAP_DAYS + 20 : this.below(5);
    const time = this.times[id] ?? this.#time;
    const known = this.below(3) === 0
      ? undefined
      // Unique, so that each can be found again.
      : time + days * DAY_SECONDS + 200 * this.below(100) +
        2 * this.#labels + 1;
    const fraud = [1, 1, 0, null][this.below(4)];
    const isReadable = this.below(20) > 0;
    const becomes = !isReadable || id >= PAYMENTS
      ? "a letter"
      : id < this.times.length
      ? "a label"
      : "either";
    const record = isReadable
      ? {
        TRANSACTION_ID: idOf(id, isText),
        [["TX_FRAUD", "LABEL"][this.below(2)]]: fraud,
        KNOWN_AT: known && formatDatetime(START_SECONDS + known),
        REASON: "chargeback",
      }
      : ["no JSON", { TRANSACTION_ID: idOf(id, isText), TX_FRAUD: "maybe" }][
        this.below(2)
      ];
    const times = this.below(6) === 0 ? 2 : 1;
    await say(log, partition, Array(times).fill(record));
    const entry = { id, fraud, known, becomes } as const;
    this.said[partition].push(...Array(times).fill(entry));
    this.#labels += times;
  }
}

/** The objects in a topic, by partition in the order of the log. */
async function objectsOf(
  log: EmbeddedLog,
  topic: string,
): Promise<Record<string, unknown>[][]> {
  return (await topicRecords(log, topic)).map((records) =>
    records.map(({ value }) => JSON.parse(value))
  );
}

const secondsOf = (datetime: unknown) =>
  (parseDatetime(String(datetime)) ?? NaN) - START_SECONDS;

/** A record of transaction_topic, for the oracle of the stages; `newest` is the greatest time of the payments that there were when it was appended. */
function sourceEntry(
  object: Record<string, unknown>,
  newest: number,
): SourceEntry {
  const { TRANSACTION_ID, TX_TIME_SECONDS, TX_FRAUD, KNOWN_AT } = object;
  const payment = {
    transactionId: TRANSACTION_ID as TransactionId,
    timeSeconds: Number(TX_TIME_SECONDS),
    fraud: typeof TX_FRAUD === "number" ? TX_FRAUD : FRAUD_UNKNOWN,
  };
  return KNOWN_AT === undefined
    ? { payment }
    : { payment, known: secondsOf(KNOWN_AT), newest };
}

/** Compares what the intake has appended with what was said. */
async function compareSaid(
  log: EmbeddedLog,
  stream: RandomStream,
  isText: boolean,
): Promise<{ emitted: number; deadLettered: number }> {
  const letters = new Set<string>();
  for await (const letter of readDeadLetters(log)) {
    if (letter.topic !== LABEL_TOPIC) continue;
    const place = `${letter.partition}/${letter.offset}`;
    assert.ok(!letters.has(place), `two letters of ${place}`);
    letters.add(place);
  }
  const records = (await objectsOf(log, TRANSACTION_TOPIC)).flat();
  const labels = records.filter(({ KNOWN_AT }) => KNOWN_AT !== undefined);
  let emitted = 0;
  const expected = new Map<TransactionId, SaidEntry[]>();
  for (const [partition, said] of stream.said.entries()) {
    for (const [offset, entry] of said.entries()) {
      const isLetter = letters.has(`${partition}/${offset}`);
      const { becomes } = entry;
      if (becomes !== "either") {
        assert.equal(isLetter ? "a letter" : "a label", becomes);
      }
      if (isLetter) continue;
      const id = idOf(entry.id, isText);
      expected.set(id, [...expected.get(id) ?? [], entry]);
      emitted++;
    }
  }
  assert.equal(labels.length, emitted);
  const newest = Math.max(...stream.times);
  for (const [id, said] of expected) {
    const found = labels.filter((label) => label.TRANSACTION_ID === id);
    const payment = records.find(({ TRANSACTION_ID, KNOWN_AT }) =>
      TRANSACTION_ID === id && KNOWN_AT === undefined
    );
    assert.ok(payment);
    const { entry: _, TX_FRAUD, TX_FRAUD_SCENARIO, ...fields } = payment;
    assert.deepEqual([TX_FRAUD, TX_FRAUD_SCENARIO], [0, 0]);
    for (const [n, label] of found.entries()) {
      const { TX_FRAUD: fraud, TX_FRAUD_SCENARIO, KNOWN_AT, ...more } = label;
      assert.deepEqual(more, fields);
      assert.equal(TX_FRAUD_SCENARIO, 0);
      assert.equal(fraud, said[n].fraud);
      const known = secondsOf(KNOWN_AT);
      if (said[n].known !== undefined) {
        assert.equal(known, said[n].known);
        continue;
      }
      // The time of a payment, which is not before its own.
      assert.ok(stream.times.includes(known), `${KNOWN_AT}`);
      assert.ok(known >= Number(payment.TX_TIME_SECONDS) && known <= newest);
    }
    assert.equal(found.length, said.length);
  }
  return { emitted, deadLettered: letters.size };
}

/** Compares what the store says of each payment with the newest of its accepted labels. */
async function compareStored(
  { log, store }: OpenFolder,
  isText: boolean,
): Promise<void> {
  const accepted = await objectsOf(log, "transaction_label_topic");
  const newest = new Map<TransactionId, Record<string, unknown>>();
  for (const label of accepted.flat()) {
    const id = label.TRANSACTION_ID as TransactionId;
    const before = newest.get(id);
    if (before && String(before.KNOWN_AT) > String(label.KNOWN_AT)) continue;
    newest.set(id, label);
  }
  const ids = [...newest.keys()].sort((a, b) =>
    isText ? (a < b ? -1 : 1) : Number(a) - Number(b)
  );
  const found = await store.labels().newest(ids);
  assert.deepEqual(
    ids.map((id) => [id, found.get(id)?.fraud]),
    ids.map((id) => [id, newest.get(id)?.TX_FRAUD ?? undefined]),
  );
}

/** Gives up a partition of the intake: its commit is lost, moved by another program, or a step was not committed. */
async function disturb(
  intake: StageDriver,
  partition: number,
  below: (n: number) => number,
): Promise<void> {
  const what = below(4);
  if (what === 0) await intake.lose(partition);
  if (what === 1) await intake.damage(partition, below(9), "another's");
  await intake.reopen(partition);
}

async function runRandomly(seed: number): Promise<void> {
  const isText = seed % 2 === 0;
  const partitions = 1 + seed % 3;
  const parameters = parametersFor(isText, partitions);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  hideDeleted(log);
  const stages = await openStages(folder, parameters);
  const { customers, terminals, writer, labels, intake } = stages;
  const behind = [customers, terminals, writer, labels];
  const publisher = new Publisher(log, isText, partitions);
  const stream = new RandomStream(seed, partitions);
  const below = (n: number) => stream.below(n);
  // Of each partition, the greatest time published when a record was there.
  const newest: number[][] = Array.from({ length: partitions }, () => []);
  const look = async () => {
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
    const now = Math.max(0, ...stream.times);
    for (const [partition, end] of ends.entries()) {
      while (newest[partition].length < end) newest[partition].push(now);
    }
  };
  let taking: Promise<unknown> | undefined;
  let failed: unknown;
  const isDone = async () => {
    if (!stream.isOver || taking) return false;
    for (const stage of [...behind, intake]) {
      if (!await stage.done()) return false;
    }
    return true;
  };
  while (!await isDone()) {
    if (failed) throw failed;
    const act = below(10);
    const partition = below(partitions);
    if (act < 2) await stream.publish(publisher);
    else if (act < 4) await stream.say(log, isText);
    else if (act < 9) await behind[below(4)].step(partition, 1 + below(40));
    else if (!taking) {
      if (below(4) === 0) await disturb(intake, partition, below);
      // It may wait for the others.
      taking = intake.step(partition, 1 + below(20))
        .then(look)
        .catch((error) => failed = error)
        .finally(() => taking = undefined);
    }
    if (taking) await setImmediate();
  }
  const objects = await objectsOf(log, TRANSACTION_TOPIC);
  const sources = objects.map((some, partition) =>
    some.map((object, offset) =>
      sourceEntry(object, newest[partition][offset] ?? Infinity)
    )
  );
  await compareLabels(log, parameters, sources, { customers, terminals });
  const counted = await compareSaid(log, stream, isText);
  await compareStored(folder, isText);
  const { read, emitted, deadLettered } = await intake.counters();
  assert.deepEqual({ emitted, deadLettered }, counted);
  assert.equal(read, stream.said.flat().length);
  assert.equal(partitionsOf(parameters).length, partitions);
}

Deno.test("what is said about payments at any time counts once and as the rule says, whatever is lost or comes before its payment", async () => {
  await forEachSeed(12, 3000, (seed) => runRandomly(seed));
});

Deno.test("a label without KNOWN_AT is known at the stream's newest payment, and has all fields of its payment", async () => {
  const parameters = parametersFor(true);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  const stages = await openStages(folder, parameters);
  const { intake } = stages;
  const publisher = new Publisher(log, true);
  for (let id = 0; id < 20; id++) await publisher.publish(id, 1000 * id);
  await drain(stages);
  await say(log, 0, [
    { TRANSACTION_ID: idText(3), TX_FRAUD: 1, REASON: "chargeback" },
    { TRANSACTION_ID: idText(99), TX_FRAUD: 1 },
  ]);
  await intake.drain([0, 1]);
  const values = await valuesOfTopic(log, TRANSACTION_TOPIC);
  const labels = values.filter((json) => json.includes("KNOWN_AT"));
  const said = paymentAt(3000, { transactionId: 3, customerId: 3 });
  const [, value] = textRecord(said);
  const { entry: _, ...payment } = JSON.parse(value);
  assert.deepEqual(labels.map((json) => JSON.parse(json)), [{
    ...payment,
    TX_FRAUD: 1,
    KNOWN_AT: formatDatetime(START_SECONDS + 19_000),
  }]);
  const [letter] = await Array.fromAsync(readDeadLetters(log));
  assert.equal(letter.reason, "unknown payment");
  assert.match(letter.message, /no payment with TRANSACTION_ID 1000000000/);
});

Deno.test("a label of an unknown payment is a dead letter that counts when it is requeued after the payment", async () => {
  const parameters = parametersFor(true);
  await using folder = await openMemory(parameters);
  const { log, context: { control } } = folder;
  const stages = await openStages(folder, parameters);
  const publisher = new Publisher(log, true);
  await publisher.publish(0, 0);
  await drain(stages);
  const said = { TRANSACTION_ID: idText(1), TX_FRAUD: 1, REASON: "stolen" };
  await say(log, 1, [said, { ...said, TX_FRAUD: "perhaps" }]);
  const { intake } = stages;
  const statusOf = async () => {
    const { stages, deadLetters } = await readStatus(log, control);
    const row = stages.find(({ name }) => name === "label intake");
    return { lag: row?.lag, read: row?.counters.read, deadLetters };
  };
  assert.deepEqual(await statusOf(), { lag: 2, read: 0, deadLetters: 0 });
  await intake.drain([0, 1]);
  assert.deepEqual(await statusOf(), { lag: 0, read: 2, deadLetters: 2 });
  await publisher.publish(1, 1000);
  await drain(stages);
  const [letter, bad] = await Array.fromAsync(readDeadLetters(log));
  assert.match(bad.message, /"perhaps" is none of 1, true, yes/);
  const again = "refuse" as const;
  const options = { log, control, parameters, again };
  await assert.rejects(
    requeue({ ...options, letter: bad, json: JSON.stringify({}) }),
    /TRANSACTION_ID is missing/,
  );
  const json = JSON.stringify(said);
  const place = await requeue({ ...options, letter, json });
  assert.deepEqual(place, { topic: LABEL_TOPIC, partition: 1, fromOffset: 2 });
  await assert.rejects(
    requeue({ ...options, letter, json }),
    /was requeued already/,
  );
  await intake.drain([0, 1]);
  await drain(stages);
  const found = await folder.store.labels().newest([idText(1)]);
  assert.equal(found.get(idText(1))?.fraud, 1);
  assert.deepEqual(await statusOf(), { lag: 0, read: 3, deadLetters: 2 });
});

/** What runs until it is stopped, and how it ends. */
async function stopped(
  folder: OpenFolder,
  parameters: StreamParameters,
  store: IntakeStore,
  until: Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const context = { ...folder.context, parameters, signal };
  const running = runStage(context, labelIntake(context, store));
  await Promise.race([until, running]);
  stop.abort();
  await assert.rejects(running, (error) => error === signal.reason);
}

Deno.test("the intake stops while the store does not answer, and while payments are not stored", async () => {
  const parameters = parametersFor(false);
  await using folder = await openMemory(parameters);
  const { log, store } = folder;
  await new Publisher(log, false).publish(1, 1000);
  await say(log, 0, [{ TRANSACTION_ID: 1, TX_FRAUD: 1 }]);
  const asked = Promise.withResolvers<void>();
  const hanging: IntakeStore = {
    lookUp: () => ({
      payment: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    }),
    positions: () => store.positions(),
  };
  await stopped(folder, parameters, hanging, asked.promise);
  const looked = Promise.withResolvers<void>();
  const lookUp = store.lookUp();
  const empty: IntakeStore = {
    lookUp: () => ({
      payment: async (id) => {
        setTimeout(looked.resolve);
        return await lookUp.payment(id);
      },
    }),
    positions: () => store.positions(),
  };
  await stopped(folder, parameters, empty, looked.promise);
  // Nothing was said about the label: the next intake takes it.
  assert.deepEqual(await Array.fromAsync(readDeadLetters(log)), []);
  const { intake, ...behind } = await openStages(folder, parameters);
  await drain(behind);
  await intake.drain([0, 1]);
  await drain(behind);
  assert.equal((await store.labels().newest([1])).get(1)?.fraud, 1);
});

Deno.test("a payment that an older copy of the store lacks is waited for", async () => {
  const parameters = parametersFor(false);
  await using folder = await openMemory(parameters);
  const { log, store } = folder;
  await new Publisher(log, false).publish(1, 1000);
  const { customers, terminals, writer, labels } = await openStages(
    folder,
    parameters,
  );
  await drain({ customers, terminals, writer, labels });
  await say(log, 0, [{ TRANSACTION_ID: 1, TX_FRAUD: 1 }]);
  // The writer's commit says that all is stored; the copy knows better.
  let looks = 0;
  const lookUp = store.lookUp();
  const older: IntakeStore = {
    lookUp: () => ({
      payment: async (id) => looks < 2 ? undefined : await lookUp.payment(id),
    }),
    positions: async () =>
      (await store.positions()).map((position) =>
        ++looks < 3 ? { ...position, next: 0 } : position
      ),
  };
  const intake = await StageDriver.open(
    log,
    parameters,
    (context) => labelIntake(context, older),
  );
  await intake.drain([0, 1]);
  assert.equal((await intake.counters()).emitted, 1);
});
