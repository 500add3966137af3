/**
 * The whole pipeline as users start it: the handbook's default data set at
 * --rate=max (payments a second, peak memory), then latency from published to
 * stored at --rate=1000.
 *
 *   deno task bench [--runs=N] [--seconds=N]
 */
import { join } from "node:path";
import { readFlags } from "./bench_flags.ts";
import { figure, print } from "./figures.ts";
import { latencyOf, runPipeline } from "./program.ts";

async function main(): Promise<void> {
  const { runs, seconds } = readFlags({ runs: 3, seconds: 30 });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const rates: number[] = [];
  const peaks: number[] = [];
  for (let i = 0; i < runs; i++) {
    const data = join(folder, `max-${i}`);
    const flags = [`--data=${data}`, "--rate=max"];
    const { stdout, peakMiB } = await runPipeline(flags);
    const rate = /stored in ([\d.]+) s, ([\d,]+) a second/.exec(stdout);
    if (!rate) throw new Error(`unexpected summary: ${stdout}`);
    rates.push(Number(rate[2].replaceAll(",", "")));
    peaks.push(peakMiB);
    await Deno.remove(data, { recursive: true });
  }
  rates.sort((a, b) => a - b);
  print(
    `rate=max   ${runs} runs of 1,754,155 payments: ${
      rates.map((rate) => figure(rate)).join(", ")
    } a second; peak memory ${Math.round(Math.max(...peaks))} MiB`,
  );
  const data = join(folder, "latency");
  const flags = [`--data=${data}`, "--rate=1000"];
  const { stdout } = await runPipeline(flags, seconds);
  print(`rate=1000  ${seconds} s: ${latencyOf(stdout)}`);
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) await main();
