/** What is checked of every view: that it moves, is accessible, fits, and shows the truth only where that is asked for. */
import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import {
  check,
  inWindow,
  looksRight,
  newPage,
  noErrors,
  open,
  picture,
  type Stage,
  until,
} from "./browser_stage.ts";

const SIZES = [
  ["narrow", 360, 740],
  ["twice as large", 640, 400],
  ["wide", 1440, 900],
  ["4K", 3840, 2160],
] as const;

const NARROW = { width: 360, height: 740 };

const VIEWS = [
  "now",
  "alerts",
  "alerts?by=card",
  "alerts?state=cleared&card=1&score=0.99",
  "map",
  "map?card=3",
  "rules",
  "model",
  "system",
  "nowhere",
];

/** Runs them. */
export async function viewChecks(stage: Stage): Promise<void> {
  const context = await stage.browser.newContext({
    viewport: { width: 1440, height: 900 },
  });
  const page = await newPage(context);
  await check(
    "Now shows payments that move, and stops when told to",
    () => movingChecks(stage, page),
  );
  for (const size of SIZES) await lookChecks(stage, size);
  await check(
    "the first numbers are there before any script runs",
    () =>
      inWindow(stage, { javaScriptEnabled: false }, (bare) => {
        return firstNumberChecks(stage, bare);
      }),
  );
  await check(
    "everything is reached by the keyboard",
    () => keyboardChecks(stage, page),
  );
  await check("an unknown address says so and leads on", async () => {
    await open(page, stage.served.address, "now/2");
    await page.getByRole("heading", { name: "Not found" }).waitFor();
    await page.getByText("There is no view at #/now/2.").waitFor();
    // The server is not asked for a case that cannot be: that would be an error.
    for (const id of ["abc", "1.5", "9007199254740993"]) {
      await page.goto(`${stage.served.address}/#/alerts/${id}`);
      await page.getByText(`There is no view at #/alerts/${id}.`).waitFor();
    }
    await page.getByRole("link", { name: "queue of alerts" }).click();
    await page.getByRole("heading", { name: "Alerts", exact: true }).waitFor();
    noErrors(page);
  });
  await check(
    "the simulation's truth is shown only while its switch is on",
    () => truthChecks(stage, page),
  );
  await check(
    "on a narrow page the bar is one line, a verdict and alerts are on the first screen",
    () =>
      inWindow(stage, { viewport: NARROW }, (narrow) => {
        return narrowChecks(stage, narrow);
      }),
  );
  await check(
    "tiles fill their rows at every width",
    () => tileChecks(stage, page),
  );
  await check(
    "while history is read there is no rate and no number that it changes",
    () => inWindow(stage, {}, (visitor) => readingChecks(stage, visitor)),
  );
  await context.close();
}

async function movingChecks({ served }: Stage, page: Page): Promise<void> {
  await open(page, served.address, "now");
  const first = () =>
    page.getByRole("region", { name: "Newest payments" })
      .locator("tbody tr td a").first().textContent();
  const before = await first();
  await until(async () => await first() !== before);
  await page.getByRole("button", { name: "Pause" }).click();
  const held = await first();
  const stored = page.locator(".tile", { hasText: "Stored" }).locator("dd")
    .first();
  const count = await stored.textContent();
  await until(async () => await stored.textContent() !== count);
  assert.equal(await first(), held);
  noErrors(page);
}

/** The id of the first open alert. */
async function someAlert({ served }: Stage): Promise<number> {
  const answer = await fetch(`${served.address}/api/alerts`);
  const { alerts } = await answer.json();
  return alerts[0].id;
}

