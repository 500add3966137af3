/**
 * Reports how much of each room of src the tests run, in lines and branches:
 *
 *   deno task coverage                     by the fast tier
 *   deno task coverage src/log/            the file and line of each branch not taken, too
 *   deno task coverage program src/cli/    by another tier
 *
 * What lies in threads of its own (workers) and in other processes counts as
 * far as the tests run it in theirs.
 */
import { fileURLToPath } from "node:url";
import { runTests } from "./run_tests.ts";
import { TIERS } from "./tiers.ts";

const ROOT = new URL("../", import.meta.url);

/** How much of a file was run. */
export interface FileCoverage {
  /** Path from the root. */
  readonly path: string;
  readonly lines: number;
  readonly linesHit: number;
  readonly branches: number;
  readonly branchesHit: number;
  /** Lines that begin a branch that was not taken. */
  readonly missed: readonly number[];
}

/** Reads a report in the form of lcov; files outside of src are left out. */
export function readCoverage(lcov: string): FileCoverage[] {
  return lcov.split("end_of_record\n").flatMap((record) => {
    const path = record.match(/^SF:.*?\/(src\/.*)$/m)?.[1];
    if (path === undefined) return [];
    const count = (key: string) =>
      Number(record.match(new RegExp(`^${key}:(\\d+)$`, "m"))?.[1] ?? 0);
    const missed = [...record.matchAll(/^BRDA:(\d+),.*,(?:0|-)$/gm)];
    return [{
      path,
      lines: count("LF"),
      linesHit: count("LH"),
      branches: count("BRF"),
      branchesHit: count("BRH"),
      missed: [...new Set(missed.map(([, line]) => Number(line)))],
    }];
  });
}

/** A line for each room, and one for all. */
export function roomLines(files: readonly FileCoverage[]): string[] {
  const rooms = Map.groupBy(files, ({ path }) => path.split("/")[1]);
  const line = (room: string, of: readonly FileCoverage[]) => {
    const share = (hit: keyof FileCoverage, all: keyof FileCoverage) => {
      const sum = (key: keyof FileCoverage) =>
        of.reduce((total, file) => total + Number(file[key]), 0);
      const percent = 100 * sum(hit) / Math.max(1, sum(all));
      return `${percent.toFixed(1).padStart(6)} % of ${
        String(sum(all)).padStart(6)
      }`;
    };
    return `${room.padEnd(10)} lines ${share("linesHit", "lines")}  branches ${
      share("branchesHit", "branches")
    }`;
  };
  return [
    ...[...rooms].toSorted(([a], [b]) => a < b ? -1 : 1)
      .map(([room, of]) => line(room, of)),
    line("all", files),
  ];
}

/** Runs the tests and reports; gives the exit code of the tests. */
async function main(args: readonly string[]): Promise<number> {
  const shown = args.filter((arg) => arg.startsWith("src/"));
  const rest = args.filter((arg) => !shown.includes(arg));
  const isTier = (arg: string) => TIERS.some(({ name }) => name === arg);
  const folder = fileURLToPath(new URL("coverage/", ROOT));
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const code = await runTests([
    ...rest.some(isTier) ? [] : ["fast"],
    ...rest,
    `--coverage=${folder}`,
    "--coverage-raw-data-only",
  ]);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["coverage", "--lcov", "--include=/src/", folder],
    stderr: "inherit",
  }).output();
  const files = readCoverage(new TextDecoder().decode(stdout));
  const missed = files
    .filter(({ path }) => shown.some((place) => path.startsWith(place)))
    .flatMap(({ path, missed }) => missed.map((line) => `${path}:${line}`));
  const lines = [...missed, ...roomLines(files)];
  await Deno.stdout.write(new TextEncoder().encode(`\n${lines.join("\n")}\n`));
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
