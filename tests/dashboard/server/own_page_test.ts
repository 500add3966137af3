/** The page's answers about a stream with a definition, whose labels come later. */
import assert from "node:assert/strict";
import { idPart } from "../../../src/dashboard/page/dom.js";
import { formatDatetime } from "../../../src/payment/calendar.ts";
import {
  PREDICTION_TOPIC,
  TRANSACTION_LABEL_TOPIC,
} from "../../../src/stream/topics.ts";
import { chance } from "../../long.ts";
import { openPage, type PageFixture } from "../page_fixture.ts";
import {
  appendJson,
  type Json,
  predictionOf,
  publishPayment,
  TEXT_WORLD,
} from "../worlds.ts";

const { paymentOf } = TEXT_WORLD;
const START = 1_522_540_800;
const DAY = 86_400;

/** A page with the payments of some numbers, all of which are alerts. */
async function openOwn(numbers: readonly number[]): Promise<PageFixture> {
  const page = await openPage(undefined, false, TEXT_WORLD.parameters);
  const { log } = page.folder;
  for (const n of numbers) {
    const record = paymentOf(n);
    await publishPayment(page.folder, TEXT_WORLD, n);
    const scored = predictionOf(record, 0.9);
    await appendJson(log, PREDICTION_TOPIC, record.TRANSACTION_ID, scored);
  }
  await page.until(() =>
    page.index.known().alerts === numbers.length &&
    page.index.queries.unjoined(0, 1).length === 0
  );
  return page;
}

async function get(page: PageFixture, path: string): Promise<Json> {
  const answer = await page.ask(path);
  assert.equal(answer.status, 200, path);
  return await answer.json();
}

const caseOf = (page: PageFixture, id: string) =>
  get(page, `/api/cases/${idPart(id)}`);

/** Lets a label of a payment come, known days after it. */
async function label(
  { folder: { log } }: PageFixture,
  n: number,
  fraud: 0 | 1 | null,
  days: number,
): Promise<void> {
  const record = paymentOf(n);
  const known = formatDatetime(START + record.TX_TIME_SECONDS + days * DAY);
  await appendJson(log, TRANSACTION_LABEL_TOPIC, record.TRANSACTION_ID, {
    ...record,
    TX_FRAUD: fraud,
    TX_FRAUD_SCENARIO: 0,
    KNOWN_AT: known,
    KNOWN_TIME: known,
  });
}

/** Numbers in the order of their payments' times. */
const inTime = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) =>
    paymentOf(a).TX_TIME_SECONDS - paymentOf(b).TX_TIME_SECONDS
  );

Deno.test("an id in a path is the same whatever it holds, and shows as what it is", async () => {
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
  await using page = await openOwn(numbers);
  for (const n of numbers) {
    const { TRANSACTION_ID: id, CUSTOMER_ID, TERMINAL_ID } = paymentOf(n);
    const found = await caseOf(page, id);
    const { payment } = found;
    assert.deepEqual(
      [payment.id, payment.customer, payment.terminal],
      [id, CUSTOMER_ID, TERMINAL_ID],
    );
    assert.deepEqual(found.kept, [{
      name: "category",
      type: "text",
      value: paymentOf(n).category,
    }]);
    assert.equal(payment.amount, paymentOf(n).TX_AMOUNT);
    const query = new URLSearchParams({ state: "all", q: id });
    const { alerts } = await get(page, `/api/alerts?${query}`);
    assert.deepEqual(alerts.map(({ id }: Json) => id), [id]);
    const card = new URLSearchParams({ state: "all", card: CUSTOMER_ID });
    assert.ok((await get(page, `/api/alerts?${card}`)).total > 0);
    const near = await get(page, `/api/cases/${idPart(id)}/neighbours`);
    assert.equal(near.total, numbers.length);
    const { terminal } = await get(
      page,
      `/api/terminals/${idPart(TERMINAL_ID)}`,
    );
    assert.equal(terminal.id, TERMINAL_ID);
  }
  // A program may also write plain percent signs.
  await get(page, `/api/cases/${encodeURIComponent("a/b1")}`);
  const refused = await page.ask(`/api/cases/${"x".repeat(129)}`);
  assert.equal(refused.status, 422);
  assert.match((await refused.json()).error, /an id of 1 to 128 bytes/);
  assert.equal((await page.ask("/api/cases/nobody")).status, 404);
});

Deno.test("idPart() is a part of an address that no browser or proxy changes", () => {
  const random = chance(1);
  const letters = [
    "a",
    "Z",
    "9",
    ".",
    "/",
    "~",
    "%",
    " ",
    "\\",
    "é",
    "\u05d0",
    "😀",
  ];
  for (let i = 0; i < 1000; i++) {
    const id = Array.from(
      { length: 1 + Math.floor(random() * 6) },
      () => letters[Math.floor(random() * letters.length)],
    ).join("");
    const part = idPart(id);
    const { pathname } = new URL(`http://host/api/${part}/x`);
    assert.equal(pathname, `/api/${part}/x`);
    assert.equal(decodeURIComponent(part), part);
  }
});

