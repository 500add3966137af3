/**
 * Declared features of random definitions, in streams whose stages are dropped
 * and restored, and in files, against an oracle in Python.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { featuresOfDefinition } from "../../src/cli/flags/stream_flags.ts";
import { shapeOf } from "../../src/definition/definition_shape.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { featureCount } from "../../src/features/parameters.ts";
import { FeatureBlocks } from "../../src/files/payment_features.ts";
import type { PaymentBatch } from "../../src/files/payment_source.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import {
  CELL,
  fromCells,
  PAYMENT_CELLS,
} from "../../src/payment/payment_cells.ts";
import { ShapedJsonReader } from "../../src/payment/payment_json.ts";
import {
  type PaymentShape,
  textCells,
} from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import { chance, seeds } from "../long.ts";
import {
  type DeclaredCase,
  declaredCase,
  LATENESS_SECONDS,
  type LogEntry,
  partitionOf,
  recordOf,
  START_SECONDS,
} from "../oracle/declared_cases.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runTool } from "../services/java.ts";
import { canRun } from "../permission.ts";
import { openMemory } from "./pipeline.ts";
import {
  appendPayments,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
} from "./stages.ts";

const SCRIPT = fileURLToPath(
  new URL("../oracle/declared_features.py", import.meta.url),
);

type Row = readonly (number | null)[];

/** A case, and what it was made from. */
type SeededCase = DeclaredCase & { readonly seed: number };

/** What the oracle makes of cases: of each payment its features. */
async function oracle(cases: readonly SeededCase[]): Promise<Row[][]> {
  await using folder = temporaryFolder();
  const [from, to] = ["cases", "results"].map((name) =>
    join(folder.path, name)
  );
  const lines = cases.map(({ plain, log }) =>
    JSON.stringify({ ...plain, log })
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
  return {
    partitions,
    features: featuresOfDefinition(definition),
    definition: recordedDefinition(definition),
    latenessSeconds: LATENESS_SECONDS,
    dedupeSeconds: LATENESS_SECONDS,
    maxGapSeconds: 400 * DAY_SECONDS,
  };
}

/** The features of each payment, by a stream whose stages go on from the log and from snapshots. */
async function streamed(
  one: SeededCase,
  snapshotFolder: string | undefined,
): Promise<Row[]> {
  const parameters = parametersOf(one);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  const records = one.log.map((entry) => recordOf(one.log, entry));
  const partitions = partitionsOf(parameters);
  for (const partition of partitions) {
    await appendPayments(
      log,
      partition,
      one.log.flatMap((entry, i) =>
        partitionOf(one, entry) === partition
          ? paymentAt(0, { transactionId: i })
          : []
      ),
      ({ transactionId }) => records[transactionId],
    );
  }
  const random = chance(one.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const stages = [
    await StageDriver.customers(log, parameters, snapshotFolder),
    await StageDriver.terminals(log, parameters, snapshotFolder),
  ];
  const drops = random() < 0.5 ? 0 : 0.4;
  while (!await stages[0].done() || !await stages[1].done()) {
    const stage = stages[below(2)];
    const partition = below(partitions.length);
    if (random() < drops) {
      if (snapshotFolder !== undefined && random() < 0.7) {
        stage.close(partition);
      }
      await stage.reopen(partition);
    }
    await stage.step(partition, 1 + below(20));
  }
  const rows = await sinkRows(log);
  const { deadLettered } = await stages[0].counters();
  assert.equal(deadLettered, 0);
  rows.sort((a, b) => Number(a.TRANSACTION_ID) - Number(b.TRANSACTION_ID));
  return rows.map((row) => one.names.map((name) => row[name] as number | null));
}

/** The features of each payment, in order of time, by the operator of files. */
function inFiles(one: DeclaredCase, log: readonly LogEntry[]): Row[] {
  const { features } = parametersOf(one);
  const shape = shapeOf(readDefinition(one.definition, "stream.yaml"));
  const blocks = new FeatureBlocks(features, shape);
  const width = featureCount(features);
  const rows: Row[] = [];
  for (const { count, values } of blocks.values(batchOf(log, shape))) {
    for (let at = 0; at < count * width; at += width) {
      const row = [...values.subarray(at, at + width)];
      rows.push(row.map((value) => Number.isNaN(value) ? null : value));
    }
  }
  return rows;
}

/** Payments as a source of files gives them. */
function batchOf(log: readonly LogEntry[], shape: PaymentShape): PaymentBatch {
  const reader = new ShapedJsonReader(shape);
  const encoder = new TextEncoder();
  const texts = new TextHeap();
  const cells = log.map((entry) => {
    const bytes = encoder.encode(recordOf(log, entry)[1]);
    const defect = reader.read(bytes, 0, bytes.length, START_SECONDS);
    assert.equal(defect, undefined);
    const row = reader.cells.slice();
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

Deno.test({
  name: "declared features are the oracle's, in streams and in files",
  ignore: !canRun,
  async fn() {
    const all = seeds(30, 10_000);
    for (let from = 0; from < all.length; from += CASES) {
      await compare(all.slice(from, from + CASES));
    }
  },
});

async function compare(some: readonly number[]): Promise<void> {
  const cases = some.map((seed) => ({ seed, ...declaredCase(seed) }));
  const sorted = cases
    .filter(({ plain }) => plain.labels.grace === null)
    .map((one) => ({
      ...one,
      log: one.log.toSorted((a, b) => timeOf(a) - timeOf(b)),
    }));
  const expected = await oracle([...cases, ...sorted]);
  for (const [i, one] of cases.entries()) {
    await using disk = one.seed % 2 === 0 ? temporaryFolder() : undefined;
    const found = await streamed(one, disk?.path);
    assertSame(found, expected[i], one, "stream");
  }
  for (const [i, one] of sorted.entries()) {
    assertSame(inFiles(one, one.log), expected[cases.length + i], one, "file");
  }
}

function timeOf(entry: LogEntry): number {
  return "payment" in entry ? entry.time : NaN;
}

function assertSame(
  found: readonly Row[],
  expected: readonly Row[],
  { seed, names, definition }: SeededCase,
  where: string,
): void {
  assert.equal(found.length, expected.length);
  for (const [i, row] of expected.entries()) {
    for (const [at, value] of row.entries()) {
      if (found[i][at] === value) continue;
      assert.fail(
        `seed ${seed} (repeat with FRAUDSTREAM_SEED=${seed}): ${
          names[at]
        } of ` +
          `payment ${i} is ${
            found[i][at]
          } in the ${where} and ${value} by the ` +
          `oracle; ${definition}`,
      );
    }
  }
}
