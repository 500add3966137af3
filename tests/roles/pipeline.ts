/** Runs roles in this thread on a fresh data folder, for tests. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { valueEnd, valueStart } from "../../src/log/record_batch.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import type { RunSettings } from "../../src/roles/role.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { SINK_TOPIC, topicSpecs } from "../../src/stream/topics.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToCanonical,
  totalsToValues,
  valuesToTotals,
} from "../../src/features/parameters.ts";
import { FeatureOperator } from "../../src/features/feature_operator.ts";
import { FeatureJsonReader } from "../../src/features/feature_row.ts";
import { PAYMENT_CELLS, toCells } from "../../src/payment/payment_cells.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  readTableRow,
} from "../../src/payment/payment.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import reference from "../data/reference.json" with { type: "json" };
import type { Logger } from "../../src/base/logger.ts";
import type { Store } from "../../src/store/store.ts";

export const SET_A: RunSettings["data"] = {
  parameters: {
    ...HANDBOOK_PARAMETERS,
    customers: 50,
    terminals: 100,
    days: 30,
    radius: 10,
  },
  rng: "handbook",
  seed: "",
};

export const SET_B: RunSettings["data"] = {
  parameters: { ...HANDBOOK_PARAMETERS, customers: 500, terminals: 100 },
  rng: "handbook",
  seed: "",
};

export function parametersOf(partitions: number): StreamParameters {
  return {
    partitions,
    features: HANDBOOK_FEATURES,
    latenessSeconds: 3600,
    maxGapSeconds: 400 * DAY_SECONDS,
  };
}

export const QUIET: Logger = { info() {}, warn() {}, error() {} };

/** A log, a store and what roles need to work with them. */
export interface OpenFolder extends AsyncDisposable {
  readonly log: EmbeddedLog;
  readonly store: EmbeddedStore;
  readonly context: StreamContext;
}

const never = new AbortController().signal;

/** Opens a data folder for roles in this thread. */
export function openFolder(
  folder: string,
  parameters: StreamParameters,
  signal: AbortSignal = never,
): Promise<OpenFolder> {
  const log = join(folder, "log.db");
  return open({ log, store: join(folder, "store.db") }, parameters, signal);
}

/** The same in memory: no files, no permissions. */
export function openMemory(
  parameters: StreamParameters,
  signal: AbortSignal = never,
): Promise<OpenFolder> {
  return open({ log: ":memory:", store: ":memory:" }, parameters, signal);
}

