/**
 * Labels that arrive later, against the rule in its plainest form: every label
 * of the log so far is looked at for every payment.
 */
import assert from "node:assert/strict";
import {
  CustomerOperator,
  TerminalOperator,
} from "../../src/features/feature_operator.ts";
import {
  type ArrivedLabel,
  type LabelLayout,
  LabelWindows,
} from "../../src/features/label_windows.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { IdDigests } from "../../src/features/id_digest.ts";
import { SlidingWindows } from "../../src/features/sliding_windows.ts";
import { DAY_SECONDS, emptyPayment } from "../../src/payment/payment.ts";
import { UNLABELLED_SHAPE } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { chance, forEachSeed } from "../long.ts";
import { StatePieces } from "./state_pieces.ts";

interface PaymentRecord {
  kind: "payment";
  id: number;
  key: number;
  time: number;
}

interface LabelRecord extends ArrivedLabel {
  kind: "label";
  key: number;
  transactionId: number;
}

/** What stands for an id that is a number. */
function digestOf(id: number): Int32Array {
  return Int32Array.of(id, Math.floor(id / 2 ** 32), 0, 0);
}

type LogRecord = PaymentRecord | LabelRecord;

/** The rule, over a log: of each payment, number and frauds of each window. */
function oracle(layout: LabelLayout, log: readonly LogRecord[]): number[][] {
  const { windowSeconds, delaySeconds, graceSeconds } = layout;
  const payments: PaymentRecord[] = [];
  const labels = new Map<string, { label: LabelRecord; from: number }[]>();
  const rows: number[][] = [];
  let progress = 0;
  /** The label of a payment that holds at a time, of those in the log. */
  const isFraud = ({ id, key }: PaymentRecord, time: number) => {
    let known = -Infinity;
    let fraud = 0;
    for (const { label, from } of labels.get(`${key}/${id}`) ?? []) {
      if (from > time || label.knownSeconds < known) continue;
      known = label.knownSeconds;
      fraud = label.fraud;
    }
    return fraud;
  };
  for (const record of log) {
    if (record.kind === "label") {
      const from = Math.max(record.knownSeconds + graceSeconds, progress + 1);
      const name = `${record.key}/${record.transactionId}`;
      labels.set(name, [...labels.get(name) ?? [], { label: record, from }]);
      continue;
    }
    payments.push(record);
    progress = Math.max(progress, record.time);
    const end = record.time - delaySeconds;
    rows.push(windowSeconds.flatMap((length) => {
      const inside = payments.filter(({ key, time }) =>
        key === record.key && time <= end && time > end - length
      );
      const frauds = inside.filter((one) => isFraud(one, record.time));
      return [inside.length, frauds.length];
    }));
  }
  return rows;
}

/** The windows under test. */
class Windows {
  progress = 0;
  readonly labels: LabelWindows;
  readonly #payments: SlidingWindows;
  readonly #layout: LabelLayout;

