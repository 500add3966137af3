/**
 * Numbers of the page against SQL of the store that it is about, for a stream
 * that is complete, with verdicts.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { Page } from "playwright-core";
import {
  check,
  eventually,
  inWindow,
  newPage,
  noErrors,
  open,
  serve,
  type Stage,
  stop,
  until,
} from "./browser_stage.ts";

/** A label is known after this many seconds of event time. */
const DELAY_SECONDS = 7 * 86_400;

/** Verdicts that are made before the numbers are compared. */
const VERDICTS = 6;

const FLAGS = [
  "--customers=200",
  "--terminals=150",
  "--days=40",
  "--radius=10",
  "--stay",
  "--port=0",
];

/** Runs them on a stream of their own. */
export async function numberChecks(
  { browser, folder }: Stage,
): Promise<void> {
  const data = `${folder}/numbers`;
  let served = await serve(data, FLAGS);
  try {
    await inWindow(
      { browser },
      { viewport: { width: 1440, height: 900 } },
      async (context) => {
        const page = await newPage(context);
        await page.addInitScript("localStorage.setItem('analyst', 'Ada')");
        await isComplete(served.address);
        await check(
          "numbers of the page are those of SQL in the store",
          async () => {
            await decideSome(page, served.address);
            await compare(page, served.address, data);
            noErrors(page);
          },
        );
        await check("they are the same after a restart", async () => {
          await stop(served);
          served = await serve(data, FLAGS);
          await compare(page, served.address, data);
        });
        await check("and in a second process of the page", async () => {
          const second = await serve(data, ["--role=dashboard", "--port=0"]);
          await compare(page, second.address, data);
          await stop(second);
        });
      },
    );
  } finally {
    await stop(served);
  }
}

/** Waits until the page has read a complete stream. */
async function isComplete(address: string): Promise<void> {
  await until(async () => {
    const { complete, reading, totals, produced } = await snapshotOf(address);
    return complete && reading === undefined && totals.scored === produced &&
      produced > 0;
  });
}

/** The state that the page comes with. */
async function snapshotOf(address: string): Promise<{
  readonly complete: boolean;
  readonly produced: number;
  readonly reading?: unknown;
  readonly totals: { readonly scored: number };
}> {
  const html = await (await fetch(address)).text();
  const content = /<meta name="snapshot" content="([^"]*)" \/>/.exec(html)?.[1];
  return JSON.parse((content ?? "").replaceAll("&quot;", '"'));
}

/** Confirms and clears alerts by the keyboard, the riskiest first. */
async function decideSome(page: Page, address: string): Promise<void> {
  await open(page, address, "alerts");
  await page.locator("tr.goes a").first().click();
  for (let i = 0; i < VERDICTS; i++) {
    await page.locator(".decide").waitFor();
    const title = await page.locator("h1").textContent();
    await page.keyboard.press(i % 3 === 0 ? "l" : "c");
    await until(async () => await page.locator("h1").textContent() !== title);
  }
}

/** Queries whose one value the page shows, by where it shows it. */
const KNOWN = `(p.tx_time_seconds <= ` +
  `(SELECT max(tx_time_seconds) FROM transactions) - ${DELAY_SECONDS})`;
const VERDICT = `(SELECT label FROM transaction_verdict v
  WHERE v.transaction_id = p.transaction_id
  ORDER BY decided_at DESC LIMIT 1)`;
const ALERTS = `FROM transaction_prediction a
  JOIN transactions p USING (transaction_id) WHERE a.alert = 1`;
