/**
 * Declared features of random definitions against an oracle in Python: in
 * streams whose stages and writer are stopped, crash and lose their commits, as
 * the sink topic and the store have them, and in files.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import {
  featuresOfDefinition,
  readStreamFlags,
} from "../../src/cli/flags/stream_flags.ts";
import { shapeOf } from "../../src/definition/definition_shape.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { featureCount, includedCount } from "../../src/features/parameters.ts";
import { FeatureBlocks } from "../../src/files/payment_features.ts";
import type { PaymentBatch } from "../../src/files/payment_source.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  fromCells,
  PAYMENT_CELLS,
} from "../../src/payment/payment_cells.ts";
import { ShapedJsonReader } from "../../src/payment/payment_json.ts";
import {
  idOf,
  type PaymentShape,
  textCells,
} from "../../src/payment/payment_shape.ts";
import { NO_TEXTS, TextHeap } from "../../src/payment/text_heap.ts";
import { writerStage } from "../../src/roles/writer.ts";
import { paymentTable } from "../../src/store/tables.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { chance, seeds } from "../long.ts";
import {
  type DeclaredCase,
  declaredCase,
  LATENESS_SECONDS,
  type LogEntry,
  recordOf,
  START_SECONDS,
} from "../oracle/declared_cases.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runTool } from "../services/java.ts";
import { canRun } from "../permission.ts";
import { type OpenFolder, openMemory } from "./pipeline.ts";
import {
  appendPayments,
  hideDeleted,
  paymentAt,
  sinkRows,
  StageDriver,
} from "./stages.ts";

const SCRIPT = fileURLToPath(
  new URL("../oracle/declared_features.py", import.meta.url),
);

/** Features of a payment; null where it has no such value. */
type Row = readonly (number | null)[];

/** What the oracle is asked. */
interface Question extends Pick<DeclaredCase, "plain" | "log"> {
  /** Places of the payments in the order in which the stream's second stage took them; [] where it makes no difference. */
  readonly arrival: readonly number[];
}

