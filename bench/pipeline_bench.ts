/**
 * The whole pipeline as users start it: the handbook's default data set at
 * --rate=max (payments a second, peak memory), then latency from published to
 * stored at --rate=1000.
 *
 *   deno task bench [--runs=N] [--seconds=N] [--model=FILE]
 *
 * Every run is done twice, without scoring (--no-model) and with it, so that
 * both meet the same minutes of the machine. Without --model it is the built-in
 * model that scores.
 */
import { join } from "node:path";
import { BUILT_IN_MODEL } from "../src/scoring/open_model.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, print } from "./figures.ts";
import { latencyOf, runPipeline } from "./program.ts";

async function main(): Promise<void> {
  const { runs, seconds, model } = readFlags({
    runs: 3,
    seconds: 30,
    model: BUILT_IN_MODEL,
  });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const variants = [
    { name: "rate=max  ", flags: ["--no-model"] },
    { name: "… scored  ", flags: [`--model=${model}`] },
  ].map((variant) => ({
    ...variant,
    rates: [] as number[],
    peaks: [] as number[],
  }));
  for (let i = 0; i < runs; i++) {
    for (const { flags, rates, peaks } of variants) {
      const data = join(folder, `max-${i}`);
      const { stdout, peakMiB } = await runPipeline([
        `--data=${data}`,
        "--rate=max",
        ...flags,
      ]);
      const rate = /stored in ([\d.]+) s, ([\d,]+) per second/.exec(stdout);
      if (!rate) throw new Error(`unexpected summary: ${stdout}`);
      rates.push(Number(rate[2].replaceAll(",", "")));
      peaks.push(peakMiB);
      await Deno.remove(data, { recursive: true });
    }
  }
  for (const { name, rates, peaks } of variants) {
    rates.sort((a, b) => a - b);
    print(
      `${name} ${runs} runs of 1,754,155 payments: ${
        rates.map((rate) => figure(rate)).join(", ")
      } a second; peak memory ${Math.round(Math.max(...peaks))} MiB`,
    );
  }
  for (const [at, { name, flags }] of variants.entries()) {
    const data = join(folder, `latency-${at}`);
    const { stdout } = await runPipeline(
      [`--data=${data}`, "--rate=1000", ...flags],
      seconds,
    );
    print(`${name.replace("max ", "1000")} ${seconds} s: ${latencyOf(stdout)}`);
  }
  await Deno.remove(folder, { recursive: true });
}

if (import.meta.main) await main();
