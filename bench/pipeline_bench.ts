/**
 * The whole pipeline as users start it: the handbook's default data set at
 * --rate=max (payments a second, peak memory), then latency from published to
 * stored at --rate=1000.
 *
 *   deno task bench [--runs=N] [--seconds=N]
 */
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

interface Outcome {
  readonly stdout: string;
  readonly peakMiB: number | undefined;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function numberFlag(name: string, otherwise: number): number {
  const found = Deno.args.find((arg) => arg.startsWith(`--${name}=`));
  return found === undefined ? otherwise : Number(found.split("=")[1]);
}

/** Runs the pipeline; stops it after `stopSeconds` if that is given. */
async function run(flags: string[], stopSeconds?: number): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      MAIN,
      "run",
      ...flags,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let peakMiB: number | undefined;
  const timer = setInterval(async () => {
    const resident = await residentMiB(child.pid);
    if (resident !== undefined) peakMiB = Math.max(peakMiB ?? 0, resident);
  }, 250);
  const stop = stopSeconds === undefined
    ? undefined
    : setTimeout(() => child.kill("SIGINT"), stopSeconds * 1000);
  const stdout = await new Response(child.stdout).text();
  await child.status;
  clearInterval(timer);
  clearTimeout(stop);
  return { stdout, peakMiB };
}

/** Resident memory of a process in MiB; undefined when it has ended or there is no ps. */
async function residentMiB(pid: number): Promise<number | undefined> {
  try {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "rss=", "-p", String(pid)],
    }).output();
    const kilobytes = Number(new TextDecoder().decode(stdout));
    return kilobytes > 0 ? kilobytes / 1024 : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const runs = numberFlag("runs", 3);
  const seconds = numberFlag("seconds", 30);
  const rates: number[] = [];
  const peaks: number[] = [];
  for (let i = 0; i < runs; i++) {
    const data = join(folder, `max-${i}`);
    const { stdout, peakMiB } = await run([`--data=${data}`, "--rate=max"]);
    const rate = /stored in ([\d.]+) s, ([\d,]+) a second/.exec(stdout);
    if (!rate) throw new Error(`unexpected summary: ${stdout}`);
    rates.push(Number(rate[2].replaceAll(",", "")));
    peaks.push(peakMiB ?? NaN);
    await Deno.remove(data, { recursive: true });
  }
  rates.sort((a, b) => a - b);
  print(
    `rate=max   ${runs} runs of 1,754,155 payments: ${
      rates.map((rate) => rate.toLocaleString("en-US")).join(", ")
    } a second; peak memory ${Math.round(Math.max(...peaks))} MiB`,
  );
  const data = join(folder, "latency");
  const { stdout } = await run([`--data=${data}`, "--rate=1000"], seconds);
  const latency = /latency\s+(.*)/.exec(stdout)?.[1];
  print(`rate=1000  ${seconds} s: ${latency ?? stdout}`);
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) await main();
