/**
 * The page of a stream with rules: the view Rules, the queue and cases with
 * decisions, and a change that one person proposes and another approves.
 */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import {
  check,
  inWindow,
  looksRight,
  newPage,
  noErrors,
  serve,
  type Stage,
  stop,
  until,
} from "./browser_stage.ts";

const ANNA = "0123456789abcdef0123";
const BEN = "fedcba98765432100123";

const RULES = `version: 1
lists: { blocked_cards: blocked_cards.csv }
rules:
  - id: blocked-card
    priority: 100
    when: list("blocked_cards", CUSTOMER_ID)
    then: decline
    reason: The card is blocked.
  - { id: large, when: TX_AMOUNT > 100, then: review, reason: A large amount. }
  - { id: larger, when: TX_AMOUNT > 120, then: decline, reason: A very large amount. }
  - { id: watched, when: TX_AMOUNT > 50, then: review, reason: Watched., state: shadow }
`;

const SIZES = [["narrow", 360, 740], ["wide", 1440, 900]] as const;

/** Runs them on a stream of their own. */
export async function rulesChecks(stage: Stage): Promise<void> {
  const { folder } = stage;
  const [rules, tokens] = ["rules.yaml", "tokens"].map((name) =>
    `${folder}/${name}`
  );
  Deno.writeTextFileSync(rules, RULES);
  Deno.writeTextFileSync(
    `${folder}/blocked_cards.csv`,
    "value\n" + Array.from({ length: 20 }, (_, card) => `${card}\n`).join(""),
  );
  Deno.writeTextFileSync(tokens, `anna:${ANNA}\nben:${BEN}\n`);
  const served = await serve(`${folder}/ruled`, [
    ...["--customers=300", "--terminals=200", "--days=12", "--radius=8"],
    ...[`--rules=${rules}`, `--token-file=${tokens}`, "--require-approval"],
    ...["--stay", "--port=0"],
  ]);
  try {
    await checks(stage, served.address);
  } finally {
    await stop(served);
  }
}

async function checks(stage: Stage, address: string): Promise<void> {
  for (const [name, width, height] of SIZES) {
    await check(
      `rules and decisions are accessible and fit: ${name}`,
      () =>
        inWindow(stage, { viewport: { width, height } }, async (context) => {
          const page = await newPage(context);
          await signIn(page, address, ANNA);
          await lookChecks(page, address);
        }),
    );
  }
  await check(
    "a change that one person proposes decides once another approves it",
    () => approvalChecks(stage, address),
  );
}

async function signIn(
  page: Page,
  address: string,
  token: string,
): Promise<void> {
  await page.goto(`${address}/login`);
  await page.locator("input[name=token]").fill(token);
  await page.keyboard.press("Enter");
  await page.locator("#link.live").waitFor();
  await page.goto(`${address}/#/rules`);
  await page.getByRole("heading", { name: "Live rules" }).waitFor();
}

async function lookChecks(page: Page, address: string): Promise<void> {
  // Every rule has fired once most payments have been decided about.
  await until(async () =>
    await page.getByRole("link", { name: /alerts on which/ }).count() === 3
  );
  await page.locator("#rules-editor summary").click();
  await page.getByText("No problem found.").waitFor();
  await looksRight(page);
  await page.goto(`${address}/#/alerts?decision=decline&rule=larger`);
  await page.locator("tbody tr.goes").first().waitFor();
  const text = await page.locator("tbody tr.goes").first().innerText();
  assert.match(text, /decline/);
  assert.match(text, /A very large amount\./);
  await looksRight(page);
  await page.locator("tbody tr.goes a").first().click();
  await page.getByRole("heading", { name: "What the rules decided" }).waitFor();
  await page.getByText("A very large amount.").waitFor();
  await page.getByRole("button", { name: "Add this card to blocked_cards…" })
    .waitFor();
  await looksRight(page);
  noErrors(page);
}

async function approvalChecks(stage: Stage, address: string): Promise<void> {
  const viewport = { width: 1280, height: 900 };
  await inWindow(stage, { viewport }, async (context) => {
    const anna = await newPage(context);
    await signIn(anna, address, ANNA);
    await anna.locator("#rules-editor summary").click();
    await anna.getByText("No problem found.").waitFor();
    const text = anna.locator("#rules-text");
    const source = await text.inputValue();
    assert.equal(source, RULES);
    await text.fill(source.replace("TX_AMOUNT > 100", "AMOUNT > 100"));
    await anna.getByText(/^rules:9:24: the rule large: there is no AMOUNT/)
      .waitFor();
    const propose = anna.getByRole("button", { name: "Propose" });
    assert.equal(await propose.isDisabled(), true);
    await text.fill(source.replace("TX_AMOUNT > 100", "TX_AMOUNT > 90"));
    await anna.getByText("No problem found.").waitFor();
    await anna.getByRole("button", { name: "Preview the difference" }).click();
    await anna.getByText(/alerts gained, 0 lost/).waitFor();
    await propose.click();
    await anna.getByText("Proposed. It counts when").waitFor();
    const own = anna.getByRole("button", { name: "Approve change 1" });
    await own.waitFor();
    assert.equal(await own.isDisabled(), true);
    await looksRight(anna);
    await anna.getByRole("button", { name: "Entries of blocked_cards" })
      .click();
    const entries = anna.getByRole("dialog", {
      name: "Entries of blocked_cards",
    });
    await entries.getByText("20 entries.").waitFor();
    await entries.getByLabel("Value contains").fill("17");
    await entries.getByText("1 of 20 entries.").waitFor();
    await looksRight(anna);
    await entries.getByRole("button", { name: "Remove 17" }).click();
    await anna.getByRole("dialog", { name: "Remove from blocked_cards" })
      .getByRole("button", { name: "Remove" }).click();
    await anna.getByRole("button", { name: "Approve change 2" }).waitFor();
    await anna.getByText("- 17").waitFor();
    noErrors(anna);
  });
  await inWindow(stage, { viewport }, async (context) => {
    const ben = await newPage(context);
    await signIn(ben, address, BEN);
    await ben.getByText("TX_AMOUNT > 90").waitFor();
    await ben.getByRole("button", { name: "Approve change 2" }).click();
    await ben.getByText("Change 2 is approved.").waitFor();
    await ben.getByText("anna, approved by ben").waitFor();
    // What has been proposed before no longer fits.
    await ben.getByText("Other changes have been made since.").waitFor();
    await ben.getByRole("button", { name: "Reject change 1" }).click();
    await ben.getByText("Change 1 is rejected.").waitFor();
    await ben.getByRole("button", { name: "Entries of blocked_cards" }).click();
    await ben.getByText("19 entries.").waitFor();
    await ben.keyboard.press("Escape");
    await ben.goto(`${address}/#/model`);
    await ben.getByRole("button", { name: "Apply this threshold" }).waitFor();
    await ben.getByText("No change waits for a second person.").waitFor();
    noErrors(ben);
  });
}
