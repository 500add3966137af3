/** One case: a payment, what made its score, what its card and terminal did, and the verdict. */
import {
  ask,
  count,
  h,
  heading,
  labelMark,
  mark,
  messageOf,
  money,
  panel,
  score,
  setText,
  svg,
} from "./dom.js";
import { plane, planeLegend, pointOf } from "./plane.js";
import { rowsOf, timeline } from "./timeline.js";
import { showHistory, verdictForm } from "./verdict.js";

/** @import { CaseAnswers } from "../views/cases.ts" */
/** @typedef {CaseAnswers["/api/cases/:id"]} Case */

/** Opens the view of a payment. @param {HTMLElement} root @param {string} id @param {URLSearchParams} _filter */
export function openCase(root, id, _filter) {
  /** @type {ReturnType<typeof plane> | undefined} */
  let drawing;
  let closed = false;
  const said = h("p", { class: "empty", role: "status" }, "Looking it up…");
  root.append(heading(`Case ${id}`), said);
  const load = async () => {
    let found;
    let places;
    try {
      [found, places] = await Promise.all([
        ask("/api/cases/:id", { id }),
        ask("/api/map"),
      ]);
    } catch (error) {
      setText(said, messageOf(error));
      return;
    }
    if (closed) return;
    drawing = plane(`Map around payment ${id}`);
    root.replaceChildren(...parts(found, drawing));
    root.querySelector("h1")?.focus();
    const { card, terminal, reach, radius } = found;
    drawing.show(
      {
        terminals: places.terminals,
        card: pointOf(card),
        reach,
        radius,
        focus: terminal?.id,
      },
      radius
        ? `The card reaches ${count(reach.length)} terminals within ${radius}`
        : "",
    );
  };
  load();
  return {
    close() {
      closed = true;
      drawing?.close();
    },
  };
}

/** @param {Case} found @param {ReturnType<typeof plane>} drawing */
function parts(found, drawing) {
  const { payment, reasons, events, windows } = found;
  const history = h("div", {
    role: "log",
    "aria-label": "History of verdicts",
  });
  showHistory(history, events);
  return [
    heading(
      `Case ${payment.id}`,
      h("p", {}, h("a", { href: "#/alerts" }, "All alerts")),
    ),
    h(
      "div",
      { class: "aside" },
      h(
        "div",
        { class: "column" },
        panel("Payment", factsOf(found)),
        panel("What made the score", contributionsOf(reasons)),
        panel(
          "Timeline",
          h(
            "p",
            { class: "note" },
            `Windows of ${
              windows.windowDays.join(", ")
            } days; the terminal's end ` +
              `${windows.delayDays} days back, when frauds are known.`,
          ),
          timeline("Card", found.ofCard, payment, windows.windowDays, 0),
          timeline(
            "Terminal",
            found.ofTerminal,
            payment,
            windows.windowDays,
            windows.delayDays,
          ),
          rowsOf("The card's payments", found.ofCard, "terminalId", "Terminal"),
          rowsOf(
            "The terminal's payments",
            found.ofTerminal,
            "customerId",
            "Card",
          ),
        ),
        found.features.length > 0 &&
          panel("Features", featuresOf(found.features)),
      ),
      h(
        "div",
        { class: "column" },
        panel(
          "Verdict",
          verdictForm(payment.id, history),
          h("h3", {}, "History"),
          history,
        ),
        panel(
          "Where",
          drawing.element,
          planeLegend(),
          h(
            "p",
            {},
            h(
              "a",
              { href: `#/map?card=${payment.customer}` },
              `Card ${payment.customer} on the map`,
            ),
            " · ",
            h(
              "a",
              { href: `#/map?terminal=${payment.terminal}` },
              `Terminal ${payment.terminal}`,
            ),
          ),
        ),
      ),
    ),
  ];
}

/** @param {Case} found */
function factsOf({ payment, terminal }) {
  /** @param {string} name @param {...Node | string} value */
  const fact = (name, ...value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h(
    "dl",
    { class: "facts" },
    fact("Amount", money(payment.amount)),
    fact("Event time, UTC", payment.datetime),
    fact("Card", String(payment.customer)),
    fact(
      "Terminal",
      String(payment.terminal),
      " ",
      terminal?.compromised ? mark("fraud", "compromised") : "",
    ),
    fact("Score", score(payment.score)),
    fact(
      "Model",
      payment.model ??
        (payment.score === undefined ? "not scored" : "no alert"),
    ),
    payment.fraud !== undefined &&
      fact("Label (simulated)", labelMark(payment.fraud, payment.scenario)),
  );
}

/** @param {Case["reasons"]} reasons */
function contributionsOf({ raised, lowered }) {
  const entries = [...raised, ...lowered]
    .map((
      { feature, contribution },
    ) => /** @type {const} */ ([feature, contribution]))
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  if (entries.length === 0) {
    return h(
      "p",
      { class: "note" },
      "Not computed for this payment: alerts have it.",
    );
  }
  const most = Math.abs(entries[0][1]) || 1;
  return h(
    "div",
    { class: "bars" },
    entries.map(([name, value]) => {
      const width = 50 * Math.abs(value) / most;
      return [
        h("span", {}, name),
        svg(
          "svg",
          {
            viewBox: "0 0 100 10",
            preserveAspectRatio: "none",
            "aria-hidden": "true",
          },
          svg("line", {
            class: "zero",
            x1: 50,
            x2: 50,
            y1: 0,
            y2: 10,
            "vector-effect": "non-scaling-stroke",
          }),
          svg("rect", {
            class: value > 0 ? "up" : "down",
            x: value > 0 ? 50 : 50 - width,
            y: 2,
            width,
            height: 6,
          }),
        ),
        h(
          "span",
          { class: "number" },
          value === 0
            ? "0"
            : `${value > 0 ? "▲ +" : "▼ −"}${Math.abs(value).toFixed(3)}`,
        ),
      ];
    }),
  );
}

/** @param {Case["features"]} features */
function featuresOf(features) {
  return h(
    "dl",
    { class: "facts" },
    features.map(({ name, value }) =>
      h(
        "div",
        {},
        h("dt", {}, name),
        h("dd", {}, Number.isInteger(value) ? count(value) : value.toFixed(4)),
      )
    ),
  );
}
