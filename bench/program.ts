/**
 * The programs that the benchmarks start: fraudstream itself, Java, peers. All
 * go through `sh`, which finds them, so that the permission to start `sh` is
 * all that is needed.
 */
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
/** Ticks of a second in /proc, on every Linux. */
const TICKS = 100;
const LINES_SHOWN = 10;
/** Memory is looked at so often. */
const MEMORY_MS = 250;

const EXEC = 'exec "$@"';
/** Leaves the processor time of the program, as `times` prints it, in a file. */
const TIMED = '"$@"; code=$?; LC_ALL=C times >"$0"; exit $code';

/** The command line of fraudstream with these arguments, as `deno task start` has it. */
export function fraudstream(args: readonly string[]): string[] {
  const files = ["--quiet", "--no-prompt", "--allow-read", "--allow-write"];
  const isCluster = args.some((arg) =>
    arg === "--log=kafka" || arg === "--store=cassandra"
  );
  const isServing = args.some((arg) => arg.startsWith("--api-port="));
  const permissions = isCluster
    ? ["--allow-env=KAFKAJS_*", "--allow-net"]
    : isServing
    ? ["--allow-net=127.0.0.1"]
    : [];
  return [Deno.execPath(), "run", ...files, ...permissions, MAIN, ...args];
}

/** What a run of fraudstream took. */
export interface MeasuredRun {
  /** What it printed. */
  readonly stdout: string;
  /** Seconds of the clock, from its start to its end. */
  readonly seconds: number;
  /** Seconds of processor time of all its threads. */
  readonly processorSeconds: number;
  /** Its largest resident memory; NaN where /proc does not tell. */
  readonly peakMiB: number;
}

