/** What is checked of an analyst's work: the queue, its filter, cases by the keyboard, groups, and what other pages see. */
import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import {
  check,
  inWindow,
  newPage,
  noErrors,
  open,
  type Stage,
  until,
} from "./browser_stage.ts";

/** Alerts that are decided by the keyboard. */
const TRIAGED = 50;

/** Runs them. */
export async function triageChecks(stage: Stage): Promise<void> {
  const context = await stage.browser.newContext({
    viewport: { width: 1440, height: 900 },
  });
  const page = await newPage(context);
  await check(
    "50 alerts are decided by the keyboard with at most two keys each",
    () => keyboardTriage(stage, page),
  );
  await check(
    "new alerts are announced and move no row",
    () => arrivalChecks(stage, page),
  );
  await check("the last verdict is undone by u", () => undoChecks(stage, page));
  await check(
    "shortcuts rest while somebody types, and can be turned off",
    () => shortcutChecks(stage, page),
  );
  await check(
    "a filter is in the address: reload, Back and a link keep it",
    () => filterChecks(stage, page),
  );
  await check("a row is a link as a whole", () => rowChecks(stage, page));
  await check(
    "a group is decided at once, after its number and amount were confirmed",
    () => groupChecks(stage, page),
  );
  await check(
    "claim, note and snooze are seen on a second page",
    () => sharedChecks(stage, page, context),
  );
  await check(
    "two analysts who act on one case at once do not overwrite each other",
    () => togetherChecks(stage),
  );
  await context.close();
}

/** How many alerts the server counts for a query. */
async function countOf({ served }: Stage, query: string): Promise<number> {
  const answer = await fetch(`${served.address}/api/alerts?${query}`);
  return (await answer.json()).total;
}

/** The id in the heading of the open case. */
async function shownCase(page: Page): Promise<string> {
  const title = await page.locator("h1").textContent();
  return /^Case (\d+)$/.exec(title ?? "")?.[1] ?? "";
}

async function keyboardTriage(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "alerts");
  await page.locator("tr.goes a").first().waitFor();
  let keys = 0;
  const press = async (key: string) => {
    keys++;
    await page.keyboard.press(key);
  };
  await press("j");
  await press("Enter");
  const decided = new Set<string>();
  for (let i = 0; i < TRIAGED; i++) {
    await page.locator(".decide").waitFor();
    const id = await shownCase(page);
    assert.ok(id !== "" && !decided.has(id), `case ${id} once`);
    decided.add(id);
    await press(i % 2 === 0 ? "c" : "l");
    if (i === 0) {
      // Once for all visits.
      await page.getByRole("textbox", { name: "Name" }).waitFor();
      await page.keyboard.type("Ada <b>Lovelace</b>");
      await page.keyboard.press("Enter");
    }
    await until(async () => await shownCase(page) !== id);
  }
  assert.ok(keys <= 2 * TRIAGED, `${keys} keys`);
  assert.equal(await countOf(stage, "state=confirmed"), TRIAGED / 2);
  assert.equal(await countOf(stage, "state=cleared"), TRIAGED / 2);
  assert.equal(await page.locator("main b").count(), 0);
  noErrors(page);
}

async function undoChecks(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "alerts");
  await page.locator("tr.goes a").first().click();
  await page.locator(".decide").waitFor();
  const id = await shownCase(page);
  const before = await countOf(stage, "state=confirmed");
  await page.keyboard.press("c");
  await page.getByText(`Case ${id} confirmed as fraud`).waitFor();
  assert.equal(await countOf(stage, "state=confirmed"), before + 1);
  await page.keyboard.press("u");
  await page.getByText(`Undone: case ${id} is as it was before`).waitFor();
  await until(async () => await shownCase(page) === id);
  assert.equal(await countOf(stage, "state=confirmed"), before);
  // Both stay in the history.
  const history = page.getByRole("log");
  await history.getByText("undone").waitFor();
  await history.getByText("Ada <b>Lovelace</b>").first().waitFor();
  noErrors(page);
}

async function shortcutChecks(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "now");
  await page.keyboard.press("/");
  const search = page.getByLabel("Payment, card or terminal");
  await search.waitFor();
  const focused = "document.activeElement.id";
  await until(async () => await page.evaluate(focused) === "filter-q");
  await page.keyboard.type("?");
  assert.equal(await search.inputValue(), "?");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await search.fill("");
  await search.blur();
  await page.keyboard.press("?");
  const dialog = page.getByRole("dialog", { name: "Keyboard" });
  await dialog.getByLabel("Single-key shortcuts are on").uncheck();
  await dialog.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("?");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await dialog.count(), 0);
  await page.getByRole("button", { name: "Keyboard" }).click();
  await dialog.getByLabel("Single-key shortcuts are on").check();
  await page.keyboard.press("Escape");
  noErrors(page);
}