async function lookChecks(
  stage: Stage,
  [size, width, height]: typeof SIZES[number],
): Promise<void> {
  const looking = await stage.browser.newContext({
    viewport: { width, height },
    reducedMotion: "reduce",
    // For axe, which is a script of ours.
    bypassCSP: true,
  });
  const view = await newPage(looking);
  const alert = await someAlert(stage);
  for (const path of [...VIEWS, `alerts/${alert}`]) {
    const kind = path.replace(/\/\d+$/, "/ID");
    await check(`${kind} is accessible and fits: ${size}`, async () => {
      await open(view, stage.served.address, path);
      if (path === "model") await view.locator(".chart text").first().waitFor();
      await looksRight(view);
      noErrors(view);
      if (size === "wide") await takePictures(view, stage, kind);
    });
  }
  await check(`dialogs and the truth are accessible: ${size}`, async () => {
    await dialogChecks(view, stage.served.address, alert);
  });
  await looking.close();
}

/** Takes the pictures of the documentation that a view has. */
async function takePictures(
  view: Page,
  stage: Stage,
  kind: string,
): Promise<void> {
  for (
    const [colorScheme, pictures] of [
      ["light", LIGHT_PICTURES],
      ["dark", DARK_PICTURES],
    ] as const
  ) {
    if (pictures[kind] === undefined) continue;
    await view.emulateMedia({ colorScheme });
    await picture(view, stage, pictures[kind]);
  }
}

const LIGHT_PICTURES: Readonly<Record<string, string>> = {
  now: "dashboard-now",
  "alerts/ID": "dashboard-case",
};
const DARK_PICTURES: Readonly<Record<string, string>> = {
  map: "dashboard-map",
  model: "dashboard-model",
};

async function dialogChecks(
  view: Page,
  address: string,
  alert: number,
): Promise<void> {
  await open(view, address, "alerts?by=terminal");
  const accessible = async (title: string | RegExp) => {
    const dialog = view.getByRole("dialog", { name: title });
    await dialog.waitFor();
    await looksRight(view, String(title));
    await view.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  };
  await view.keyboard.press("?");
  await accessible("Keyboard");
  // Before anybody has given a name, a decision asks for it.
  await view.locator("tbody").getByRole("button").first().click();
  await accessible("Your name");
  await view.evaluate("localStorage.setItem('analyst', 'Ada')");
  await view.reload();
  await view.locator("tbody").getByRole("button").first().click();
  await accessible(/^Confirm .* open alerts? of terminal/);
  await open(view, address, `alerts/${alert}`);
  await view.getByRole("button", { name: "Snooze…" }).click();
  await accessible("Snooze this case");
  await view.evaluate("sessionStorage.setItem('truth', 'on')");
  for (const path of ["now", "alerts", `alerts/${alert}`]) {
    await view.goto("about:blank");
    await open(view, address, path);
    await looksRight(view, `truth of ${path}`);
  }
  noErrors(view);
}

async function firstNumberChecks(
  { served }: Stage,
  bare: BrowserContext,
): Promise<void> {
  const plain = await bare.newPage();
  await plain.goto(served.address);
  const tiles = plain.locator(".tile");
  assert.equal(await tiles.count(), 8);
  const stored = tiles.filter({ hasText: "Stored" }).locator("dd").first();
  assert.match(await stored.textContent() ?? "", /^[\d,]*[1-9][\d,]*$/);
}

