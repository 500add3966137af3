/**
 * The page of a stream with a definition: text ids of every kind, amounts in
 * another currency, refunds, kept fields, and labels that come later.
 */
import assert from "node:assert/strict";
import type { BrowserContext, Page } from "playwright-core";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { TRANSACTION_LABEL_TOPIC } from "../../src/stream/topics.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { chance } from "../long.ts";
import {
  check,
  eventually,
  inWindow,
  looksRight,
  newPage,
  noErrors,
  open,
  overflow,
  serve,
  type Stage,
  stop,
  until,
} from "./browser_stage.ts";
import { scoreStandIn } from "./stand_in_scorer.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: { from: trans_num, type: text }
  TX_DATETIME: { from: at, format: "yyyy-MM-dd HH:mm:ss", zone: UTC }
  CUSTOMER_ID: { from: cc_num, type: text }
  TERMINAL_ID: { from: merchant, type: text }
  TX_AMOUNT: { from: amt, decimals: 3, currency: TND, refunds: true }
  keep: { category: text, city_pop: number }
labels: { from: stream, delay: 30d, grace: 1d }
`;

/** Ids that break links, paths, markup or the layout where they are not handled as text. */
const HARD_IDS = [
  "<script>document.title='broken'</script>",
  "a/b?c=d&e#f",
  "..",
  `it's "quoted"`,
  "%2F%00",
  "\u05e9\u05dc\u05d5\u05dd",
  "9".repeat(128),
  "~tilde",
];

/** They last longer than the checks on a slow machine, and end within the delay of the labels. */
const ROWS = 100_000;
const ROWS_PER_DAY = 4000;
const RATE = 250;
const START = Date.UTC(2019, 0, 1) / 1000;

/** The raw file; the first large ones have the hard ids. */
function rawRows(): string {
  const random = chance(5);
  const below = (n: number) => Math.floor(random() * n);
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = ["trans_num,at,cc_num,merchant,category,amt,city_pop"];
  for (let row = 0; row < ROWS; row++) {
    const hard = row % 50 === 0 ? HARD_IDS[row / 50] : undefined;
    const isLarge = hard !== undefined || row % 97 === 0;
    const id = hard ?? `t${row}`;
    const card = hard
      ? `4${"0".repeat(15)}${100 + row / 50}`
      : `c${below(300)}`;
    const shop = hard ?? `shop ${below(80)}`;
    const amount = isLarge ? 900 + below(100_000) / 1000 : below(90_000) / 1000;
    const refund = row % 31 === 0 && !isLarge ? "-" : "";
    const at = formatDatetime(START + Math.floor(row * 86_400 / ROWS_PER_DAY));
    lines.push([
      ...[quoted(id), at, card, quoted(shop), row % 2 ? "grocery" : ""],
      ...[`${refund}${amount.toFixed(3)}`, below(90_000)],
    ].join(","));
  }
  return lines.join("\n") + "\n";
}

/** Runs them on a stream of their own. */
export async function ownStreamChecks(
  { browser, folder }: Stage,
): Promise<void> {
  const [raw, definition, data] = ["csv", "yaml", "own"].map((name) =>
    `${folder}/own.${name}`
  );
  Deno.writeTextFileSync(raw, rawRows());
  Deno.writeTextFileSync(definition, DEFINITION);
  const served = await serve(data, [
    `--in=${raw}`,
    `--definition=${definition}`,
    "--role=producer,processor,writer,labels,dashboard",
    `--rate=${RATE}`,
    "--stay",
    "--port=0",
  ]);
  const scoring = new AbortController();
  await using log = new EmbeddedLog({ path: `${data}/log.db`, durable: false });
  const scored = scoreStandIn(log, scoring.signal);
  const { address } = served;
  try {
    await inWindow({ browser }, {
      viewport: { width: 1280, height: 900 },
    }, async (context) => {
      await checks(context, { log, address, folder, data });
    });
  } finally {
    scoring.abort();
    await scored;
    await stop(served);
  }
}

interface OwnStream {
  readonly log: Log;
  readonly address: string;
  readonly folder: string;
  readonly data: string;
}

async function checks(
  context: BrowserContext,
  stream: OwnStream,
): Promise<void> {
  const { address } = stream;
  const page = await newPage(context);
  await page.addInitScript("localStorage.setItem('analyst', 'Ada')");
  await until(async () => {
    const answer = await fetch(`${address}/api/alerts?state=all`);
    return (await answer.json()).total > 2 * HARD_IDS.length;
  });
  await check(
    "own stream: every view shows text ids, in both themes and on a phone",
    () => viewChecks(page, stream),
  );
  await check(
    "own stream: any id is found, and its case, card and terminal open",
    () => idChecks(page, stream),
  );
  await check(
    "own stream: amounts, refunds and kept fields are those of the definition",
    () => valueChecks(page, stream),
  );
  await check(
    "own stream: an outcome is pending until its label comes, and says since when it is known",
    () => labelChecks(page, stream),
  );
  await check(
    "own stream: a verdict becomes a label, and its undo withdraws it",
    () => verdictChecks(page, stream),
  );
}