async function filterChecks(stage: Stage, page: Page): Promise<void> {
  const { address } = stage.served;
  await open(page, address, "alerts");
  await page.getByText("More filters").click();
  await page.getByLabel("Score from").fill("0.95");
  await page.getByLabel("Amount from").fill("100");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByLabel("Order").selectOption("newest");
  const sum = page.locator(".sum .note");
  const wanted = new URLSearchParams({
    sort: "newest",
    score: "0.95",
    amountFrom: "100",
  });
  const news = page.getByRole("button", { name: /^[\d,]+ new$/ });
  await until(async () => {
    // The rows wait for a click while alerts still arrive.
    if (await news.isVisible()) await news.click();
    const text = `${await countOf(stage, wanted.toString())} open alerts`;
    return (await sum.textContent())?.replaceAll(",", "").startsWith(text) ??
      false;
  });
  const hash = () => new URL(page.url()).hash;
  const filtered = hash();
  assert.deepEqual(
    [...new URLSearchParams(filtered.split("?")[1])].sort(),
    [...wanted].sort(),
  );
  const isKept = async () => {
    await page.locator("tr.goes a").first().waitFor();
    assert.equal(await page.getByLabel("Score from").inputValue(), "0.95");
    assert.equal(await page.getByLabel("Order").inputValue(), "newest");
    assert.equal(hash(), filtered);
  };
  await isKept();
  await page.reload();
  await isKept();
  await page.locator("tr.goes a").first().click();
  await page.locator(".decide").waitFor();
  assert.match(hash(), /^#\/alerts\/\d+\?.*amountFrom=100/);
  await page.goBack();
  await isKept();
  await page.getByRole("link", { name: "Map" }).click();
  await page.getByRole("heading", { name: "Map" }).waitFor();
  await page.goBack();
  await isKept();
  noErrors(page);
}

async function arrivalChecks(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "alerts?sort=newest");
  await page.locator("tr.goes a").first().waitFor();
  const rows = () => page.locator("tr.goes a").allTextContents();
  const before = await rows();
  const arrived = page.getByRole("button", { name: /^[\d,]+ new$/ });
  await arrived.waitFor();
  assert.deepEqual(await rows(), before);
  await arrived.click();
  await until(async () => (await rows())[0] !== before[0]);
  noErrors(page);
}

async function rowChecks(stage: Stage, page: Page): Promise<void> {
  await open(page, stage.served.address, "alerts");
  await page.locator("tr.goes a").first().waitFor();
  // A place in the row, far from the link's text.
  const box = await page.locator("tr.goes").first().locator("td").nth(6)
    .boundingBox();
  assert.ok(box);
  const click = (button: "left" | "middle") =>
    page.mouse.click(box.x + box.width / 2, box.y + box.height / 2, { button });
  const [opened] = await Promise.all([
    page.context().waitForEvent("page"),
    click("middle"),
  ]);
  await opened.locator(".decide").waitFor();
  await opened.close();
  await click("left");
  await page.locator(".decide").waitFor();
  noErrors(page);
}

async function groupChecks(stage: Stage, page: Page): Promise<void> {
  const { address } = stage.served;
  await open(page, address, "alerts?by=card");
  const row = page.locator("tr.goes").first();
  const card = await row.locator("a").textContent();
  const open2 = `card=${card}&state=open`;
  const dialog = page.getByRole("dialog", { name: /^Confirm / });
  const sumOf = async () => {
    const answer = await fetch(`${address}/api/alerts?${open2}`);
    const { total, amount } = await answer.json();
    const money = new Intl.NumberFormat("en-US", {
      style: "currency",
      currency: "EUR",
    }).format(amount);
    const alerts = total === 1 ? "1 alert" : `${total} alerts`;
    return { total: Number(total), text: `${alerts}, ${money} in all` };
  };
  let { total, text } = await sumOf();
  for (;;) {
    await row.getByRole("button", { name: /Confirm all/ }).click();
    await dialog.waitFor();
    const shown = await dialog.innerText();
    const before = text;
    ({ total, text } = await sumOf());
    if (shown.includes(text)) break;
    // An alert that came while the dialog opened explains a difference.
    assert.notEqual(text, before, shown);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  }
  await dialog.getByRole("button", { name: /^Confirm \d+ alert/ }).click();
  await page.getByText(new RegExp(`of card ${card} confirmed as fraud`))
    .waitFor();
  assert.ok(await countOf(stage, open2) < total);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText(/^Undone: /).waitFor();
  assert.ok(await countOf(stage, open2) >= total);
  noErrors(page);
}