  constructor(layout: LabelLayout, progress = 0) {
    const { windowSeconds, delaySeconds, slackSeconds } = layout;
    this.progress = progress;
    this.#layout = layout;
    this.labels = new LabelWindows(layout);
    this.#payments = new SlidingWindows({
      columns: ["flag"],
      groups: [{ lagSeconds: delaySeconds, windowSeconds, sum: "flag" }],
      slackSeconds,
      hasHint: false,
    });
  }

  /** Takes a record; returns what a payment sees. */
  take(record: LogRecord): number[] | undefined {
    if (record.kind === "label") {
      const id = digestOf(record.transactionId);
      this.labels.take(record.key, id, record, this.#payments, this.progress);
      return undefined;
    }
    const { key, time } = record;
    this.progress = Math.max(this.progress, time);
    const out = new Float64Array(2 * this.#layout.windowSeconds.length);
    this.#payments.add(key, time, 0, 0, this.progress);
    this.#payments.write(0, out, 0);
    this.labels.write(key, time, this.progress, out, 1);
    return [...out];
  }

  /** Another one that continues from the saved state. */
  reloaded(): Windows {
    const pieces = new StatePieces();
    this.#payments.save(pieces);
    this.labels.save(pieces);
    const loaded = new Windows(this.#layout, this.progress);
    loaded.#payments.load(pieces);
    loaded.labels.load(pieces);
    assert.ok(pieces.isAtEnd);
    return loaded;
  }
}

/** What a log leads to. */
function run(windows: Windows, log: readonly LogRecord[]): number[][] {
  return log.flatMap((record) => {
    const row = windows.take(record);
    return row ? [row] : [];
  });
}

/** A layout and a log of payments and labels as they may come: late, repeated, corrected, withdrawn, of unknown payments, after gaps. */
function randomLog(
  seed: number,
  length: number,
): { layout: LabelLayout; log: LogRecord[] } {
  const random = chance(seed);
  const upTo = (max: number) => Math.floor(random() * (max + 1));
  const layout = {
    windowSeconds: [[10, 70, 200], [30], [1, 5]][upTo(2)],
    delaySeconds: 1 + upTo(60),
    graceSeconds: upTo(40),
    slackSeconds: upTo(30),
  };
  const keys = 1 + upTo(3);
  const step = [0, 1, 5, 30][upTo(3)];
  const labelled = random();
  const log: LogRecord[] = [];
  const payments: PaymentRecord[] = [];
  const labels: LabelRecord[] = [];
  let progress = 0;
  while (log.length < length) {
    if (random() < 0.002) progress += upTo(500); // an idle partition
    if (payments.length === 0 || random() > labelled) {
      const isLate = random() < 0.3;
      const time = isLate
        ? Math.max(0, progress - upTo(layout.slackSeconds))
        : progress + upTo(step);
      progress = Math.max(progress, time);
      const id = payments.length === 0 ? 2 ** 33 : payments.length;
      const payment = { kind: "payment", id, key: upTo(keys), time } as const;
      payments.push(payment);
      log.push(payment);
      continue;
    }
    const repeated = labels[labels.length - 1 - upTo(20)];
    if (repeated && random() < 0.3) {
      log.push(
        random() < 0.5 ? repeated : {
          ...repeated,
          knownSeconds: repeated.knownSeconds + upTo(4) - 2,
          fraud: upTo(1) as 0 | 1,
        },
      );
      continue;
    }
    const reach = random() < 0.8 ? 40 : payments.length;
    const of = payments[Math.max(0, payments.length - 1 - upTo(reach))];
    const isUnknown = random() < 0.05;
    const early = random() < 0.5 ? 0 : upTo(60);
    const label: LabelRecord = {
      kind: "label",
      key: isUnknown ? 99 : of.key,
      transactionId: of.id,
      timeSeconds: of.time,
      knownSeconds: of.time + upTo(early),
      fraud: upTo(1) as 0 | 1,
    };
    labels.push(label);
    log.push(label);
  }
  return { layout, log };
}

/** Where a replay may begin: at the last record before which the greatest time lies behind everything in reach at the end. */
function replayStart(layout: LabelLayout, log: readonly LogRecord[]) {
  const { windowSeconds, delaySeconds, slackSeconds } = layout;
  const times = log.map((record) =>
    record.kind === "payment" ? record.time : 0
  );
  const end = Math.max(0, ...times);
  const horizon = end - slackSeconds - delaySeconds -
    Math.max(...windowSeconds);
  let start = { index: 0, progress: 0 };
  let progress = 0;
  for (const [index, time] of times.entries()) {
    if (progress >= horizon) break;
    start = { index, progress };
    progress = Math.max(progress, time);
  }
  return start;
}

Deno.test("LabelWindows see of labels what the rule says, whatever comes when", async () => {
  await forEachSeed(400, 20_000, (seed) => {
    const { layout, log } = randomLog(seed, 40 + seed % 160);
    assert.deepEqual(
      run(new Windows(layout), log),
      oracle(layout, log),
      JSON.stringify(layout),
    );
  });
});

Deno.test("LabelWindows continue the same from a saved state, and from a replay of the records in reach", async () => {
  await forEachSeed(150, 5_000, (seed) => {
    const { layout, log } = randomLog(seed, 300);
    const at = Math.floor(chance(seed + 1)() * log.length);
    const [before, after] = [log.slice(0, at), log.slice(at)];
    const windows = new Windows(layout);
    run(windows, before);
    const start = replayStart(layout, before);
    const replayed = new Windows(layout, start.progress);
    run(replayed, before.slice(start.index));
    const loaded = windows.reloaded();
    const expected = oracle(layout, log).slice(
      before.filter(({ kind }) => kind === "payment").length,
    );
    assert.deepEqual(run(loaded, after), expected, "saved");
    assert.deepEqual(run(replayed, after), expected, "replayed");
    assert.deepEqual(run(windows, after), expected, "live");
  });
});

Deno.test("LabelWindows agree with the rule for a key that is busy, and leave it again", () => {
  const random = chance(1);
  const layout = {
    windowSeconds: [500, 4000],
    delaySeconds: 300,
    graceSeconds: 50,
    slackSeconds: 20,
  };
  const log: LogRecord[] = [];
  for (let time = 0; time < 9_000; time += time < 4_000 ? 2 : 100) {
    log.push({ kind: "payment", id: time, key: 7, time });
    const of = Math.floor(time - random() * Math.min(time, 900));
    log.push({
      kind: "label",
      key: 7,
      transactionId: of,
      timeSeconds: of,
      knownSeconds: of + Math.floor(random() * 400),
      fraud: random() < 0.8 ? 1 : 0,
    });
  }
  const expected = oracle(layout, log);
  const busiest = Math.max(...expected.map(([, , , frauds]) => frauds));
  assert.ok(busiest > 600, `${busiest} frauds, in two events each`);
  let windows = new Windows(layout);
  const found = log.flatMap((record, at) => {
    if (at % 900 === 899) windows = windows.reloaded();
    return run(windows, [record]);
  });
  assert.deepEqual(found, expected);
});

Deno.test("LabelWindows hold only what is in reach: repeated labels, corrections and payments that have passed leave nothing", () => {
  const layout = {
    windowSeconds: [100],
    delaySeconds: 50,
    graceSeconds: 10,
    slackSeconds: 20,
  };
  const windows = new Windows(layout);
  let labels = 0;
  let bytes = 0;
  for (let time = 0; time < 30_000; time++) {
    windows.take({ kind: "payment", id: time, key: time % 5_000, time });
    for (const back of [0, 0, 30, 40]) {
      const of = Math.max(0, time - back);
      windows.take({
        kind: "label",
        key: of % 5_000,
        transactionId: of,
        timeSeconds: of,
        knownSeconds: time - back % 7,
        fraud: back === 30 ? 0 : 1,
      });
    }
    labels = Math.max(labels, windows.labels.labels);
    if (time === 6_000) bytes = windows.labels.bytes;
  }
  assert.ok(labels < 4 * 250, `${labels} labels`);
  assert.ok(windows.labels.bytes <= 1.2 * bytes, `${windows.labels.bytes}`);
});

Deno.test("TerminalOperator counts labels that are known a day before they count as those in the payments", async () => {
  await forEachSeed(5, 100, (seed) => {
    const random = chance(seed);
    const stream = { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS };
    const slack = 7 * DAY_SECONDS;
    const digests = new IdDigests(UNLABELLED_SHAPE);
    const texts = new TextHeap();
    const operators = [HANDBOOK_FEATURES, stream].map((parameters, i) => ({
      customer: new CustomerOperator(parameters, slack),
      terminal: new TerminalOperator(
        parameters,
        slack,
        i === 0 ? undefined : digests,
      ),
      totals: new Float64Array(featureCount(parameters)),
    }));
    const waiting: { known: number; take: () => void }[] = [];
    const payment = emptyPayment();
    let progress = 0;
    for (let id = 0; id < 3_000; id++) {
      progress += Math.floor(random() * 3_600);
      while (waiting[0]?.known <= progress) waiting.shift()?.take();
      const time = random() < 0.2
        ? Math.max(0, progress - Math.floor(random() * DAY_SECONDS))
        : progress;
      payment.transactionId = id;
      payment.timeSeconds = payment.datetimeSeconds = time;
      payment.customerId = Math.floor(random() * 5);
      const terminalId = payment.terminalId = Math.floor(random() * 5);
      const fraud = random() < 0.3 ? 1 : 0;
      const [whole, arriving] = operators.map(
        ({ customer, terminal, totals }, i) => {
          payment.fraud = i === 0 ? fraud : 0;
          digests.takeTerminal(terminalId, texts);
          customer.process(payment, progress, totals);
          terminal.process(payment, progress, totals);
          return [...totals];
        },
      );
      assert.deepEqual(arriving, whole, `payment ${id}`);
      const known = time + 6 * DAY_SECONDS;
      waiting.push({
        known,
        take: () => {
          digests.takeId(id, texts);
          digests.takeTerminal(terminalId, texts);
          operators[1].terminal.takeLabel({
            timeSeconds: time,
            knownSeconds: known,
            fraud,
          }, Math.max(0, known - 1));
        },
      });
      waiting.sort((a, b) => a.known - b.known);
    }
    assert.ok(operators[0].totals[13] > 0);
  });
});
