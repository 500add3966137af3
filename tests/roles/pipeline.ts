/** Runs roles in this thread on a fresh data folder, for tests. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded.ts";
import { EmbeddedStore } from "../../src/store/embedded.ts";
import { Control, type StreamParameters } from "../../src/roles/control.ts";
import type { RoleContext, RunSettings } from "../../src/roles/role.ts";
import { topicSpecs } from "../../src/roles/topics.ts";
import {
  featureCount,
  featureNames,
  HANDBOOK_FEATURES,
  totalsToCanonical,
  valuesToTotals,
} from "../../src/features/parameters.ts";
import { TRANSACTION_CELLS } from "../../src/features/feature_row.ts";
import { DAY_SECONDS } from "../../src/transaction/transaction.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import type { Logger } from "../../src/telemetry/logger.ts";
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
  readonly context: RoleContext;
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
    durable: false,
  });
  await log.createTopics(topicSpecs(parameters.partitions));
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

/** SHA-256 of the canonical features CSV of what a store holds. */
export async function featuresSum(store: Store): Promise<string> {
  const hash = createHash("sha256");
  const features = featureCount(HANDBOOK_FEATURES);
  const width = TRANSACTION_CELLS + features;
  const totals = new Float64Array(features);
  const values = new Float64Array(features);
  hash.update(
    ["TRANSACTION_ID", ...featureNames(HANDBOOK_FEATURES)].join(",") + "\n",
  );
  for await (const { cells, count } of store.rows()) {
    let text = "";
    for (let at = 0; at < count * width; at += width) {
      valuesToTotals(
        cells.subarray(at + TRANSACTION_CELLS, at + width),
        3,
        totals,
      );
      totalsToCanonical(totals, 3, values);
      text += `${cells[at]},${values.join(",")}\n`;
    }
    hash.update(text);
  }
  return hash.digest("hex");
}

/** The reference sum of a set's features. */
export function referenceSum(set: "A" | "B" | "DEFAULT"): string {
  const path = new URL("../data/reference.json", import.meta.url);
  const reference = JSON.parse(Deno.readTextFileSync(path));
  return reference.sets[set].features.canonical_csv.sha256;
}
