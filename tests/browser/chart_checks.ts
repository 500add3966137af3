/**
 * What is checked of charts in a real Chromium, on the live page and in a
 * report: that they fill their place, that no texts overlap or are cut off, and
 * that all are readable, in narrow and in very wide windows. chart_test.ts
 * starts this with all permissions, which the driver of the browser needs, and
 * reports each check. One line of JSON per check: {"name", "error"}.
 */
import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { scoreStandIn } from "./stand_in_scorer.ts";
import { check, eventually } from "./browser_stage.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const [chromiumPath, folder] = Deno.args;
const data = `${folder}/data`;
const report = `${folder}/report.html`;
const WAIT_MS = 60_000;

/** Windows, and the smallest text that charts may have in them, in pixels. */
const WINDOWS = [
  [360, "light", 11],
  [1280, "dark", 11],
  [2560, "light", 14],
] as const;

/** The views that have charts, and how many. */
const VIEWS = [["now", 2], ["model", 4]] as const;

/** Runs the program to its end. */
async function run(...args: string[]): Promise<void> {
  const { code, stderr } = await program(args).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

function program(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "-A", MAIN, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
}

/** Serves the page of a stream that is complete. */
async function serve(): Promise<{ child: Deno.ChildProcess; address: string }> {
  const args = ["run", "--role=dashboard", `--data=${data}`, "--port=0"];
  const child = program(args).spawn();
  let said = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  (async () => {
    for await (
      const text of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      said += text;
      const found = /"address":"(http:[^"]+)"/.exec(said)?.[1];
      if (found) resolve(found);
    }
    reject(new Error(`the program ended: ${said}`));
  })();
  return { child, address: await promise };
}

/**
 * What is wrong with the drawings that a selector finds and that are seen, as
 * sentences: texts that overlap, are cut off or too small.
 */
function faultsOf(selector: string, smallest: number): string {
  return `[...document.querySelectorAll(${JSON.stringify(selector)})]
  .filter((svg) => svg.checkVisibility())
  .flatMap((svg) => {
    const outer = svg.getBoundingClientRect();
    const name = (svg.getAttribute("aria-label") ??
      svg.querySelector("title").textContent).slice(0, 40) + ": ";
    const texts = [...svg.querySelectorAll("text")].map((text) => {
      return [text.textContent, text.getBoundingClientRect()];
    });
    return texts.flatMap(([text, box], at) => {
      const faults = [];
      if (box.left < outer.left - 1 || box.right > outer.right + 1) {
        faults.push(name + text + " is cut off");
      }
      // A line of text is about 1.15 times as high as its letters.
      if (box.height / 1.1 < ${smallest}) {
        faults.push(name + text + " is small: " + box.height);
      }
      for (const [other, its] of texts.slice(at + 1)) {
        // Boxes of lines include some space above and below the letters.
        const apart = box.right <= its.left || its.right <= box.left ||
          box.bottom - 4 <= its.top || its.bottom - 4 <= box.top;
        if (!apart) faults.push(name + text + " overlaps " + other);
      }
      return faults;
    });
  })`;
}

/** How much of the width and the height of its card each chart has. */
const FILLED = `[...document.querySelectorAll(".chart svg")].map((svg) => {
  const card = svg.closest(".panel");
  const { paddingLeft, paddingRight } = getComputedStyle(card);
  const inner = card.clientWidth - parseFloat(paddingLeft) -
    parseFloat(paddingRight);
  const { width, height } = svg.getBoundingClientRect();
  return [width / inner, height / width];
})`;

async function open(page: Page, address: string, view: string): Promise<void> {
  await page.goto(`${address}/#/${view}`);
  await page.locator(".chart text").first().waitFor();
  // Charts are drawn again when what is around them has its place.
  await page.waitForTimeout(1500);
}

async function checkPage(browser: Browser, address: string): Promise<void> {
  for (const [width, colorScheme, smallest] of WINDOWS) {
    const viewport = { width, height: 1200 };
    const page = await browser.newPage({ viewport, colorScheme });
    page.setDefaultTimeout(WAIT_MS);
    for (const [view, charts] of VIEWS) {
      const name = `${view}, ${width} pixels, ${colorScheme}`;
      await check(`charts fill their cards: ${name}`, async () => {
        await open(page, address, view);
        const filled = await page.evaluate(FILLED) as [number, number][];
        assert.ok(filled.length >= charts, `${filled.length} charts`);
        for (const [share, ratio] of filled) {
          assert.ok(share > 0.98, `a chart has ${share} of its card`);
          assert.ok(ratio > 0.2, `a chart is ${ratio} as high as wide`);
        }
      });
      await check(`texts of charts are apart: ${name}`, async () => {
        const faults = await page.evaluate(faultsOf(".chart svg", smallest));
        assert.deepEqual(faults, []);
      });
    }
    await check(`the pointer reads a chart: ${width} pixels`, async () => {
      const chart = page.locator(".chart", { has: page.locator(".readout") })
        .nth(1);
      const reads = (day: RegExp) =>
        eventually(async () => {
          const text = await chart.locator(".readout b").textContent();
          assert.match(`${text}`, day);
        });
      await reads(/^2018-04-25/);
      const box = await chart.locator("svg").boundingBox();
      assert.ok(box);
      await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
      await reads(/^2018-04-(0|1[0-4])/);
    });
    await check(`days are dates: ${width} pixels`, async () => {
      const texts = await page.locator(".chart svg text").allTextContents();
      assert.ok(texts.some((text) => /^\d{1,2} Apr$/.test(text)), `${texts}`);
      assert.ok(texts.includes("day, 2018"), `${texts}`);
    });
    await page.close();
  }
}

async function checkReport(browser: Browser): Promise<void> {
  for (const [width, colorScheme] of WINDOWS) {
    const viewport = { width, height: 1200 };
    const page = await browser.newPage({ viewport, colorScheme });
    await check(`texts of a report's charts are apart: ${width}`, async () => {
      await page.goto(`file://${report}`);
      const selector = "figure svg[role=img]";
      assert.deepEqual(await page.evaluate(faultsOf(selector, 9)), []);
    });
    await page.close();
  }
}

await run("report", "--preset=seed", "--days=60", `--out=${report}`);
await run(
  "run",
  "--preset=seed",
  "--days=25",
  "--rate=max",
  `--data=${data}`,
  "--port=0",
);
{
  await using log = new EmbeddedLog({ path: `${data}/log.db`, durable: false });
  await scoreStandIn(log, "end");
}
const { child, address } = await serve();
const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  await checkPage(browser, address);
  await checkReport(browser);
} finally {
  await browser.close();
  child.kill("SIGINT");
  await child.status;
}