Deno.test("an outcome is pending until its label comes, and a payment without one is genuine after the delay", async () => {
  const [first, second] = inTime([0, 1, 2, 3, 4, 5, 6, 7]);
  await using page = await openOwn([first, second]);
  const { TX_TIME_SECONDS: start, TRANSACTION_ID: id } = paymentOf(first);
  assert.ok(paymentOf(second).TX_TIME_SECONDS - start < 7 * DAY);
  const outcomeOf = async () => (await caseOf(page, id)).payment.outcome;
  const queued = async () => {
    const { alerts } = await get(page, "/api/alerts?state=all");
    return alerts.find((alert: Json) => alert.id === id).outcome;
  };
  assert.deepEqual([await outcomeOf(), await queued()], [{}, {}]);
  assert.equal(page.index.known().pending, 2);
  await label(page, first, 1, 2);
  await page.until(() => page.index.known().frauds === 1);
  const knownAt = formatDatetime(START + start + 2 * DAY);
  const fraud = { fraud: 1, knownAt };
  assert.deepEqual([await outcomeOf(), await queued()], [fraud, fraud]);
  assert.equal(page.index.known().pending, 1);
  const { amount } = (await caseOf(page, id)).payment;
  assert.equal(page.index.known().stoppedCents, Math.round(amount * 1000));
  // Truth has no labels to show before they come.
  const shown = await get(page, `/api/cases/${idPart(id)}?truth=1`);
  assert.equal(shown.payment.fraud, undefined);
  await label(page, first, null, 3);
  await page.until(() => page.index.known().frauds === 0);
  assert.deepEqual(await outcomeOf(), {});
  const later = Array.from({ length: 60 }, (_, n) => n)
    .find((n) => paymentOf(n).TX_TIME_SECONDS >= start + 7 * DAY) ?? 0;
  await publishPayment(page.folder, TEXT_WORLD, later);
  await page.until(() => page.index.known().payments === 3);
  // As long as no label has come, nothing says that a payment is genuine.
  assert.deepEqual(await outcomeOf(), {});
  assert.equal(page.index.known().pending, 3);
  await label(page, later, 0, 1);
  await page.until(() => page.index.hasLabels);
  assert.deepEqual(await outcomeOf(), { fraud: 0 });
});

Deno.test("a case shows the labels that were known when its payment was made", async () => {
  const card = paymentOf(0).CUSTOMER_ID;
  const ofCard = inTime(
    Array.from({ length: 60 }, (_, n) => n)
      .filter((n) => paymentOf(n).CUSTOMER_ID === card),
  );
  const [older, newer] = ofCard;
  const apart = (paymentOf(newer).TX_TIME_SECONDS -
    paymentOf(older).TX_TIME_SECONDS) / DAY;
  assert.ok(apart > 0 && apart < 7);
  await using page = await openOwn([older, newer]);
  await label(page, older, 1, apart / 2);
  // What is known later does not change what was known then.
  await label(page, older, 0, apart + 1);
  await page.until(() =>
    page.index.queries.label(paymentOf(older).TRANSACTION_ID)?.fraud === 0
  );
  const found = await caseOf(page, paymentOf(newer).TRANSACTION_ID);
  const past = found.ofCard.find((payment: Json) =>
    payment.transactionId === paymentOf(older).TRANSACTION_ID
  );
  assert.deepEqual([past.known, past.fraud], [true, 1]);
  const own = await caseOf(page, paymentOf(older).TRANSACTION_ID);
  assert.equal(own.payment.outcome.fraud, 0);
});

Deno.test("a group with a text id is decided as a whole", async () => {
  const numbers = Array.from({ length: 12 }, (_, n) => n);
  await using page = await openOwn(numbers);
  const { groups } = await get(page, "/api/alerts/groups?by=terminal");
  const [group] = groups;
  assert.equal(typeof group.id, "string");
  const answer = await page.ask("/api/alerts/decide", {
    method: "POST",
    headers: await page.fromPage(),
    body: JSON.stringify({
      by: "terminal",
      id: group.id,
      label: 1,
      who: "Ada",
      alerts: group.alerts,
      amount: group.amount,
    }),
  });
  assert.equal(answer.status, 201, await answer.text());
  const query = new URLSearchParams({ state: "confirmed", terminal: group.id });
  assert.equal((await get(page, `/api/alerts?${query}`)).total, group.alerts);
});