async function viewChecks(page: Page, { address }: OwnStream): Promise<void> {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    for (const view of ["now", "alerts?state=all", "alerts?by=terminal"]) {
      await open(page, address, view);
      await page.locator("tbody tr").first().waitFor();
      await looksRight(page, `${view} at ${width}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.locator("#truth").waitFor({ state: "hidden" });
  noErrors(page);
}

async function idChecks(page: Page, { address }: OwnStream): Promise<void> {
  for (const [at, id] of HARD_IDS.entries()) {
    await open(page, address, "alerts?state=all");
    await page.locator("#filter-q").fill(id);
    await page.locator("#filter-q").press("Enter");
    const link = page.locator("tbody tr.goes a").first();
    await page.getByText("1 alert,").waitFor();
    await eventually(async () => assert.equal(await link.textContent(), id));
    assert.equal(await link.locator("bdi").getAttribute("title"), id);
    await link.click();
    await page.getByText("Raised the score").waitFor();
    assert.equal(await page.locator("h1").textContent(), `Case ${id}`);
    assert.equal(await overflow(page), 0, id);
    assert.equal(
      await page.getByRole("link", { name: `Alerts of terminal ${id}` })
        .textContent(),
      id,
    );
    await page.setViewportSize({ width: 390, height: 800 });
    assert.equal(await overflow(page), 0, `${id} on a phone`);
    await page.setViewportSize({ width: 1280, height: 900 });
    const card = `4${"0".repeat(15)}${100 + at}`;
    await page.getByRole("link", { name: `Alerts of card ${card}` }).click();
    await page.getByText("1 alert,").waitFor();
    await page.goto(`${address}/#/map?terminal=${encodeURIComponent(id)}`);
    await page.getByRole("heading", { name: `Terminal ${id}`, exact: true })
      .waitFor();
    await page.getByText("It has had 1 payment so far").waitFor();
  }
  noErrors(page);
}

async function valueChecks(page: Page, { address }: OwnStream): Promise<void> {
  // The first refund that is no alert.
  await open(page, address, "alerts/t31");
  const facts = page.locator(".facts.tight");
  await facts.waitFor();
  const text = await facts.textContent() ?? "";
  assert.match(text, /Amount-TND\s\d+\.\d{3}/);
  assert.match(text, /categorygrocerycity_pop\d+/);
  await open(page, address, "alerts/t62");
  await page.getByText("none", { exact: true }).waitFor();
  noErrors(page);
}

/** TX_FRAUD of the labels of a payment that were accepted, in their order. */
async function labelsOf(log: Log, id: string): Promise<unknown[]> {
  const labels: unknown[] = [];
  const topic = TRANSACTION_LABEL_TOPIC;
  for (const [p, end] of (await log.endOffsets(topic) ?? []).entries()) {
    for await (const batch of readRange(log, topic, p, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const text = new TextDecoder().decode(recordValue(batch, i));
        const label = JSON.parse(text);
        if (label.TRANSACTION_ID === id) labels.push(label.TX_FRAUD);
      }
    }
  }
  return labels;
}

/** The outcome that an open case shows. */
const outcome = (page: Page) =>
  page.locator(".facts div").filter({ hasText: "Outcome" }).locator("dd");

async function labelChecks(page: Page, stream: OwnStream): Promise<void> {
  const id = `it's "quoted"`;
  const path = encodeURIComponent(id);
  await open(page, stream.address, `alerts/${path}`);
  assert.equal(await outcome(page).textContent(), "pending");
  const file = `${stream.folder}/labels.csv`;
  const rows = ["TRANSACTION_ID,TX_FRAUD,KNOWN_AT", '"it\'s ""quoted""",1,'];
  Deno.writeTextFileSync(file, rows.join("\n") + "\n");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write"],
      ...[MAIN, "label", file, `--data=${stream.data}`],
    ],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  await until(async () => {
    await open(page, stream.address, `alerts/${path}`);
    await page.reload();
    await outcome(page).waitFor();
    return /^fraudknown 2019-01-\d\d \d\d:\d\d$/.test(
      await outcome(page).textContent() ?? "",
    );
  });
  await open(page, stream.address, `alerts?state=all&q=${path}`);
  await page.locator("tr.goes").getByText(/^known 2019/).waitFor();
  await open(page, stream.address, "now");
  await page.getByText(/^in [\d,]+ payments, [\d,]+ still pending$/).waitFor();
  noErrors(page);
}

async function verdictChecks(page: Page, stream: OwnStream): Promise<void> {
  const id = "a/b?c=d&e#f";
  const path = encodeURIComponent(id);
  const shows = async (wanted: RegExp) => {
    await open(page, stream.address, `alerts/${path}`);
    await page.reload();
    await outcome(page).waitFor();
    return wanted.test(await outcome(page).textContent() ?? "");
  };
  // A verdict opens the next case a moment later.
  const confirm = async () => {
    await page.keyboard.press("c");
    await page.getByText(`Case ${id} confirmed as fraud`).waitFor();
    await page.getByRole("heading", { name: `Case ${id}`, exact: true })
      .waitFor({ state: "detached" });
  };
  assert.ok(await shows(/^pending$/));
  await confirm();
  // Back to the case, within the time for an undo.
  await open(page, stream.address, `alerts/${path}`);
  await page.getByText("confirmed as fraud by Ada").waitFor();
  await page.keyboard.press("u");
  await page.getByText(`Undone: case ${id} is as it was before`).waitFor();
  await page.getByRole("log").getByText("undone").waitFor();
  await confirm();
  // Its first verdict may already be shown as a label while the last is on its way.
  await eventually(async () =>
    assert.deepEqual(await labelsOf(stream.log, id), [1, null, 1])
  );
  await until(() => shows(/^fraudknown 2019/));
  const cleared = "..";
  await open(page, stream.address, `alerts/${cleared}`);
  await page.keyboard.press("l");
  await page.getByText(`Case ${cleared} cleared`).waitFor();
  noErrors(page);
}
