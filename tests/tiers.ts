/**
 * The tiers of the tests: which test file belongs to which, what each may do,
 * and how to run what it needs. tests/run_tests.ts runs them.
 */

/** A group of test files that need the same things. */
export interface Tier {
  /** The word after `test:` in the task that runs it. */
  readonly name: "fast" | "program" | "servers" | "browser";
  /**
   * What belongs to it: test files, and folders with a slash at their end. The
   * longest that a file's path begins with decides.
   */
  readonly places: readonly string[];
  /** What its tests are allowed, as flags of Deno. */
  readonly permissions: readonly string[];
  /** Whether its files may run at the same time, in threads of one process. */
  readonly parallel: boolean;
  /** How many files run at the same time, each in a process of its own; all in one if undefined. */
  readonly processes?: number;
}

/** What tests that start programs or servers are allowed. */
const WIDE = [
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env",
  "--allow-sys",
  "--allow-net=127.0.0.1,localhost",
];

/** The tiers, in the order in which they run. */
export const TIERS: readonly Tier[] = [
  {
    name: "fast",
    places: [
      "tests/",
      "tests/cli/connection_flags_test.ts",
      "tests/cli/follow_flags_test.ts",
      "tests/cli/live_status_test.ts",
      "tests/cli/model_flags_test.ts",
      "tests/cli/scoring_flags_test.ts",
      "tests/cli/payment_table_test.ts",
      "tests/cli/run_summary_test.ts",
      "tests/cli/secret_test.ts",
      "tests/cli/selection_plot_test.ts",
      "tests/cli/source_flags_test.ts",
      "tests/cli/stream_flags_test.ts",
    ],
    // No --allow-run: what starts a program is of another tier.
    permissions: [
      "--allow-read",
      "--allow-write=$TMPDIR",
      "--allow-env=FRAUDSTREAM_*,KAFKAJS_*,TMPDIR,TMP,TEMP",
      "--allow-net=127.0.0.1",
    ],
    parallel: true,
  },
  {
    // The whole program as a process, and the largest random runs.
    name: "program",
    places: [
      "tests/base/sqlite/lock_wait_test.ts",
      "tests/cli/",
      "tests/documents/api_test.ts",
      "tests/documents/rules_test.ts",
      "tests/faults/",
      "tests/roles/declared_stream_test.ts",
      "tests/roles/late_training_test.ts",
      "tests/roles/schedule_test.ts",
    ],
    permissions: WIDE,
    parallel: true,
  },
  {
    name: "servers",
    places: ["tests/integration/", "tests/services/"],
    permissions: WIDE,
    parallel: true,
    // Much of their time they wait. They look at the memory of their process.
    processes: 2,
  },
  {
    name: "browser",
    places: ["tests/browser/"],
    permissions: WIDE,
    parallel: false,
  },
];

/** The tier of a test file, by its path from the root ("tests/a/b_test.ts"). */
export function tierOf(path: string): Tier {
  const [found] = TIERS.flatMap((tier) =>
    tier.places.filter((place) =>
      place.endsWith("/") ? path.startsWith(place) : path === place
    ).map(({ length }) => ({ tier, length }))
  ).sort((a, b) => b.length - a.length);
  if (found === undefined) throw new Error(`${path} is in no tier`);
  return found.tier;
}

/** The paths of all test files below a folder that ends with a slash, sorted. */
export function testFiles(root: URL, folder = "tests/"): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap((entry) => {
    if (entry.isDirectory) return testFiles(root, `${folder}${entry.name}/`);
    return entry.name.endsWith("_test.ts") ? [`${folder}${entry.name}`] : [];
  }).sort();
}
