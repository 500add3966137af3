/** The view of this moment: how fast, how far, how much money, and the stream itself. */
import { lineChart } from "./chart.js";
import {
  ask,
  caseAddress,
  caseLink,
  countOf,
  every,
  h,
  heading,
  idColumn,
  idText,
  labelMark,
  mark,
  money,
  panel,
  score,
  setText,
  table,
} from "./dom.js";
import { whyEmpty } from "./queue_filter.js";
import { isoDay } from "./scale.js";
import { isTruthShown } from "./settings.js";
import { DEFINITIONS, TILES, tilesOf } from "./tiles.js";

/** @import { ShownPayment } from "../views/live_state.ts" */
/** @import { StreamEvent } from "../views/stream_events.ts" */
/** @import { Snapshot, Truth } from "../views/snapshot.ts" */
/** @typedef {ReturnType<typeof tilesOf>} Numbers */

const CHARTS_MS = 1000;
const ROWS_MS = 500;
const ROWS = 40;
const ALERTS_MS = 2000;
const ALERTS_SHOWN = 12;
const MARKS_MS = 5000;

/** @param {keyof Numbers} name @param {string} label */
function tile(name, label) {
  const value = h("dd", {}, "–");
  const note = h("dd", { class: "note" });
  const element = h("div", { class: "tile" }, h("dt", {}, label), value, note);
  return {
    element,
    /** @param {Numbers} numbers */
    show(numbers) {
      const [text, more, isTruth = false] = numbers[name];
      setText(value, text);
      setText(note, more);
      element.classList.toggle("of-truth", isTruth);
    },
  };
}

/** Opens the view. @param {HTMLElement} root */
export function openNow(root) {
  const names = /** @type {(keyof Numbers)[]} */ (Object.keys(TILES));
  const tiles = names.map((name) => tile(name, TILES[name]));
  const charts = chartsOf();
  const stream = streamPanel();
  const waiting = openAlertsPanel();
  root.append(
    heading("Now"),
    h("dl", { class: "tiles" }, tiles.map(({ element }) => element)),
    h(
      "p",
      { class: "note definitions" },
      `${DEFINITIONS.risk} ${DEFINITIONS.stopped}`,
    ),
    h("div", { class: "pair" }, waiting.element, stream.element),
    h("div", { class: "pair" }, charts.elements),
  );
  let chartsAt = -Infinity;
  let rowsAt = -Infinity;
  return {
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      const numbers = tilesOf(snapshot, isTruthShown());
      for (const one of tiles) one.show(numbers);
      waiting.update(snapshot);
      // Old payments are neither the newest ones nor a rate.
      if (snapshot.reading) return;
      const now = performance.now();
      if (now - chartsAt >= CHARTS_MS) {
        chartsAt = now;
        charts.show(snapshot);
      }
      if (now - rowsAt >= ROWS_MS) {
        rowsAt = now;
        stream.show(snapshot);
      }
    },
    close() {
      waiting.close();
      charts.close();
    },
  };
}

/** The newest open alerts, which come from the queue. */
function openAlertsPanel() {
  /** @type {Snapshot | undefined} */
  let newest;
  const body = h("tbody");
  const said = h("p", { class: "note", role: "status" }, "Loading…");
  const frame = table("Newest open alerts", [
    ["Case", idColumn("payment")],
    ["Score", "number"],
    ["Amount", "number"],
    ["Strongest reason", "least"],
  ], body);
  frame.hidden = true;
  const element = h(
    "section",
    { class: "panel" },
    h(
      "div",
      { class: "head" },
      h("h2", {}, "Newest open alerts"),
      h("a", { href: "#/alerts" }, "Open the queue"),
    ),
    said,
    frame,
  );
  const close = every(ALERTS_MS, async () => {
    const { total, alerts } = await ask("/api/alerts", {
      state: "open",
      sort: "newest",
    });
    said.hidden = total > 0;
    frame.hidden = total === 0;
    if (total === 0) said.replaceChildren(...whyEmpty({}, newest));
    // A row that has the focus stays where it is.
    if (body.contains(document.activeElement)) return;
    body.replaceChildren(
      ...alerts.slice(0, ALERTS_SHOWN).map((alert) =>
        h(
          "tr",
          { class: "goes" },
          h("td", { class: idColumn("payment") }, caseLink(alert.id)),
          h("td", { class: "number" }, score(alert.score)),
          h("td", { class: "number" }, money(alert.amount)),
          h("td", { class: "reason least" }, alert.reason ?? "–"),
        )
      ),
    );
  });
  return {
    element,
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      newest = snapshot;
    },
    close,
  };
}

