import assert from "node:assert/strict";
import type { Case } from "../../../src/dashboard/views/cases.ts";
import type { Queue } from "../../../src/dashboard/views/alerts.ts";
import type { RulesView } from "../../../src/dashboard/views/rules.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../../src/payment/prediction.ts";
import { decisionBy } from "../../../src/scoring/decision_rules.ts";
import { readList } from "../../../src/scoring/list_file.ts";
import { readRules, type Rule } from "../../../src/scoring/rule_file.ts";
import { chance, forEachSeed } from "../../long.ts";
import {
  openPage,
  type PageFixture,
  payment,
  prediction,
} from "../page_fixture.ts";

const DAY = 86_400;
const RULES = `version: 1
lists: { blocked: blocked.csv }
rules:
  - { id: blocked, priority: 9, when: 'list("blocked", CUSTOMER_ID)', then: decline, reason: Blocked. }
  - { id: trusted, priority: 5, when: CUSTOMER_ID == 2, then: approve, reason: Trusted. }
  - { id: large, when: TX_AMOUNT > 50, then: review, reason: Large. }
  - { id: larger, when: TX_AMOUNT > 60, then: review, reason: Larger. }
  - { id: never, when: TX_AMOUNT > 1000, then: review, reason: Never. }
  - { id: idle, when: TX_AMOUNT > 0, then: review, reason: Idle., state: "off" }
  - { id: strict, when: TX_AMOUNT > 30, then: decline, reason: Strict., state: shadow }
  - { id: kind, priority: 8, when: TX_AMOUNT < 55, then: approve, reason: Kind., state: shadow }
`;
const FILE = readRules(RULES, "rules.yaml");
const LIST = readList("value,expires\n3,\n4,2018-04-02\n", "blocked.csv");

/** A payment with what was decided about it, and how it turned out. */
interface Decided {
  readonly id: number;
  readonly day: number;
  readonly amount: number;
  readonly fraud: 0 | 1;
  readonly score: number | null;
  readonly fired: readonly Rule[];
  readonly shadow: readonly Rule[];
  readonly decision: string;
  verdict: 0 | 1 | undefined;
}

/** Payments of days 30 to 49: the labels of those before day 42 are known. */
function randomPayments(random: () => number, count: number): Decided[] {
  return Array.from({ length: count }, (_, id) => {
    const score = random() < 0.1 ? null : random();
    const fires = FILE.rules.filter(({ id, state }) =>
      state !== "off" && id !== "never" && random() < 0.25
    );
    const fired = fires.filter(({ state }) => state === "live")
      .sort((a, b) => b.priority - a.priority);
    return {
      id,
      day: id === 0 ? 49 : 30 + Math.floor(random() * 20),
      amount: Math.round(random() * 10_000) / 100,
      fraud: random() < 0.3 ? 1 as const : 0 as const,
      score,
      fired,
      shadow: fires.filter(({ state }) => state === "shadow"),
      decision: decisionBy(fired, isAlert(score)),
      verdict: undefined,
    };
  });
}

const isAlert = (score: number | null) => (score ?? 0) >= 0.5;

const paymentOf = ({ id, day, amount, fraud }: Decided) =>
  payment({
    transactionId: id,
    customerId: id % 5,
    timeSeconds: day * DAY + id,
    amount,
    fraud,
  });

function predictionOf(decided: Decided): Record<string, unknown> {
  const { fired, shadow, decision, score } = decided;
  return {
    ...prediction(paymentOf(decided), score ?? 0),
    SCORE: score,
    DECISION: decision,
    ...fired.length > 0 && {
      RULES: fired.map(({ id }) => id),
      REASONS: fired.map(({ reason }) => reason),
    },
    ...shadow.length > 0 && { SHADOW_RULES: shadow.map(({ id }) => id) },
    RULES_VERSION: FILE.version,
    LISTS_VERSION: LIST.version,
    THRESHOLD: 0.5,
  };
}

async function recordRules({ folder }: PageFixture): Promise<void> {
  await folder.context.control.recordChange(
    () => ({
      rules: FILE.version,
      lists: { blocked: LIST.version },
      threshold: 0.5,
    }),
    {
      who: "anna",
      contents: new Map([
        [FILE.version, RULES],
        [LIST.version, LIST.content],
      ]),
    },
  );
}

async function answerOf<T>(page: PageFixture, path: string): Promise<T> {
  const answer = await page.ask(path);
  assert.equal(answer.status, 200, path);
  return await answer.json();
}

async function judge(
  page: PageFixture,
  decided: Decided,
  label: 0 | 1,
): Promise<void> {
  const answer = await page.ask(`/api/cases/${decided.id}/events`, {
    method: "POST",
    body: JSON.stringify({ kind: "verdict", label, who: "ben" }),
    headers: await page.fromPage(),
  });
  assert.equal(answer.status, 201, await answer.text());
  decided.verdict = label;
}