/** What the oracle makes of cases: of each payment its features. */
async function oracle(questions: readonly Question[]): Promise<Row[][]> {
  await using folder = temporaryFolder();
  const [from, to] = ["cases", "results"].map((name) =>
    join(folder.path, name)
  );
  const lines = questions.map(({ plain, log, arrival }) =>
    JSON.stringify({ ...plain, log, arrival })
  );
  await Deno.writeTextFile(from, lines.join("\n"));
  const { success, output } = await runTool("python3", [SCRIPT, from, to]);
  assert.ok(success, output);
  const text = await Deno.readTextFile(to);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

function parametersOf(
  { definition: text, partitions }: DeclaredCase,
): StreamParameters {
  const definition = readDefinition(text, "stream.yaml");
  return readStreamFlags({
    ...{ definition, partitions },
    lateness: LATENESS_SECONDS,
    dedupe: LATENESS_SECONDS,
  }, undefined);
}

/** What has come out of a stream. */
interface Streamed {
  /** The features of each payment in the sink topic. */
  readonly sink: readonly Row[];
  /** The same in the store. */
  readonly store: readonly Row[];
  /** The payments in the order in which they came to the sink topic. */
  readonly arrival: readonly number[];
}

/** Runs a stream, whose stages are closed, crash and lose commits. */
async function streamed(one: DeclaredCase): Promise<Streamed> {
  const parameters = parametersOf(one);
  await using folder = await openMemory(parameters);
  await appendLog(folder, one);
  const random = chance(one.steps);
  await using disk = random() < 0.7 ? temporaryFolder() : undefined;
  await runStages(folder, parameters, random, disk?.path);
  const ids = one.log.flatMap((entry) =>
    "payment" in entry ? [entry.payment.TRANSACTION_ID] : []
  );
  const rows = await sinkRows(folder.log);
  const places = rows.map((row) => ids.indexOf(row.TRANSACTION_ID));
  assert.equal(new Set(places).size, rows.length, "a payment comes twice");
  const sink: Row[] = [];
  for (const [i, row] of rows.entries()) {
    sink[places[i]] = one.names.map((name) => row[name] as number | null);
  }
  const store = await storedRows(folder, parameters, ids);
  return { sink, store, arrival: one.hasArrival ? places : [] };
}

async function appendLog(
  { log }: OpenFolder,
  one: DeclaredCase,
): Promise<void> {
  for (let partition = 0; partition < one.partitions; partition++) {
    const own = one.log.filter((entry) => entry.partition === partition);
    await appendPayments(
      log,
      partition,
      own.map((_, i) => paymentAt(0, { transactionId: i })),
      ({ transactionId }) => recordOf(one, own[Number(transactionId)]),
    );
  }
}

/** Runs both stages and the writer step by step until all is stored. */
async function runStages(
  { log, store }: OpenFolder,
  parameters: StreamParameters,
  random: () => number,
  snapshotFolder: string | undefined,
): Promise<void> {
  hideDeleted(log);
  const below = (limit: number) => Math.floor(random() * limit);
  const options = { startSeconds: START_SECONDS, store };
  const stages = [
    await StageDriver.customers(log, parameters, snapshotFolder),
    await StageDriver.terminals(log, parameters, snapshotFolder),
    await StageDriver.open(
      log,
      parameters,
      (context) => writerStage(context, options),
    ),
  ];
  const accidents = random() < 0.3 ? 0 : 0.4;
  const isDone = async () => {
    for (const stage of stages) if (!await stage.done()) return false;
    return true;
  };
  // One partition runs ahead for a while, as far as the others let it.
  let first = 0;
  while (!await isDone()) {
    const stage = stages[below(stages.length)];
    if (random() < 0.05) first = below(parameters.partitions);
    const partition = random() < 0.6 ? first : below(parameters.partitions);
    if (random() < accidents) {
      const what = random();
      if (what < 0.4) {
        await stage.crash(partition, 1 + below(20), random() < 0.5);
      } else if (what < 0.6) await stage.lose(partition);
      else if (what < 0.9) stage.close(partition);
      await stage.reopen(partition);
    }
    await stage.step(partition, 1 + below(20));
  }
  for (const stage of stages) {
    const { deadLettered, duplicates } = await stage.counters();
    assert.deepEqual([deadLettered, duplicates], [0, 0]);
  }
}

/** The declared features that a store holds, by the place of their payment. */
async function storedRows(
  { store }: OpenFolder,
  parameters: StreamParameters,
  ids: readonly unknown[],
): Promise<Row[]> {
  const { features } = parameters;
  const { width, shape } = paymentTable(features, shapeOfStream(parameters));
  const first = PAYMENT_CELLS + includedCount(features);
  const end = PAYMENT_CELLS + featureCount(features);
  const found: Row[] = [];
  for await (const { cells, count, texts = NO_TEXTS } of store.rows()) {
    for (let at = 0; at < count * width; at += width) {
      const id = idOf(shape.transactionId, cells[at + CELL.id], texts);
      found[ids.indexOf(id)] = rowOf(cells.subarray(at + first, at + end));
    }
  }
  return found;
}

function rowOf(values: Float64Array): Row {
  return [...values].map((value) => Number.isNaN(value) ? null : value);
}

/** The same payments in a file, in order of time, with labels that count once the delay has passed, wherever they come from in a stream. */
function inFile({ log, plain }: DeclaredCase): Question {
  const { labels: { delay } } = plain;
  return {
    plain: { ...plain, labels: { delay, grace: null } },
    log: log.filter((entry) => "payment" in entry)
      .toSorted((a, b) => a.time - b.time)
      .map((entry) => ({ ...entry, partition: 0 })),
    arrival: [],
  };
}

/** The features of payments by the operator of files. */
function fromFiles(one: DeclaredCase, question: Question): Row[] {
  const definition = readDefinition(one.definition, "stream.yaml");
  // As featuresOfPayments() has them.
  const features = {
    ...featuresOfDefinition(definition),
    graceSeconds: undefined,
  };
  const shape = shapeOf(definition);
  const blocks = new FeatureBlocks(features, shape);
  const width = featureCount(features);
  const first = includedCount(features);
  const rows: Row[] = [];
  const batch = batchOf(one, question.log, shape);
  for (const { count, values } of blocks.values(batch)) {
    for (let at = 0; at < count * width; at += width) {
      rows.push(rowOf(values.subarray(at + first, at + width)));
    }
  }
  return rows;
}

/** Payments as a source of files gives them. */
function batchOf(
  one: DeclaredCase,
  log: readonly LogEntry[],
  shape: PaymentShape,
): PaymentBatch {
  const reader = new ShapedJsonReader(shape);
  const encoder = new TextEncoder();
  const texts = new TextHeap();
  const cells = log.map((entry) => {
    const bytes = encoder.encode(recordOf(one, entry)[1]);
    const defect = reader.read(bytes, 0, bytes.length, START_SECONDS);
    assert.equal(defect, undefined);
    const row = reader.cells.slice();
    const { TX_FRAUD } = "payment" in entry ? entry.payment : {};
    row[CELL.fraud] = Number(TX_FRAUD ?? FRAUD_UNKNOWN);
    for (const cell of textCells(shape, PAYMENT_CELLS)) {
      row[cell] = texts.copy(row[cell], reader.texts);
    }
    return row;
  });
  const end = PAYMENT_CELLS + shape.kept.length;
  return {
    day: 0,
    length: cells.length,
    timeSeconds: Int32Array.from(cells, (row) => row[CELL.time]),
    texts,
    read: (index, into) => fromCells(cells[index], 0, into),
    readKept: (index, into, at) =>
      into.set(cells[index].subarray(PAYMENT_CELLS, end), at),
  };
}

/** Cases that the oracle takes at once. */
const CASES = 100;

/** Random numbers have this many values. */
const CHOICES = 2 ** 30;

/** The numbers that a seed's case is made from. */
function choicesOf(seed: number): number[] {
  const choices: number[] = [];
  const random = chance(seed);
  declaredCase(() => {
    const choice = Math.floor(random() * CHOICES);
    choices.push(choice);
    return choice / CHOICES;
  });
  return choices;
}

/** The case of these numbers; those that are missing are 0. */
function caseOf(choices: readonly number[]): DeclaredCase {
  const rest = choices.values();
  return declaredCase(() => (rest.next().value ?? 0) / CHOICES);
}

/** Runs cases as a stream and in files, and returns what the first wrong value of each is. */
async function findWrong(
  cases: readonly DeclaredCase[],
): Promise<(string | undefined)[]> {
  const questions: Question[] = [];
  const answers: [where: string, rows: readonly Row[]][][] = [];
  for (const one of cases) {
    const { sink, store, arrival } = await streamed(one);
    questions.push({ ...one, arrival });
    answers.push([["sink topic", sink], ["store", store]]);
    // In a file nothing comes from several partitions.
    if (one.partitions > 1) continue;
    questions.push(inFile(one));
    const rows = fromFiles(one, questions[questions.length - 1]);
    answers.push([["file", rows]]);
  }
  const expected = await oracle(questions);
  let at = 0;
  return cases.map((one) => {
    const end = at + (one.partitions > 1 ? 1 : 2);
    let wrong: string | undefined;
    for (; at < end; at++) {
      for (const [where, rows] of answers[at]) {
        wrong ??= difference(one, rows, expected[at], where);
      }
    }
    return wrong;
  });
}

/** What the first value is that differs; undefined if none does. */
function difference(
  { names, definition }: DeclaredCase,
  found: readonly Row[],
  expected: readonly Row[],
  where: string,
): string | undefined {
  if (found.length !== expected.length) {
    return `${found.length} payments in the ${where}, not ${expected.length}`;
  }
  for (const [i, row] of expected.entries()) {
    for (const [at, value] of row.entries()) {
      if (found[i]?.[at] === value) continue;
      return `${names[at]} of payment ${i} is ${found[i]?.[at]} in the ` +
        `${where} and ${value} by the oracle; ${definition}`;
    }
  }
  return undefined;
}

/** Throws an AssertionError for a case that fails, with the smallest similar one that fails as well. */
async function fail(seed: number, wrong: string): Promise<never> {
  const choices = choicesOf(seed);
  const choice = fc.nat({ max: CHOICES - 1 });
  const { counterexample } = await fc.check(
    fc.asyncProperty(
      fc.array(choice, { maxLength: choices.length }),
      async (some) => (await findWrong([caseOf(some)]))[0] === undefined,
    ),
    { examples: [[choices]], numRuns: 1, interruptAfterTimeLimit: 60_000 },
  );
  const smallest = caseOf(counterexample?.[0] ?? choices);
  const { log, partitions } = smallest;
  const [small] = await findWrong([smallest]);
  assert.fail(
    `seed ${seed} (repeat with FRAUDSTREAM_SEED=${seed}): ${wrong}\n` +
      `A small case of ${partitions} partitions: ${small}\n` +
      log.map((entry) => JSON.stringify(entry)).join("\n"),
  );
}

Deno.test({
  name: "declared features are the oracle's, in streams and in files",
  ignore: !canRun,
  async fn() {
    const all = seeds(40, 10_000);
    for (let from = 0; from < all.length; from += CASES) {
      const some = all.slice(from, from + CASES);
      const wrong = await findWrong(
        some.map((seed) => caseOf(choicesOf(seed))),
      );
      for (const [i, seed] of some.entries()) {
        if (wrong[i] !== undefined) await fail(seed, wrong[i]);
      }
    }
  },
});