async function sharedChecks(
  stage: Stage,
  page: Page,
  context: BrowserContext,
): Promise<void> {
  const { address } = stage.served;
  await open(page, address, "alerts");
  await page.locator("tr.goes a").first().click();
  await page.locator(".decide").waitFor();
  const id = await shownCase(page);
  const second = await newPage(context);
  await open(second, address, `alerts/${id}`);
  await page.keyboard.press("a");
  await second.getByRole("button", { name: /^Release \(Ada/ }).waitFor();
  await page.getByText("Add a note").click();
  await page.getByLabel(/^Note/).fill("<script>document.title='x'</script>");
  await page.getByRole("button", { name: "Save the note" }).click();
  await second.getByRole("log").getByText("<script>").waitFor();
  await page.getByRole("button", { name: "Snooze…" }).click();
  const dialog = page.getByRole("dialog", { name: "Snooze this case" });
  const until = await dialog.getByLabel("Until").inputValue();
  await dialog.getByRole("button", { name: "Snooze" }).click();
  await second.getByText(`snoozed until ${until}`).first().waitFor();
  // The first page has gone on to the next case.
  await page.getByRole("heading", { name: `Case ${id}` })
    .waitFor({ state: "detached" });
  assert.equal(await countOf(stage, `q=${id}&state=snoozed`), 1);
  await second.close();
  noErrors(page);
}

/** Presses a key on a page, whose analyst then gives a name if asked for it. */
async function pressAs(page: Page, key: string, name: string): Promise<void> {
  await page.keyboard.press(key);
  const field = page.getByRole("textbox", { name: "Name" });
  const said = page.getByText(/^(Case \d+ |Not saved. )/).first();
  await field.or(said).first().waitFor();
  if (!await field.isVisible()) return;
  await field.fill(name);
  await page.keyboard.press("Enter");
}

/**
 * Lets no action of two pages reach the server before both are made, so that
 * neither page has seen the other's. `act` is repeated until a page sends its
 * action: it takes no key while the one before is not finished.
 */
async function atOnce(
  pages: readonly Page[],
  act: (page: Page, at: number) => Promise<void>,
): Promise<void> {
  const path = "**/api/cases/*/events";
  const all = Promise.withResolvers<void>();
  const held = new Set<Page>();
  for (const page of pages) {
    await page.route(path, async (route) => {
      held.add(page);
      if (held.size === pages.length) all.resolve();
      await all.promise;
      await route.continue();
    });
  }
  await Promise.all(pages.map((page, at) =>
    until(async () => {
      if (!held.has(page)) await act(page, at);
      return held.has(page);
    })
  ));
  for (const page of pages) await page.unroute(path);
}

async function togetherChecks(stage: Stage): Promise<void> {
  const { address } = stage.served;
  const answer = await fetch(`${address}/api/alerts`);
  const [{ id }] = (await answer.json()).alerts;
  await inWindow(
    stage,
    {},
    (first) =>
      inWindow(stage, {}, async (second) => {
        const pages = [await newPage(first), await newPage(second)];
        const names = ["Ada", "Grace"];
        for (const page of pages) {
          await open(page, address, `alerts/${id}`);
          await page.locator(".decide").waitFor();
        }
        // What the page says stays there until another action succeeds.
        const whoWasRefused = async (done: string) => {
          const refused = pages.map((page) =>
            page.getByText(
              new RegExp(`^Not saved. .+ has ${done}.* in the meantime`),
            )
          );
          await until(async () =>
            await refused[0].isVisible() || await refused[1].isVisible()
          );
          return await refused[0].isVisible() ? 0 : 1;
        };
        await atOnce(pages, (page, i) => pressAs(page, "a", names[i]));
        const claimed = names[1 - await whoWasRefused("claimed")];
        for (const page of pages) {
          await page.getByRole("button", { name: `Release (${claimed})` })
            .waitFor();
        }
        await atOnce(pages, (page, i) => page.keyboard.press("cl"[i]));
        const loser = await whoWasRefused("(confirmed|cleared)");
        const winner = loser === 0 ? "cleared" : "confirmed as fraud";
        const losing = pages[loser];
        // The page of the one who was refused shows the other's verdict, and stays.
        assert.equal(await shownCase(losing), String(id));
        await losing.getByRole("log").getByText(winner).first()
          .waitFor();
        const found = await (await fetch(`${address}/api/cases/${id}`)).json();
        const kinds = found.events.map(({ kind }: { kind: string }) => kind);
        // Checks before this one may have decided and undone it.
        assert.deepEqual(kinds.slice(0, 2), ["verdict", "claim"]);
        assert.notEqual(kinds[2], "verdict");
        // Having seen it, that analyst may decide otherwise.
        await losing.keyboard.press(loser === 0 ? "c" : "l");
        await until(async () => await shownCase(losing) !== String(id));
        const state = loser === 0 ? "confirmed" : "cleared";
        assert.equal(await countOf(stage, `q=${id}&state=${state}`), 1);
      }),
  );
}
