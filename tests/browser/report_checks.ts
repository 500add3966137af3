/**
 * What is checked of a report in a real Chromium, with all permissions, since
 * its driver looks around on the machine; report_page_test.ts starts this and
 * reports each check. One line of JSON a check: {"name", "error"}.
 */
import assert from "node:assert/strict";
import axe from "axe-core/axe.min.js" with { type: "text" };
import { type Browser, chromium, type Page } from "playwright-core";
import { LIGHT } from "../../src/dashboard/page/palette.js";

const [chromiumPath, report] = Deno.args;

/** What axe finds wrong, as texts. */
const VIOLATIONS = "axe.run().then(({ violations }) => violations.map(" +
  "({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' ')))";

/** Drawings of the page that are seen. */
const SEEN = "[...document.querySelectorAll('figure svg[role=img]')]" +
  ".filter((svg) => svg.checkVisibility()).length";

const FIGURES = "document.querySelectorAll('figure').length";

/** Texts of drawings that reach out of them, of those that are seen. */
const CUT_OFF = `[...document.querySelectorAll("figure svg[role=img]")]
  .filter((svg) => svg.checkVisibility())
  .flatMap((svg) => {
    const outer = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
      const { left, right } = text.getBoundingClientRect();
      return left < outer.left - 1 || right > outer.right + 1;
    }).map((text) => svg.getAttribute("aria-labelledby") + ": " + text.textContent);
  })`;

/** Windows that the report is looked at in. */
const WINDOWS = [
  [360, "light"],
  [360, "dark"],
  [800, "light"],
  [1300, "dark"],
  [3840, "light"],
] as const;

async function check(name: string, body: () => Promise<void>): Promise<void> {
  let error: string | undefined;
  try {
    await body();
  } catch (failure) {
    error = failure instanceof Error ? failure.stack : String(failure);
  }
  const line = JSON.stringify({ name, error }) + "\n";
  await Deno.stdout.write(new TextEncoder().encode(line));
}

async function open(
  browser: Browser,
  width: number,
  colorScheme: "light" | "dark",
): Promise<{ page: Page; asked: string[] }> {
  const page = await browser.newPage({
    viewport: { width, height: 900 },
    colorScheme,
  });
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => asked.push(message.text()));
  page.on("pageerror", ({ message }) => asked.push(message));
  await page.goto(`file://${report}`);
  return { page, asked };
}

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  for (const [width, colorScheme] of WINDOWS) {
    const { page, asked } = await open(browser, width, colorScheme);
    const name = `${colorScheme}, ${width} pixels`;
    await check(`${name}: asks for nothing but itself`, async () => {
      await page.evaluate("document.fonts.ready");
      assert.deepEqual(asked, [`file://${report}`]);
    });
    await check(`${name}: no wider than the window`, async () => {
      const wide = "document.documentElement.scrollWidth";
      assert.equal(await page.evaluate(wide), width);
    });
    await check(
      `${name}: each figure is seen once, no text cut off`,
      async () => {
        assert.equal(await page.evaluate(SEEN), await page.evaluate(FIGURES));
        assert.deepEqual(await page.evaluate(CUT_OFF), []);
      },
    );
    await check(`${name}: axe finds nothing, tables unfolded`, async () => {
      const unfold = "document.querySelectorAll('details')" +
        ".forEach((details) => details.open = true)";
      await page.evaluate(unfold);
      await page.evaluate(axe);
      assert.deepEqual(await page.evaluate(VIOLATIONS), []);
    });
    await page.close();
  }
  await check("on paper it is light and has no place to click", async () => {
    const { page } = await open(browser, 720, "dark");
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const ink = "getComputedStyle(document.body).color";
    const [red, green, blue] = [1, 3, 5].map((at) => {
      return Number.parseInt(LIGHT.ink.slice(at, at + 2), 16);
    });
    assert.equal(await page.evaluate(ink), `rgb(${red}, ${green}, ${blue})`);
    const shown = "[...document.querySelectorAll('nav, summary')]" +
      ".filter((one) => one.checkVisibility()).length";
    assert.equal(await page.evaluate(shown), 0);
  });
} finally {
  await browser.close();
}
