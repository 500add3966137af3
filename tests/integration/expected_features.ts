/**
 * What the features of a data set must be: computed by `features` from files
 * that `generate` has made, a way that knows neither log nor store. A set is
 * computed once, however many scenarios ask.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { runMain } from "../cli/program_runner.ts";
import reference from "../data/reference.json" with { type: "json" };
import { temporaryFolder } from "../temporary_folder.ts";

/** A data set and how it is looked at, as flags. */
export interface DataSet {
  /** What is simulated. */
  readonly data: readonly string[];
  /** The windows. */
  readonly features: readonly string[];
}

/** What `export` must give. */
export interface Expected {
  /** SHA-256 of the table. */
  readonly sum: string;
  /** Number of payments. */
  readonly rows: number;
}

/** All of set B: 500 cards, 100 terminals, 183 days. */
export const SET_B: DataSet = { data: ["--preset=seed"], features: [] };

/**
 * Its first 60 days. With these windows a restored stage reads 20 days and 24
 * days again instead of 60 and 44, so that most replays begin in the middle.
 */
export const SIXTY_DAYS: DataSet = {
  data: ["--preset=seed", "--days=60"],
  features: ["--windows=1,5,10"],
};

/** Its first 30 days, for what needs no long stream. */
export const THIRTY_DAYS: DataSet = {
  data: ["--preset=seed", "--days=30"],
  features: ["--windows=1,5,10"],
};

/** The handbook's default set: 5,000 cards, 10,000 terminals, 183 days. */
export const DEFAULT_SET: DataSet = { data: [], features: [] };

/** Too large to be computed as one text. */
const DEFAULT_EXPECTED = {
  sum: reference.sets.DEFAULT.features.canonical_csv.sha256,
  rows: reference.sets.DEFAULT.n_transactions,
};

const known = new Map<DataSet, Promise<Expected>>([
  [DEFAULT_SET, Promise.resolve(DEFAULT_EXPECTED)],
]);

/** What `export` must give for a data set. */
export function expectedOf(set: DataSet): Promise<Expected> {
  const expected = known.get(set) ?? compute(set);
  known.set(set, expected);
  return expected;
}

async function compute({ data, features }: DataSet): Promise<Expected> {
  await using folder = temporaryFolder();
  const days = join(folder.path, "days");
  const made = await runMain(["generate", ...data, `--out=${days}`]);
  assert.equal(made.code, 0, made.stderr);
  const flags = [`--in=${days}`, "--out=-", ...features];
  const { code, stdout, stderr } = await runMain(["features", ...flags]);
  assert.equal(code, 0, stderr);
  return tableOf(stdout);
}

/** What identifies a table. */
export function tableOf(csv: string): Expected {
  const sum = createHash("sha256").update(csv).digest("hex");
  // The last line ends with a newline, the first holds the names.
  return { sum, rows: csv.split("\n").length - 2 };
}