async function keyboardChecks({ served }: Stage, page: Page): Promise<void> {
  await open(page, served.address, "now");
  await page.bringToFront();
  await page.reload();
  await page.locator("tbody tr td a").first().waitFor();
  await page.keyboard.press("Tab");
  const focused = "document.activeElement.textContent";
  assert.equal(await page.evaluate(focused), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("document.activeElement.id"), "main");
  await page.reload();
  await page.locator("tbody tr td a").first().waitFor();
  for (let i = 0; i < 4; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Alerts", exact: true }).waitFor();
  // The heading of the new view has the focus then.
  await until(async () => await page.evaluate(focused) === "Alerts");
}

/** Texts that only the simulation knows. */
const TRUTH = /scenario|compromised|in truth|\(truth\)/i;

async function truthChecks(stage: Stage, page: Page): Promise<void> {
  const { served: { address } } = stage;
  const alert = await someAlert(stage);
  const text = () => page.locator("main").innerText();
  const views = ["now", "alerts", `alerts/${alert}`];
  for (const path of views) {
    await open(page, address, path);
    assert.doesNotMatch(await text(), TRUTH, path);
  }
  const toggle = page.getByRole("switch", { name: /truth/ });
  assert.equal(await toggle.getAttribute("aria-checked"), "false");
  await toggle.click();
  for (const path of views) {
    await open(page, address, path);
    await until(async () => TRUTH.test(await text()));
  }
  // It is another tab's choice whether it shows it too.
  const other = await newPage(page.context());
  await open(other, address, "now");
  assert.doesNotMatch(await other.locator("main").innerText(), TRUTH);
  await other.close();
  await toggle.click();
  await until(async () => !TRUTH.test(await text()));
  noErrors(page);
}

async function narrowChecks(
  stage: Stage,
  narrow: BrowserContext,
): Promise<void> {
  const { width, height } = NARROW;
  const page = await newPage(narrow);
  const { address } = stage.served;
  await open(page, address, "now");
  const bottomOf = async (selector: string) => {
    const box = await page.locator(selector).first().boundingBox();
    return (box?.y ?? Infinity) + (box?.height ?? 0);
  };
  assert.ok(await bottomOf("header.top") < 60, "the bar has one line");
  const links = await page.locator("#nav a").all();
  for (const link of links) {
    const box = await link.boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= width);
  }
  const row = "[aria-label='Newest open alerts'] tbody tr";
  await page.locator(row).first().waitFor();
  assert.ok(await bottomOf(row) <= height, "an alert is on the first screen");
  await open(page, address, `alerts/${await someAlert(stage)}`);
  assert.ok(await bottomOf(".decide") <= height, "so are the verdicts");
  const atEnd = await page.evaluate(
    `[...document.querySelectorAll(".figure .scroll")].map((one) =>
      one.scrollWidth - one.clientWidth - Math.ceil(one.scrollLeft))`,
  ) as number[];
  assert.ok(atEnd.length === 2 && atEnd.every((left) => left <= 1), `${atEnd}`);
  noErrors(page);
}

async function tileChecks({ served }: Stage, page: Page): Promise<void> {
  await open(page, served.address, "now");
  for (const width of [320, 360, 600, 768, 1024, 1280, 1920, 2560, 3840]) {
    await page.setViewportSize({ width, height: 900 });
    const rows = await page.evaluate(
      `Object.values(Object.groupBy(document.querySelectorAll(".tile"),
        (tile) => Math.round(tile.getBoundingClientRect().top)))
        .map((row) => row.length)`,
    ) as number[];
    assert.equal(new Set(rows).size, 1, `${width} px: rows of ${rows}`);
  }
}

async function readingChecks(
  { served }: Stage,
  visitor: BrowserContext,
): Promise<void> {
  const page = await newPage(visitor);
  // The page stays with the state that it came with.
  await page.addInitScript(
    "delete globalThis.SharedWorker; globalThis.EventSource = class { close() {} };",
  );
  await page.route(`${served.address}/`, async (route) => {
    const response = await route.fetch();
    const reading =
      "{&quot;what&quot;:&quot;history&quot;,&quot;share&quot;:0.417}";
    const body = (await response.text()).replace(
      'name="snapshot" content="{',
      `name="snapshot" content="{&quot;reading&quot;:${reading},`,
    );
    await route.fulfill({ response, body });
  });
  await page.goto(`${served.address}/#/now`);
  await page.locator("#reading", { hasText: "Reading history, 41 %" })
    .waitFor();
  const tiles = await page.locator(".tile").evaluateAll((found) =>
    Object.fromEntries(
      found.map((tile) => [...tile.children].map((one) => one.textContent)),
    )
  );
  for (
    const name of [
      "Payments per second",
      "Known frauds",
      "Open alerts",
      "Amount at risk",
      "Fraud stopped",
    ]
  ) assert.equal(tiles[name], "–", name);
  assert.ok(!await page.locator("#open-alerts").isVisible());
}