/** What is known of a payment at the end of day 49, with a delay of 7 days. */
function outcomeOf({ day, fraud, verdict }: Decided): 0 | 1 | undefined {
  return verdict ?? (day < 42 ? fraud : undefined);
}

function resultOf(payments: readonly Decided[]) {
  const known = payments.map(outcomeOf).filter((one) => one !== undefined);
  return {
    payments: payments.length,
    known: known.length,
    frauds: known.filter((one) => one === 1).length,
  };
}

Deno.test("each rule's numbers are those of a plain count over payments, decisions, verdicts and labels", async () => {
  await forEachSeed(2, 50, async (seed) => {
    const random = chance(seed);
    await using page = await openPage();
    await recordRules(page);
    const all = randomPayments(random, 120);
    // Some predictions are there before their payments.
    const half = all.filter(() => random() < 0.5);
    await page.predict(half.map(predictionOf));
    await page.publish(all.map((one) => paymentOf(one)));
    await page.predict(
      all.filter((one) => !half.includes(one)).map(predictionOf),
    );
    await page.until(() =>
      page.index.known().scored === all.length &&
      page.index.known().payments === all.length
    );
    for (const one of all.filter(() => random() < 0.15)) {
      await judge(page, one, random() < 0.5 ? 1 : 0);
    }
    const view = await answerOf<RulesView>(page, "/api/rules");
    assert.equal(view.version, FILE.version);
    assert.equal(view.decided, all.length);
    assert.equal(view.day, "2018-05-20");
    for (const rule of FILE.rules) {
      const own = all.filter(({ fired, shadow }) =>
        [...fired, ...shadow].includes(rule)
      );
      const then = ({ fired, score }: Decided, other: readonly Rule[]) =>
        decisionBy(
          [...fired.filter((one) => one !== rule), ...other],
          isAlert(score),
        );
      const found = view.rules.find(({ id }) => id === rule.id);
      const { would, ...numbers } = found ?? {};
      const cents = (payments: readonly Decided[]) =>
        payments.reduce((sum, { amount }) => sum + Math.round(amount * 100), 0);
      assert.deepEqual(numbers, {
        id: rule.id,
        state: rule.state,
        then: rule.then,
        priority: rule.priority,
        reason: rule.reason,
        when: rule.when.text,
        ...resultOf(own),
        today: own.filter(({ day }) => day === 49).length,
        alone: own.filter((one) =>
          one.decision !== "approve" && then(one, []) === "approve"
        ).length,
        amount: cents(own) / 100,
        fraudAmount: cents(own.filter((one) =>
          outcomeOf(one) === 1
        )) / 100,
      }, rule.id);
      if (rule.state !== "shadow") continue;
      const changed = (from: boolean) =>
        resultOf(own.filter((one) => {
          const approved = one.decision === "approve";
          return approved === from &&
            (then(one, [rule]) === "approve") !== from;
        }));
      assert.deepEqual(would, { add: changed(true), remove: changed(false) });
    }
    const [list] = view.lists;
    assert.deepEqual(list.rules, ["blocked"]);
    assert.deepEqual([list.entries, list.ended], [1, 1]);
    // The queue has what is not approved.
    for (const decision of ["review", "decline"]) {
      const queue = await answerOf<Queue>(
        page,
        `/api/alerts?state=all&decision=${decision}`,
      );
      const wanted = all.filter((one) => one.decision === decision);
      assert.equal(queue.total, wanted.length);
      const large = await answerOf<Queue>(
        page,
        `/api/alerts?state=all&rule=strict&decision=${decision}`,
      );
      assert.equal(
        large.total,
        wanted.filter(({ shadow }) => shadow.some(({ id }) => id === "strict"))
          .length,
      );
    }
    const open = await answerOf<Queue>(page, "/api/alerts?state=all");
    assert.equal(
      open.total,
      all.filter(({ decision }) => decision !== "approve").length,
    );
  });
});

