/** Runs the program as a person would, in its own process. */
import { fileURLToPath } from "node:url";
import { canRun, canWrite } from "../permission.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** What the README tells people to grant. */
const PERMISSIONS = ["--allow-read", "--allow-write"];

/** What came of a run. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** How a run is started, where not as usual. */
export interface RunOptions {
  /** What stdin holds; nothing if undefined. */
  stdin?: Uint8Array;
  /** Permission flags instead of the usual ones. */
  permissions?: readonly string[];
  /** Environment variables besides those of the tests. */
  environment?: Record<string, string>;
  /** The folder that it is started in. */
  cwd?: string;
}

/** Starts the program; stdin is a pipe that the caller has to close. */
export function startProgram(
  args: readonly string[],
  { permissions = PERMISSIONS, environment = {}, cwd }: Omit<
    RunOptions,
    "stdin"
  > = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, MAIN, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: environment,
    ...cwd !== undefined && { cwd },
  }).spawn();
}

/** Runs the program to its end. */
export async function runMain(
  args: readonly string[],
  { stdin, ...options }: RunOptions = {},
): Promise<Outcome> {
  const child = startProgram(args, options);
  const fed = feed(child, stdin);
  const outcome = await outcomeOf(child);
  await fed;
  return outcome;
}

/** Waits for the end of a started program whose stdin somebody closes. */
export async function outcomeOf(child: Deno.ChildProcess): Promise<Outcome> {
  const [stdout, stderr, { code }] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  return { code, stdout, stderr };
}

async function feed(
  child: Deno.ChildProcess,
  bytes: Uint8Array = new Uint8Array(),
): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // The program ended without reading all of it, as it may.
  }
}

/** Defines a test that is ignored, and says why, where programs may not be started. */
export function testRunning(name: string, fn: () => Promise<void>): void {
  const allowed = canWrite && canRun;
  const flags = "--allow-read --allow-write --allow-run";
  const shown = allowed ? name : `${name} (needs ${flags})`;
  Deno.test({ name: shown, ignore: !allowed, fn });
}