/** The stream itself, which can be paused. */
function streamPanel() {
  const body = h("tbody");
  const rows = Array.from({ length: ROWS }, () => row());
  let paused = false;
  const pause = h("button", {
    type: "button",
    "aria-pressed": "false",
    onclick: () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
    },
  }, "Pause");
  const element = h(
    "section",
    { class: "panel" },
    h("div", { class: "head" }, h("h2", {}, "Newest payments"), pause),
    table(
      "Newest payments",
      [
        ["Payment", idColumn("payment")],
        ["Event time", "least"],
        ["Card", `${idColumn("card")} least`],
        ["Terminal", `${idColumn("terminal")} least`],
        ["Amount", "number"],
        ["Score", "number"],
        ["Decision", "least"],
        isTruthShown() ? ["Truth (simulation)"] : ["Label", "least"],
      ],
      body,
      "scroll tall",
    ),
  );
  return {
    element,
    /** @param {Snapshot} snapshot */
    show({ recent, truth }) {
      if (paused) return;
      const shown = recent.slice(0, ROWS).map((payment, i) =>
        rows[i].show(payment, truth.recent[i])
      );
      if (body.childElementCount !== shown.length) {
        body.replaceChildren(...shown);
      }
    },
  };
}

/** The charts: what is counted in panels below each other, each with one scale. */
function chartsOf() {
  const rate = lineChart({
    label: "Payments and alerts per second, last two minutes of clock time",
    time: "clock",
    empty: "No payment yet.",
    panels: [
      { title: "payments per second", measure: "count", lines: ["payments"] },
      { title: "alerts per second", measure: "count", lines: ["alerts"] },
    ],
  });
  const days = lineChart({
    label: "Payments and share of known frauds by event day",
    time: "day",
    empty: "No payment yet.",
    panels: [
      { title: "payments per day", measure: "count", lines: ["payments"] },
      { title: "share of known frauds", measure: "share", lines: ["frauds"] },
    ],
  });
  const pending = h("p", { class: "note", hidden: true });
  /** @type {readonly StreamEvent[]} */
  let events = [];
  const end = every(MARKS_MS, async () => {
    ({ events } = await ask("/api/marks"));
  });
  return {
    elements: [
      panel("Last two minutes", rate.element),
      panel("Event days", days.element, pending),
    ],
    /** @param {Snapshot} snapshot */
    show({ seconds, days: sums, startSeconds, complete, totals }) {
      pending.hidden = !totals.pending;
      setText(
        pending,
        `${
          countOf(totals.pending ?? 0, "outcome")
        } pending: a day has its share once its labels are known.`,
      );
      const { payments, alerts } = seconds;
      rate.draw(
        {
          x: payments.map((_, i) => seconds.from + i),
          columns: [payments, alerts],
          marks: events.flatMap((event) => {
            return event.at === undefined ? [] : [{ ...event, x: event.at }];
          }),
        },
        `Newest: ${countOf(payments.at(-1) ?? 0, "payment")} and ${
          countOf(alerts.at(-1) ?? 0, "alert")
        } per second`,
      );
      const newest = sums.at(-1);
      days.draw(
        {
          x: sums.map(({ day }) => day),
          columns: [
            sums.map(({ payments }) => payments),
            // Until all labels of a day are known, its share is too low.
            sums.map(({ frauds, payments, labelled }) =>
              labelled && payments > 0 ? frauds / payments : null
            ),
          ],
          partial: newest && !complete ? [newest.day] : [],
          startSeconds,
          marks: events,
        },
        newest
          ? `${isoDay(startSeconds, newest.day)}: ${
            countOf(newest.payments, "payment")
          }`
          : "No payments yet",
      );
    },
    close() {
      end();
      rate.close();
      days.close();
    },
  };
}

/** A row of the stream, used again and again: nothing is created again twice per second. */
function row() {
  const link = caseLink("");
  const kinds = [
    "least",
    `${idColumn("card")} least`,
    `${idColumn("terminal")} least`,
    "number",
    "number",
  ];
  const cells = kinds
    .map((kind) => h("td", { class: kind }));
  const [time, card, terminal, amount, points] = cells;
  const decision = h("td", { class: "least" });
  const label = h("td", { class: isTruthShown() ? "" : "least" });
  const element = h(
    "tr",
    {},
    h("td", { class: idColumn("payment") }, link),
    cells,
    decision,
    label,
  );
  /** @type {string | undefined} */
  let shown;
  return {
    /** @param {ShownPayment & { readonly fraud?: 0 | 1 }} payment @param {Truth["recent"][number] | undefined} truth */
    show(payment, truth) {
      const key = JSON.stringify(payment);
      if (shown === key) return element;
      shown = key;
      link.replaceChildren(idText(payment.id));
      link.setAttribute("href", caseAddress(payment.id));
      link.setAttribute("aria-label", `Case of payment ${payment.id}`);
      setText(time, payment.datetime.slice(5));
      card.replaceChildren(idText(payment.customer));
      terminal.replaceChildren(idText(payment.terminal));
      setText(amount, money(payment.amount));
      setText(points, score(payment.score));
      decision.replaceChildren(
        payment.alert === undefined
          ? mark("unknown", "no score")
          : payment.alert
          ? mark("alert", "alert")
          : mark("genuine", "passed"),
      );
      // Nobody knows the label of a payment that was just made, unless a verdict or a label has come.
      label.replaceChildren(
        isTruthShown()
          ? labelMark(truth?.fraud, truth?.scenario)
          : labelMark(payment.fraud),
      );
      return element;
    },
  };
}
