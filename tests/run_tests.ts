/**
 * Runs tiers of the tests, one after another, and says at the end what each
 * took and what was skipped and why:
 *
 *   deno task test                                   all tiers
 *   deno task test:fast                              one
 *   deno task test tests/log/ --filter=partition     these files only
 *
 * A path from the root limits the run to the files below it, and --ignore=PATHS
 * leaves files out; other arguments go to `deno test` as they are. The last line is always `N passed, N failed,
 * N skipped`. Exit code 1 if a test failed or none was found.
 */
import { fileURLToPath } from "node:url";
import { testFiles, type Tier, tierOf, TIERS } from "./tiers.ts";

const ROOT = new URL("../", import.meta.url);

/** What a run of one tier came to. */
export interface Outcome {
  /** The tier's name. */
  readonly tier: string;
  readonly passed: number;
  readonly failed: number;
  /** The names of the tests that were skipped; in brackets at the end is why. */
  readonly skipped: readonly string[];
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** Whether all tests that ran passed, and Deno says so. */
  readonly succeeded: boolean;
}

/** What somebody asks for. */
export interface Request {
  /** The tiers to run. */
  readonly tiers: readonly Tier[];
  /** Beginnings of paths; with none, all files of the tiers. */
  readonly paths: readonly string[];
  /** Beginnings of paths that are left out. */
  readonly ignored: readonly string[];
  /** What goes to `deno test`. */
  readonly flags: readonly string[];
}

const IGNORE = "--ignore=";

/** Reads the arguments: names of tiers, paths below tests/, and flags. */
export function readRequest(args: readonly string[]): Request {
  const named = TIERS.filter(({ name }) => args.includes(name));
  const paths = args.filter((arg) => arg.startsWith("tests/"));
  // Deno itself ignores no file that is named to it.
  const isIgnore = (arg: string) => arg.startsWith(IGNORE);
  const ignored = args.filter(isIgnore)
    .flatMap((arg) => arg.slice(IGNORE.length).split(","));
  const flags = args.filter((arg) =>
    !paths.includes(arg) && !isIgnore(arg) &&
    !named.some(({ name }) => name === arg)
  );
  return { tiers: named.length > 0 ? named : TIERS, paths, ignored, flags };
}

/** Reads what `deno test` printed, colours and all. */
export function readOutcome(
  tier: string,
  printed: string,
  seconds: number,
  status: boolean,
): Outcome {
  // deno-lint-ignore no-control-regex
  const plain = printed.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const last = [...plain.matchAll(/^(?:ok|FAILED) \| (.*)$/gm)].at(-1)?.[1];
  const count = (word: string) =>
    Number(last?.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0);
  // Files that run at the same time have their path before the name.
  const skipped = [
    ...plain.matchAll(/^(?:\.\/\S+ => )?(.*) \.\.\. ignored /gm),
  ];
  return {
    tier,
    passed: count("passed"),
    failed: count("failed"),
    skipped: skipped.map(([, name]) => name),
    seconds,
    succeeded: status && last !== undefined,
  };
}

/** The lines that end a run: its tiers, what was skipped and why, the counts. */
export function summarize(outcomes: readonly Outcome[]): string[] {
  const reasons = new Map<string, number>();
  for (const name of outcomes.flatMap(({ skipped }) => skipped)) {
    const reason = name.match(/\(([^()]*(?:\([^()]*\)[^()]*)*)\)$/)?.[1] ??
      name;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const sum = (of: (outcome: Outcome) => number) =>
    outcomes.map(of).reduce((all, one) => all + one, 0);
  const counts = (passed: number, failed: number, skipped: number) =>
    `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return [
    ...outcomes.map(({ tier, passed, failed, skipped, seconds }) =>
      `${tier.padEnd(8)} ${seconds.toFixed(0).padStart(5)} s  ` +
      counts(passed, failed, skipped.length)
    ),
    ...[...reasons].map(([reason, tests]) => `skipped ${tests}: ${reason}`),
    counts(
      sum(({ passed }) => passed),
      sum(({ failed }) => failed),
      sum(({ skipped }) => skipped.length),
    ),
  ];
}

/** Runs the files of one tier, showing what Deno prints. */
async function run(
  tier: Tier,
  files: readonly string[],
  flags: readonly string[],
): Promise<Outcome> {
  const { processes = 1 } = tier;
  const began = performance.now();
  const waiting = processes > 1 ? files.map((file) => [file]) : [files];
  const outcomes: Outcome[] = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      outcomes.push(await runProcess(tier, next, flags));
    }
  };
  await Promise.all(Array.from({ length: processes }, lane));
  const sum = (count: "passed" | "failed") =>
    outcomes.reduce((all, outcome) => all + outcome[count], 0);
  return {
    tier: tier.name,
    passed: sum("passed"),
    failed: sum("failed"),
    skipped: outcomes.flatMap(({ skipped }) => skipped),
    seconds: secondsSince(began),
    succeeded: outcomes.every(({ succeeded }) => succeeded),
  };
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}

/** Runs files in one process. */
async function runProcess(
  tier: Tier,
  files: readonly string[],
  flags: readonly string[],
): Promise<Outcome> {
  const temporary = Deno.env.get("TMPDIR") || "/tmp";
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-prompt",
      ...tier.permissions.map((flag) => flag.replace("$TMPDIR", temporary)),
      ...(tier.parallel ? ["--parallel"] : []),
      ...flags,
      ...files,
    ],
    cwd: fileURLToPath(ROOT),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let printed = "";
  const decoder = new TextDecoder();
  const show = lineWriter(tier.processes !== undefined);
  for await (const bytes of child.stdout) {
    const text = decoder.decode(bytes, { stream: true });
    printed += text;
    await show(text);
  }
  await show("\n");
  const { success } = await child.status;
  return readOutcome(tier.name, printed, secondsSince(began), success);
}

/** Writes to stdout; whole lines only, if others write at the same time. */
function lineWriter(whole: boolean): (text: string) => Promise<void> {
  const encoder = new TextEncoder();
  let rest = "";
  return async (text) => {
    rest += text;
    const end = whole ? rest.lastIndexOf("\n") + 1 : rest.length;
    const bytes = encoder.encode(rest.slice(0, end));
    rest = rest.slice(end);
    for (let at = 0; at < bytes.length;) {
      at += await Deno.stdout.write(bytes.subarray(at));
    }
  };
}

/** Runs what the arguments ask for; gives the exit code. */
export async function runTests(args: readonly string[]): Promise<number> {
  const { tiers, paths, ignored, flags } = readRequest(args);
  const outcomes: Outcome[] = [];
  const all = testFiles(ROOT);
  for (const tier of tiers) {
    const files = all.filter((file) =>
      tierOf(file) === tier &&
      (paths.length === 0 || paths.some((path) => file.startsWith(path))) &&
      !ignored.some((path) => file.startsWith(path))
    );
    if (files.length > 0) outcomes.push(await run(tier, files, flags));
  }
  const lines = summarize(outcomes);
  await Deno.stdout.write(new TextEncoder().encode(`\n${lines.join("\n")}\n`));
  const found = outcomes.some(({ passed, failed, skipped }) =>
    passed + failed + skipped.length > 0
  );
  return found && outcomes.every(({ succeeded }) => succeeded) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await runTests(Deno.args));
