/** The view of this moment: how fast, how far, how much money, and the stream itself. */
import { lineChart } from "./chart.js";
import {
  caseLink,
  count,
  h,
  heading,
  labelMark,
  mark,
  money,
  panel,
  score,
  setText,
  table,
} from "./dom.js";
import { isoDay } from "./scale.js";
import { TILES, tilesOf } from "./tiles.js";

/** @import { LineChart } from "./chart.js" */
/** @import { RecentPayment, Snapshot } from "../views/snapshot.ts" */
/** @typedef {ReturnType<typeof tilesOf>} Figures */

const CHARTS_MS = 1000;
const ROWS_MS = 500;

/** @param {keyof Figures} name @param {string} label */
function tile(name, label) {
  const value = h("dd", {}, "–");
  const note = h("dd", { class: "note" });
  const element = h("div", { class: "tile" }, h("dt", {}, label), value, note);
  return {
    element,
    /** @param {Figures} figures */
    show(figures) {
      const [text, more] = figures[name];
      setText(value, text);
      setText(note, more);
    },
  };
}

/** Opens the view. @param {HTMLElement} root */
export function openNow(root) {
  const names = /** @type {(keyof Figures)[]} */ (Object.keys(TILES));
  const tiles = names.map((name) => tile(name, TILES[name]));
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
    label: "Payments and share of frauds by event day",
    time: "day",
    empty: "No payment yet.",
    panels: [
      { title: "payments per day", measure: "count", lines: ["payments"] },
      { title: "share of known frauds", measure: "share", lines: ["frauds"] },
    ],
  });
  const body = h("tbody");
  const rows = Array.from({ length: 40 }, () => row());
  let paused = false;
  const pause = h("button", {
    type: "button",
    "aria-pressed": "false",
    onclick: () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      setText(pause, paused ? "Go on" : "Pause");
    },
  }, "Pause");
  root.append(
    heading("Now"),
    h("dl", { class: "tiles" }, tiles.map(({ element }) => element)),
    h(
      "div",
      { class: "pair" },
      panel("Rate", rate.element),
      panel("Event days", days.element),
    ),
    h(
      "section",
      { class: "panel" },
      h("div", { class: "head" }, h("h2", {}, "Payments as they come"), pause),
      table("Newest payments", [
        ["Payment", "number"],
        ["Event time", "least"],
        ["Card", "number least"],
        ["Terminal", "number least"],
        ["Amount", "number"],
        ["Score", "number"],
        ["Model", "least"],
        ["Label (simulated)"],
      ], body),
    ),
  );
  let chartsAt = -Infinity;
  let rowsAt = -Infinity;
  return {
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      const figures = tilesOf(snapshot);
      for (const one of tiles) one.show(figures);
      const now = performance.now();
      if (now - chartsAt >= CHARTS_MS) {
        chartsAt = now;
        showCharts(rate, days, snapshot);
      }
      if (!paused && now - rowsAt >= ROWS_MS) {
        rowsAt = now;
        const shown = snapshot.recent.map((payment, i) =>
          rows[i].show(payment)
        );
        if (body.childElementCount !== shown.length) {
          body.replaceChildren(...shown);
        }
      }
    },
    close() {
      rate.close();
      days.close();
    },
  };
}

/**
 * @param {LineChart} rate
 * @param {LineChart} days
 * @param {Snapshot} snapshot
 */
function showCharts(rate, days, snapshot) {
  const { seconds, days: sums, startSeconds } = snapshot;
  const last = seconds.payments.at(-1) ?? 0;
  rate.draw(
    {
      x: seconds.payments.map((_, i) => seconds.from + i),
      columns: [seconds.payments, seconds.alerts],
    },
    `Newest: ${count(last)} payments per second`,
  );
  const newest = sums.at(-1);
  days.draw(
    {
      x: sums.map(({ day }) => day),
      columns: [
        sums.map(({ payments }) => payments),
        sums.map(({ frauds, payments, labelled }) =>
          labelled && payments ? frauds / payments : null
        ),
      ],
      partial: newest && !snapshot.complete ? [newest.day] : [],
      startSeconds,
    },
    newest
      ? `${isoDay(startSeconds, newest.day)}: ${count(newest.payments)} ` +
        `payments`
      : "Nothing yet",
  );
}

/** A row of the stream, used again and again: nothing is created again twice per second. */
function row() {
  const link = caseLink("");
  const cells = ["least", "number least", "number least", "number", "number"]
    .map((kind) => h("td", { class: kind }));
  const [time, card, terminal, amount, points] = cells;
  const model = h("td", { class: "least" });
  const label = h("td");
  const element = h(
    "tr",
    {},
    h("td", { class: "number" }, link),
    cells,
    model,
    label,
  );
  /** @type {string | undefined} */
  let shown;
  return {
    /** @param {RecentPayment} payment */
    show(payment) {
      const key = `${payment.id}/${payment.score}`;
      if (shown === key) return element;
      shown = key;
      setText(link, String(payment.id));
      link.setAttribute("href", `#/alerts/${payment.id}`);
      link.setAttribute("aria-label", `Case of payment ${payment.id}`);
      setText(time, payment.datetime);
      setText(card, String(payment.customer));
      setText(terminal, String(payment.terminal));
      setText(amount, money(payment.amount));
      setText(points, score(payment.score));
      model.replaceChildren(
        payment.alert === undefined
          ? mark("unknown", "not scored")
          : payment.alert
          ? mark("alert", "alert")
          : mark("genuine", "passed"),
      );
      label.replaceChildren(labelMark(undefined, undefined));
      return element;
    },
  };
}
