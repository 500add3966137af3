/**
 * First visits of the live page: how long from the navigation until its numbers
 * are painted, in a new browser profile each, on the machine that runs the
 * pipeline too: at rest, at a steady rate, and as fast as it can, when the page
 * reads far behind. The browser itself has been started before, as a visitor's
 * has; nothing of the page is in its cache.
 *
 *   deno run --allow-all bench/page_bench.ts [--visits=20] [--rate=1000]
 *
 * All permissions, since the browser's driver looks around on the machine.
 */
import { type Browser, chromium } from "playwright-core";
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
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const load = `${figure(rate)} payments per second`;
    const few = "--customers=500";
    await report(browser, visits, "at rest", [few, "--days=2", "--rate=max"]);
    await report(browser, visits, `at ${load}`, [`--rate=${rate}`]);
    await report(browser, visits, "at full load", ["--rate=max"]);
  } finally {
    await browser.close();
  }
}

/** Visits the page of a new stream and prints how long its numbers took. */
async function report(
  browser: Browser,
  visits: number,
  name: string,
  flags: readonly string[],
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const served = await serve(`${folder}/data`, [
    ...flags,
    "--stay",
    "--port=0",
  ]);
  try {
    await new Promise((resolve) => setTimeout(resolve, WARM_MS));
    const times: number[] = [];
    let behind = 0;
    for (let i = 0; i < visits; i++) {
      const { paintedMs, isReading } = await visit(browser, served.address);
      times.push(paintedMs);
      if (isReading) behind++;
      tell(`${name}, visit ${i + 1}: ${figure(paintedMs)} ms`);
    }
    const fast = times.filter((ms) => ms < FAST_MS).length;
    print(
      `first visits ${name}: ${fast} of ${visits} below ${FAST_MS} ms; ` +
        `${range(times, (ms) => figure(ms))} ms, ` +
        `median ${figure(median(times))} ms` +
        (behind > 0 ? `; ${behind} while the page read history` : ""),
    );
  } finally {
    await stop(served);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Keeps when the first frame was drawn after the numbers were in the document. */
const WATCH = `
  const look = () => {
    if (!document.querySelector(".tile")) return requestAnimationFrame(look);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => globalThis.drawnAt = performance.now();
    port2.postMessage(0);
  };
  requestAnimationFrame(look);
`;

/** What a visit has seen. */
interface Drawn {
  /** Milliseconds from the navigation to the first paint with the numbers. */
  readonly paintedMs: number;
  /** Whether the page said that it was reading history. */
  readonly isReading: boolean;
}

/** Undefined before the first paint with the numbers. */
const DRAWN = `(() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return paint && globalThis.drawnAt && {
    paintedMs: Math.max(globalThis.drawnAt, paint.startTime),
    isReading: !document.getElementById("reading").hidden,
  };
})()`;

/** Visits the page in a new profile, whose first window is empty. */
async function visit(browser: Browser, address: string): Promise<Drawn> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
  });
  try {
    const page = await context.newPage();
    await page.goto("about:blank");
    await page.addInitScript(WATCH);
    await page.goto(address);
    for (;;) {
      const drawn = await page.evaluate(DRAWN) as Drawn | undefined;
      if (drawn) return drawn;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await context.close();
  }
}

if (import.meta.main) await main();