const QUERIES = {
  stored: "SELECT count(*) FROM transactions",
  scored: "SELECT count(*) FROM transaction_prediction",
  knownFrauds:
    `SELECT count(*) FROM transactions p WHERE tx_fraud = 1 AND ${KNOWN}`,
  knownFraudAmount:
    `SELECT sum(tx_amount) FROM transactions p WHERE tx_fraud = 1 AND ${KNOWN}`,
  trueFrauds: "SELECT sum(tx_fraud) FROM transactions",
  alerts: `SELECT count(*) ${ALERTS}`,
  open: `SELECT count(*) ${ALERTS} AND ${VERDICT} IS NULL`,
  risk: `SELECT sum(p.tx_amount) ${ALERTS} AND ${VERDICT} IS NULL`,
  stopped: `SELECT sum(p.tx_amount) ${ALERTS} AND
    coalesce(${VERDICT}, p.tx_fraud = 1 AND ${KNOWN})`,
  confirmed: `SELECT count(*) ${ALERTS} AND ${VERDICT} = 1`,
  cleared: `SELECT count(*) ${ALERTS} AND ${VERDICT} = 0`,
  filtered: `SELECT count(*) ${ALERTS} AND ${VERDICT} IS NULL
    AND a.score >= 0.9 AND p.tx_amount >= 50`,
  filteredAmount: `SELECT sum(p.tx_amount) ${ALERTS} AND ${VERDICT} IS NULL
    AND a.score >= 0.9 AND p.tx_amount >= 50`,
};

const EUROS = { style: "currency", currency: "EUR" } as const;
const money = (value: number) =>
  new Intl.NumberFormat("en-US", EUROS).format(value);
/** As the tiles write it. */
const shortMoney = (value: number) =>
  value < 10_000 ? money(value) : new Intl.NumberFormat("en-US", {
    ...EUROS,
    notation: "compact",
    maximumFractionDigits: 1,
  }).format(value);
const count = (value: number) => new Intl.NumberFormat("en-US").format(value);

/** What SQL finds once the writers have stored every prediction and every verdict, which are in the log before. */
async function storedNumbers(
  data: string,
): Promise<Record<keyof typeof QUERIES, number>> {
  using store = new DatabaseSync(`${data}/store.db`, { readOnly: true });
  const numberOf = (query: string) =>
    Number(Object.values(store.prepare(query).get() ?? {})[0] ?? 0);
  await eventually(() => {
    const { stored, scored, confirmed, cleared } = QUERIES;
    assert.equal(numberOf(scored), numberOf(stored));
    assert.equal(numberOf(confirmed) + numberOf(cleared), VERDICTS);
  });
  return Object.fromEntries(
    Object.entries(QUERIES).map(([name, query]) => [name, numberOf(query)]),
  ) as Record<keyof typeof QUERIES, number>;
}

async function compare(
  page: Page,
  address: string,
  data: string,
): Promise<void> {
  const sql = await storedNumbers(data);
  assert.ok(sql.alerts > 20 && sql.stopped > 0, JSON.stringify(sql));
  await open(page, address, "now");
  const tile = (label: string) =>
    page.locator(".tile", { has: page.getByText(label, { exact: true }) })
      .innerText();
  // The page follows what is stored a moment later.
  const shows = (label: string, ...texts: string[]) =>
    eventually(async () => {
      const text = (await tile(label)).replaceAll(/\s+/g, " ");
      for (const part of texts) {
        assert.ok(text.includes(part), `${text}: ${part}`);
      }
    });
  await shows("Stored payments", count(sql.stored));
  await shows("Known frauds", count(sql.knownFrauds));
  await shows(
    "Open alerts",
    ` ${count(sql.open)} `,
    `of ${count(sql.alerts)} alerts`,
    `in ${count(sql.scored)} scored`,
  );
  await shows("Amount at risk", shortMoney(sql.risk));
  await shows(
    "Fraud stopped",
    shortMoney(sql.stopped),
    `of ${shortMoney(sql.knownFraudAmount)}`,
  );
  const truth = page.getByRole("switch", { name: /truth/ });
  await truth.click();
  await shows("Known frauds", `${count(sql.trueFrauds)} in truth`);
  await truth.click();
  const lists = async (query: string, text: string) => {
    await open(page, address, `alerts?${query}`);
    await eventually(async () => {
      const shown = await page.locator(".sum .note").textContent() ?? "";
      assert.ok(shown.startsWith(text), `${shown}: ${text}`);
    });
  };
  const sumOf = (many: number, kind: string) =>
    `${count(many)} ${kind}${many === 1 ? "" : "s"}, `;
  await lists("", sumOf(sql.open, "open alert") + money(sql.risk));
  for (const state of ["confirmed", "cleared"] as const) {
    await lists(`state=${state}`, sumOf(sql[state], `${state} alert`));
  }
  await lists(
    "score=0.9&amountFrom=50",
    sumOf(sql.filtered, "open alert") + money(sql.filteredAmount),
  );
}