/** Runs a command as users do, with all that it takes. Throws with its last words if it failed. */
export async function measureCommand(
  args: readonly string[],
): Promise<MeasuredRun> {
  const timesFile = await Deno.makeTempFile();
  const began = performance.now();
  const child = new Deno.Command("sh", {
    args: ["-c", TIMED, timesFile, ...fraudstream(args)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  // The kernel keeps the peak, so that the last answer holds almost all of it.
  const script = `pid=$(cat /proc/${child.pid}/task/${child.pid}/children) ` +
    "&& grep VmHWM /proc/${pid% }/status";
  let peakMiB = NaN;
  const timer = setInterval(async () => {
    const kilobytes = /\d+/.exec(await said(script))?.[0];
    if (kilobytes !== undefined) peakMiB = Number(kilobytes) / 1024;
  }, MEMORY_MS);
  const stdout = await new Response(child.stdout).text();
  const { success } = await child.status;
  const seconds = (performance.now() - began) / 1000;
  clearInterval(timer);
  const times = await Deno.readTextFile(timesFile);
  await Deno.remove(timesFile);
  if (!success) throw failure(["fraudstream", ...args], await words);
  return { stdout, seconds, processorSeconds: childrenSeconds(times), peakMiB };
}

/** A program that runs, measured. */
export interface TimedProgram {
  /** Whether it has ended. */
  readonly hasEnded: boolean;
  /** Ends its stdin and waits for it; gives the seconds of processor time that it took. Throws with its last words if it failed. */
  end(): Promise<number>;
}

/** Starts a program of which only the time matters. */
export async function startTimed(
  command: readonly string[],
): Promise<TimedProgram> {
  const timesFile = await Deno.makeTempFile();
  const child = new Deno.Command("sh", {
    args: ["-c", TIMED, timesFile, ...command],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  return {
    get hasEnded() {
      return hasEnded;
    },
    end: async () => {
      await child.stdin.close().catch(() => {}); // it has ended by itself
      const { success } = await child.status;
      const times = await Deno.readTextFile(timesFile);
      await Deno.remove(timesFile);
      if (!success) throw failure(command, await words);
      return childrenSeconds(times);
    },
  };
}

/** The second line of `times`: minutes and seconds, user and system. */
function childrenSeconds(times: string): number {
  const [, children] = times.split("\n");
  const parts = children.matchAll(/(\d+)m([\d.]+)s/g);
  let sum = 0;
  for (const [, minutes, seconds] of parts) {
    sum += 60 * Number(minutes) + Number(seconds);
  }
  return sum;
}

/** A server in its own process. */
export interface ServerProgram extends AsyncDisposable {
  /** Its process. */
  readonly pid: number;
  /** Throws with its last words if it has ended. */
  requireRunning(): Promise<void>;
}

/** Starts a server; it is stopped in order when it is disposed of. */
export function startServer(command: readonly string[]): ServerProgram {
  const child = new Deno.Command("sh", {
    args: ["-c", EXEC, "sh", ...command],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  let hasEnded = false;
  const ended = child.status.then(() => hasEnded = true);
  return {
    pid: child.pid,
    requireRunning: async () => {
      if (hasEnded) throw failure(command, await words);
    },
    [Symbol.asyncDispose]: async () => {
      if (!hasEnded) child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Runs a program whose output is taken as it comes. Throws with its last words if it failed. */
export async function readOutput(
  command: readonly string[],
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  const child = new Deno.Command("sh", {
    args: ["-c", EXEC, "sh", ...command],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  for await (const chunk of child.stdout) take(chunk);
  const { success } = await child.status;
  if (!success) throw failure(command, await words);
}

/** Runs a program and gives its output. */
export async function outputOf(command: readonly string[]): Promise<string> {
  const decoder = new TextDecoder();
  let output = "";
  await readOutput(command, (chunk) => {
    output += decoder.decode(chunk, { stream: true });
  });
  return output;
}

function failure(command: readonly string[], words: string): Error {
  const last = words.trimEnd().split("\n").slice(-LINES_SHOWN).join("\n");
  return new Error(`failed: ${command.join(" ")}\n${last}`);
}

/** What a run of fraudstream left. */
export interface ProgramOutcome {
  /** What it printed. */
  readonly stdout: string;
  /** Its largest resident memory; NaN where `ps` does not tell. */
  readonly peakMiB: number;
}

/** Runs the pipeline as users do; stops it after `stopSeconds` if that is given. */
export async function runPipeline(
  flags: readonly string[],
  stopSeconds?: number,
): Promise<ProgramOutcome> {
  return await runCommand(["run", ...flags], stopSeconds);
}

/** Runs a command as users do; stops it after `stopSeconds` if that is given. Throws with its last words if it failed. */
export async function runCommand(
  args: readonly string[],
  stopSeconds?: number,
): Promise<ProgramOutcome> {
  const child = new Deno.Command("sh", {
    args: ["-c", EXEC, "sh", ...fraudstream(args)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const words = new Response(child.stderr).text();
  let peakMiB = NaN;
  const timer = setInterval(async () => {
    const resident = await residentMiB(child.pid);
    if (!(resident <= peakMiB)) peakMiB = resident || peakMiB;
  }, MEMORY_MS);
  const stop = stopSeconds === undefined
    ? undefined
    : setTimeout(() => child.kill("SIGINT"), stopSeconds * 1000);
  const stdout = await new Response(child.stdout).text();
  const { success } = await child.status;
  clearInterval(timer);
  clearTimeout(stop);
  if (!success) throw failure(["fraudstream", ...args], await words);
  return { stdout, peakMiB };
}

/** The percentiles that a run's summary tells. Throws where it tells none. */
export function latencyOf(summary: string): string {
  const latency = /^latency\s+(.*)$/m.exec(summary)?.[1];
  if (latency === undefined) throw new Error(`no latency: ${summary}`);
  return latency;
}

/** Resident memory of a process in MiB; NaN when it has ended or there is no ps. */
export async function residentMiB(pid: number): Promise<number> {
  const kilobytes = await said(`ps -o rss= -p ${pid}`);
  return kilobytes === "" ? NaN : Number(kilobytes) / 1024;
}

/** Seconds of processor time that a process has taken so far; NaN where /proc does not tell. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await said(`cat /proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = fields.slice(11, 13).map(Number);
  return (user + system) / TICKS;
}

async function said(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", script],
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}
