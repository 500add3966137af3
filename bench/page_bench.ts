/**
 * First visits of the live page: how long until its numbers are painted, in a
 * new browser profile each, while the pipeline runs on the same machine.
 *
 *   deno run --allow-all bench/page_bench.ts [--visits=20] [--rate=1000]
 *
 * All permissions, since the browser's driver looks around on the machine.
 */
import { chromium } from "playwright-core";
import { findChromium } from "../tests/browser/chromium.ts";
import { serve, stop } from "../tests/browser/browser_stage.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, median, print, range, tell } from "./figures.ts";

/** A first visit within this many milliseconds counts as fast. */
const FAST_MS = 300;
/** How long the pipeline runs before the first visit, in milliseconds. */
const WARM_MS = 5000;

async function main(): Promise<void> {
  const { visits, rate } = readFlags({ visits: 20, rate: 1000 });
  const executablePath = findChromium();
  if (executablePath === undefined) {
    tell("there is no Chromium; name one in FRAUDSTREAM_CHROMIUM");
    Deno.exit(2);
  }
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const flags = [`--rate=${rate}`, "--stay", "--port=0"];
  const served = await serve(`${folder}/data`, flags);
  try {
    await new Promise((resolve) => setTimeout(resolve, WARM_MS));
    const times: number[] = [];
    for (let i = 0; i < visits; i++) {
      times.push(await firstVisit(executablePath, served.address));
      tell(`visit ${i + 1}: ${figure(times[i])} ms`);
    }
    const fast = times.filter((ms) => ms < FAST_MS).length;
    print(
      `first visits at ${rate} payments per second: ${fast} of ${visits} ` +
        `below ${FAST_MS} ms; ${range(times, (ms) => figure(ms))} ms, ` +
        `median ${figure(median(times))} ms`,
    );
  } finally {
    await stop(served);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Milliseconds from the navigation to the first paint that has the numbers, in a browser that was just started. */
async function firstVisit(
  executablePath: string,
  address: string,
): Promise<number> {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage({
      viewport: { width: 1440, height: 900 },
    });
    await page.goto(address);
    await page.locator(".tile").first().waitFor();
    // The numbers are in the document itself, so the first paint has them.
    return await page.evaluate(
      "performance.getEntriesByName('first-contentful-paint')[0].startTime",
    ) as number;
  } finally {
    await browser.close();
  }
}

if (import.meta.main) await main();