Deno.test("a case and the queue say what rules decided and why, with a score or without", async () => {
  await using page = await openPage();
  const rule = (id: string) => FILE.rules.filter((rule) => rule.id === id);
  const base = { day: 40, amount: 70, fraud: 0 as const, verdict: undefined };
  const scoreless: Decided = {
    ...{ ...base, id: 1, score: null, shadow: rule("strict") },
    fired: [...rule("large"), ...rule("larger")],
    decision: "review",
  };
  const approved: Decided = {
    ...{ ...base, id: 2, score: 0.9, shadow: [], decision: "approve" },
    fired: rule("trusted"),
  };
  const alone: Decided = {
    ...{ ...base, id: 3, score: 0.8, shadow: [], decision: "review" },
    fired: [],
  };
  const passed: Decided = {
    ...{ ...base, id: 4, score: 0.1, shadow: [], decision: "approve" },
    fired: [],
  };
  const all = [scoreless, approved, alone, passed];
  await page.publish(all.map(paymentOf));
  await page.predict(all.map(predictionOf));
  await page.until(() => page.index.known().scored === 4);
  const { alerts } = await answerOf<Queue>(page, "/api/alerts");
  // An approved alert of the model does not wait for anybody.
  assert.deepEqual(alerts.map(({ id, score }) => [id, score]), [
    [1, undefined],
    [3, 0.8],
  ]);
  const reasons = [
    { id: "large", reason: "Large." },
    { id: "larger", reason: "Larger." },
  ];
  const decision = {
    decision: "review",
    version: FILE.version,
    rules: reasons,
    shadowRules: ["strict"],
  };
  assert.deepEqual(alerts[0].decision, decision);
  assert.deepEqual(alerts[1].decision, {
    ...{ ...decision, rules: [], shadowRules: [] },
  });
  const case1 = await answerOf<Case>(page, "/api/cases/1");
  assert.deepEqual(case1.decision, decision);
  assert.equal(case1.payment.score, undefined);
  const case2 = await answerOf<Case>(page, "/api/cases/2");
  assert.deepEqual(case2.decision, {
    ...{ decision: "approve", version: FILE.version, shadowRules: [] },
    rules: [{ id: "trusted", reason: "Trusted." }],
  });
  // What the store has says the rest of payments that are not in the queue.
  await page.folder.context.control.declareScored();
  await page.folder.store.predictions().write(stored([approved, passed]));
  const { reasons: why, payment: known } = await answerOf<Case>(
    page,
    "/api/cases/2",
  );
  assert.equal(known.model, "0123456789ab");
  assert.deepEqual(why.raised.map(({ feature }) => feature), ["TX_AMOUNT"]);
  const case4 = await answerOf<Case>(page, "/api/cases/4");
  assert.deepEqual(case4.decision, {
    ...{ decision: "approve", version: FILE.version },
    ...{ rules: [], shadowRules: [] },
  });
  assert.equal(case4.payment.score, 0.1);
});

/** Predictions as the store takes them. */
function stored(all: readonly Decided[]): PredictionRows {
  const rows = emptyPredictions(all.length);
  for (const [i, decided] of all.entries()) {
    const { id, score, decision, fired } = decided;
    const at = i * PREDICTION_CELLS;
    rows.cells[at + PREDICTION_CELL.id] = id;
    rows.cells[at + PREDICTION_CELL.score] = score ?? NaN;
    rows.cells[at + PREDICTION_CELL.alert] = isAlert(score) ? 1 : 0;
    rows.versions[i] = "0123456789ab";
    rows.contributions[i] = isAlert(score) ? '{"TX_AMOUNT":1.5}' : null;
    rows.decisions[i] = {
      decision,
      rules: fired.length > 0
        ? JSON.stringify(fired.map(({ id }) => id))
        : null,
      ...{ shadowRules: null, reasons: null, threshold: 0.5 },
      ...{ rulesVersion: FILE.version, listsVersion: LIST.version },
    };
  }
  rows.count = all.length;
  return rows;
}

Deno.test("a stream without rules says so, and its queue has the model's alerts", async () => {
  await using page = await openPage();
  const one = payment({ transactionId: 4 });
  await page.publish([one]);
  await page.predict([prediction(one, 0.75)]);
  await page.until(() => page.index.known().alerts === 1);
  const view = await answerOf<RulesView>(page, "/api/rules");
  assert.deepEqual([view.version, view.rules, view.changes], [null, [], []]);
  const { alerts } = await answerOf<Queue>(page, "/api/alerts");
  assert.equal(alerts[0].decision, undefined);
});

Deno.test("rules that never fire, always fire, or fire where another does are pointed out from 1,000 payments on", async () => {
  await using page = await openPage();
  await recordRules(page);
  const named = (...ids: string[]) =>
    FILE.rules.filter(({ id }) => ids.includes(id));
  const all = Array.from({ length: 1000 }, (_, id): Decided => ({
    id,
    day: 30,
    amount: 70,
    fraud: 0,
    score: 0.1,
    fired: id < 500 ? named("large", "larger") : named("large"),
    shadow: id < 500 ? named("strict") : [],
    decision: "review",
    verdict: undefined,
  }));
  const findings = async () =>
    (await answerOf<RulesView>(page, "/api/rules")).findings
      .map(({ id, text }) => `${id} ${text}`);
  await page.publish(all.map((one) => paymentOf(one)));
  await page.predict(all.map(predictionOf));
  await page.until(() => {
    const { scored, payments } = page.index.known();
    return scored === 1000 && payments === 1000;
  });
  assert.deepEqual(await findings(), [
    "blocked fired on none of the 1,000 payments.",
    "trusted fired on none of the 1,000 payments.",
    "large fired on all of the 1,000 payments.",
    "never fired on none of the 1,000 payments.",
    "strict fires where larger fires, too: on 100 % of its payments.",
    "kind fired on none of the 1,000 payments.",
  ]);
});