async function open(
  paths: { log: string; store: string },
  parameters: StreamParameters,
  signal: AbortSignal,
): Promise<OpenFolder> {
  const { features } = parameters;
  const log = new EmbeddedLog({ path: paths.log, durable: false });
  const store = new EmbeddedStore({
    path: paths.store,
    features,
    shape: shapeOfStream(parameters),
    durable: false,
  });
  const hasLabels = features.graceSeconds !== undefined;
  await log.createTopics(topicSpecs(parameters.partitions, hasLabels));
  const control = new Control(log);
  await control.agree(parameters);
  return {
    log,
    store,
    context: { log, control, parameters, logger: QUIET, signal },
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Collects rows of cells, ascending TRANSACTION_ID, into the sum of their canonical CSV. */
function canonicalHash(parameters: FeatureParameters) {
  const hash = createHash("sha256");
  const features = featureCount(parameters);
  const layout = totalsLayout(parameters);
  const totals = new Float64Array(features);
  const values = new Float64Array(features);
  const names = ["TRANSACTION_ID", ...featureNames(parameters)];
  let text = names.join(",") + "\n";
  return {
    add(cells: Float64Array): void {
      valuesToTotals(cells.subarray(PAYMENT_CELLS), layout, totals);
      totalsToCanonical(totals, layout, values);
      text += `${cells[0]},${values.join(",")}\n`;
      if (text.length < 1 << 16) return;
      hash.update(text);
      text = "";
    },
    sum: () => hash.update(text).digest("hex"),
  };
}

/** SHA-256 of the canonical features CSV of what a store holds. */
export async function featuresSum(
  store: Store,
  features: FeatureParameters = HANDBOOK_FEATURES,
): Promise<string> {
  const width = PAYMENT_CELLS + featureCount(features);
  const hash = canonicalHash(features);
  for await (const { cells, count } of store.rows()) {
    for (let at = 0; at < count * width; at += width) {
      hash.add(cells.subarray(at, at + width));
    }
  }
  return hash.sum();
}

/** The reference sum of a set's features. */
export function referenceSum(set: "A" | "B" | "DEFAULT"): string {
  return reference.sets[set].features.canonical_csv.sha256;
}

/** SHA-256 of the canonical features CSV of a data set, by the operator over its table. */
export function batchSum(
  data: RunSettings["data"],
  features: FeatureParameters,
): string {
  const { table, startSeconds } = simulateHandbook(data.parameters);
  const operator = new FeatureOperator(features);
  const layout = totalsLayout(features);
  const totals = new Float64Array(featureCount(features));
  const hash = canonicalHash(features);
  const cells = new Float64Array(PAYMENT_CELLS + totals.length);
  const row = emptyPayment();
  for (let index = 0; index < table.length; index++) {
    readTableRow(table, index, startSeconds, row);
    operator.process(row, totals);
    toCells(row, cells, 0);
    totalsToValues(totals, layout, cells.subarray(PAYMENT_CELLS));
    hash.add(cells);
  }
  return hash.sum();
}

/** Runs the producer over a data set, as fast as it can. */
export async function produce(
  folder: OpenFolder,
  data: RunSettings["data"],
): Promise<void> {
  await runProducer(folder.context, { data, pace: { kind: "max" } });
}

/** A log in memory with a data set that the processor has gone through. */
export async function openProcessed(
  partitions: number,
  data: RunSettings["data"] = SET_A,
): Promise<OpenFolder> {
  const folder = await openMemory(parametersOf(partitions));
  await produce(folder, data);
  await runProcessor(folder.context, undefined);
  return folder;
}

/** Runs producer, processor and writer side by side until all is stored. */
export async function runAll(
  folder: OpenFolder,
  data: RunSettings["data"],
): Promise<void> {
  const { context, store } = folder;
  // Each role has its own view of the control topic, as its own thread would.
  const own = () => ({ ...context, control: new Control(context.log) });
  await Promise.all([
    runProducer(own(), { data, pace: { kind: "max" } }),
    runProcessor(own(), undefined),
    runWriter(own(), { store, startSeconds: undefined }),
  ]);
}

/** Runs processor and writer, one after the other, over what the log holds. */
export async function runBehind({ context, store }: OpenFolder): Promise<void> {
  await runProcessor(context, undefined);
  await runWriter(context, { store, startSeconds: undefined });
}

/** SHA-256 of the canonical features CSV of what the sink topic holds. */
export async function sinkSum(
  log: Log,
  parameters: StreamParameters,
): Promise<string> {
  const { features, partitions } = parameters;
  const width = PAYMENT_CELLS + featureCount(features);
  const reader = new FeatureJsonReader(features, shapeOfStream(parameters));
  const rows: Float64Array[] = [];
  const ends = await log.endOffsets(SINK_TOPIC) ?? [];
  for (let partition = 0; partition < partitions; partition++) {
    const batches = readRange(log, SINK_TOPIC, partition, 0, ends[partition]);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const cells = new Float64Array(width);
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        const defect = reader.read(batch.bytes, from, to, undefined, cells, 0);
        if (defect) throw new Error(defect.message);
        rows.push(cells);
      }
    }
  }
  rows.sort((a, b) => a[0] - b[0]);
  const hash = canonicalHash(features);
  for (const cells of rows) hash.add(cells);
  return hash.sum();
}

/** The same store, as if the ids that its tables take ended at `idMax`. */
export function withIdMax<T extends object>(store: T, idMax: number): T {
  return new Proxy(store, {
    get(target, name) {
      if (name === "idMax") return idMax;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
