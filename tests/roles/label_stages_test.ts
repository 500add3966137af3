/**
 * Labels in both stages, in any order of steps, with partitions that are
 * dropped, restored, and lose their commits: what comes out is compared with
 * the rule of label_windows.ts in its plainest form.
 */
import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import { FRAUD_UNKNOWN, toCells } from "../../src/payment/payment_cells.ts";
import {
  LabelJsonWriter,
  ShapedJsonWriter,
} from "../../src/payment/payment_json.ts";
import {
  labelCells,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { readStatus } from "../../src/stream/status.ts";
import { requeue } from "../../src/stream/requeue.ts";
import { compareLabels, type SourceEntry } from "./label_oracle.ts";
import { openMemory } from "./pipeline.ts";
import {
  appendPayments,
  hideDeleted,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
  START_SECONDS,
} from "./stages.ts";

const GRACE = DAY_SECONDS;
const PARAMETERS: StreamParameters = {
  partitions: 3,
  features: {
    ...HANDBOOK_FEATURES,
    windowDays: [1, 4],
    delayDays: 3,
    graceSeconds: GRACE,
  },
  latenessSeconds: 3600,
  maxGapSeconds: 60 * DAY_SECONDS,
};

/** What stands in a partition of the source. */
interface Entry extends SourceEntry {
  readonly payment: Payment;
}

/** The JSON of an entry, as sources write it. */
function jsonOf({ payment, known }: Entry): string {
  const writer = new ByteWriter();
  const { knownAt, width } = labelCells(UNLABELLED_SHAPE);
  const cells = new Float64Array(width);
  toCells(payment, cells, 0);
  const isPayment = known === undefined;
  if (!isPayment) cells[knownAt] = START_SECONDS + known;
  const json = isPayment
    ? new ShapedJsonWriter(UNLABELLED_SHAPE)
    : new LabelJsonWriter(UNLABELLED_SHAPE, { isAccepted: false });
  json.write(writer, cells, 0);
  return new TextDecoder().decode(writer.view());
}

/** Payments of some partitions in order of time to within the lateness, and among them labels: on time, late, repeated, corrected, withdrawn, implausible. */
function randomSources(seed: number, length: number): Entry[][] {
  const random = chance(seed);
  const upTo = (max: number) => Math.floor(random() * (max + 1));
  const sources: Entry[][] = partitionsOf(PARAMETERS).map(() => []);
  const step = [2_000, 20_000][upTo(1)];
  let waiting: { due: number; partition: number; entry: Entry }[] = [];
  let now = 0;
  for (let transactionId = 0; transactionId < length; transactionId++) {
    now += upTo(step);
    for (const { due, partition, entry } of waiting) {
      if (due > now) continue;
      sources[partition].push(entry);
      if (random() < 0.2) sources[partition].push(entry);
    }
    waiting = waiting.filter(({ due }) => due > now);
    const partition = random() < 0.5 ? 0 : upTo(2);
    const time = Math.max(0, now - (random() < 0.3 ? upTo(3600) : 0));
    const payment = paymentAt(time, {
      transactionId,
      customerId: partition,
      terminalId: upTo(2),
      amount: 1,
    });
    sources[partition].push({ payment });
    const labels = random() < 0.7 ? 1 + upTo(2) : 0;
    for (let n = 0; n < labels; n++) {
      const fraud = [1, 1, 0, FRAUD_UNKNOWN][upTo(3)];
      const known = time + upTo(9) * DAY_SECONDS / 2 + upTo(100);
      const entry = { payment: { ...payment, fraud }, known };
      // Some come long after they were known.
      const late = random() < 0.2 ? upTo(8 * DAY_SECONDS) : 0;
      waiting.push({ due: known + late, partition, entry });
      if (random() > 0.05) continue;
      sources[partition].push(
        random() < 0.5 ? { ...entry, known: now + 61 * DAY_SECONDS } : {
          payment: paymentAt(now + 1, {
            ...entry.payment,
            timeSeconds: now + 1,
            datetimeSeconds: START_SECONDS + now + 1,
          }),
          known,
        },
      );
    }
  }
  return sources;
}

/** Runs both stages over the sources in a random order, with accidents. */
async function runSteps(seed: number, accidents: number): Promise<void> {
  const random = chance(seed + 1);
  const below = (n: number) => Math.floor(random() * n);
  await using folder = await openMemory(PARAMETERS);
  await using disk = temporaryFolder();
  const { log } = folder;
  hideDeleted(log);
  const sources = randomSources(seed, 150);
  for (const [partition, entries] of sources.entries()) {
    const texts = entries.map(jsonOf).reverse();
    await appendPayments(
      log,
      partition,
      entries.map(({ payment }) => payment),
      ({ customerId }) => [String(customerId), texts.pop() ?? ""],
    );
  }
  const path = random() < 0.5 ? disk.path : undefined;
  const customers = await StageDriver.customers(log, PARAMETERS, path);
  const terminals = await StageDriver.terminals(log, PARAMETERS, path);
  while (!await customers.done() || !await terminals.done()) {
    const stage = random() < 0.6 ? customers : terminals;
    const partition = below(PARAMETERS.partitions);
    if (random() < accidents) {
      if (random() < 0.4) await stage.lose(partition);
      else if (random() < 0.5) await stage.crash(partition, 1 + below(9), true);
      else stage.close(partition);
      await stage.reopen(partition);
    }
    await stage.step(partition, 1 + below(40));
  }
  const stages = { customers, terminals };
  const outcome = await compareLabels(log, PARAMETERS, sources, stages);
  assert.ok(outcome.punctual > 0);
}

testWriting(
  "labels go through both stages once, whatever is dropped, restored or lost, and the windows see what the rule says",
  async () => {
    await forEachSeed(12, 600, (seed) => runSteps(seed, 0.2));
  },
);

Deno.test("a label before its payment is a dead letter that can be requeued once the payment is there", async () => {
  const parameters = { ...PARAMETERS, partitions: 1 };
  await using folder = await openMemory(parameters);
  const { log, context: { control } } = folder;
  const payment = paymentAt(5 * DAY_SECONDS, { customerId: 1 });
  const label = { payment: { ...payment, fraud: 1 }, known: 6 * DAY_SECONDS };
  const append = (entry: Entry) =>
    appendPayments(log, 0, [entry.payment], () => ["1", jsonOf(entry)]);
  await append(label);
  await append({ payment });
  const customers = await StageDriver.customers(log, parameters);
  const terminals = await StageDriver.terminals(log, parameters);
  await customers.drain([0]);
  const letters = [];
  for await (const letter of readDeadLetters(log)) letters.push(letter);
  assert.equal(letters.length, 1);
  const options = { log, control, parameters, letter: letters[0] };
  const far = { ...label, known: 99 * DAY_SECONDS };
  await assert.rejects(
    requeue({ ...options, json: jsonOf(far), again: "refuse" }),
    /KNOWN_AT more than 60 days/,
  );
  await requeue({ ...options, json: jsonOf(label), again: "refuse" });
  const later = paymentAt(9 * DAY_SECONDS, { customerId: 1, transactionId: 1 });
  await append({ payment: later });
  await customers.drain([0]);
  await terminals.drain([0]);
  const rows = await sinkRows(log);
  assert.equal(rows[1].TERMINAL_ID_RISK_4DAY_WINDOW, 1);
  assert.equal((await customers.counters()).labels, 1);
  assert.equal((await readStatus(log, control)).startSeconds, START_SECONDS);
});
