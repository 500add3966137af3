/** What a card or a terminal did in its windows before a payment: as dots in time, and as a table. */
import {
  caseLink,
  count,
  countOf,
  h,
  idColumn,
  idText,
  labelMark,
  money,
  outcomeMark,
  shownShape,
  svg,
  table,
} from "./dom.js";

/** @import { CasePayment } from "../views/cases.ts" */
/** @import { PastPayment } from "../views/page_view.ts" */

const DAY = 86_400;
const WIDTH = 640;
const HEIGHT = 96;
/** Between the ends of the axis and those of the drawing. */
const MARGIN = 16;
/** Room that the words "this payment" take at the end of the axis, and a label elsewhere. */
const NOW_ROOM = 92;
const LABEL_ROOM = 52;
/** Heights: the shaded windows, from top to axis, and the payments. */
const [TOP, AXIS, MIDDLE] = [18, 68, 43];

/**
 * The payments of a window as dots in time, larger with more money, frauds as triangles.
 * @param {string} name
 * @param {readonly PastPayment[]} payments
 * @param {CasePayment} self
 * @param {{ days: number, windowDays: readonly number[], delayDays: number }} span how far back it reaches, and the windows to shade
 */
export function timeline(name, payments, self, span) {
  const { windowDays, delayDays } = span;
  const longest = Math.max(1, Math.ceil(span.days));
  const from = self.time - longest * DAY;
  /** @param {number} time */
  const x = (time) =>
    MARGIN + (time - from) / (longest * DAY) * (WIDTH - 2 * MARGIN);
  const most = Math.max(1, ...payments.map(({ amount }) => Math.abs(amount)));
  const words = wordsOf(payments);
  const end = self.time - delayDays * DAY;
  let free = -Infinity;
  // The longest first: its name stands farthest to the left.
  const windows = windowDays.toSorted((a, b) => b - a).map((days) => {
    const start = x(end - days * DAY);
    const band = svg("rect", {
      class: "window",
      x: start,
      y: TOP,
      width: x(end) - start,
      height: AXIS - TOP,
    });
    // Names stand above the band, where no payment covers them.
    const at = Math.min(start, WIDTH - LABEL_ROOM);
    if (at < free) return [band];
    free = at + LABEL_ROOM;
    return [band, svg("text", { x: at, y: TOP - 5 }, countOf(days, "day"))];
  });
  const dots = payments.map((payment) => {
    const { transactionId, timeSeconds, amount } = payment;
    const at = x(timeSeconds);
    const size = 2.5 + 6 * Math.sqrt(Math.abs(amount) / most);
    const own = transactionId === self.id;
    return [
      dotOf(payment, at, size),
      own && svg("circle", { class: "self", cx: at, cy: MIDDLE, r: size + 4 }),
    ];
  });
  const step = longest > 20 ? 7 : 1;
  const ticks = [];
  for (let days = 0; days <= longest; days += step) {
    const at = x(self.time - days * DAY);
    ticks.push(
      svg("line", { class: "axis", x1: at, x2: at, y1: AXIS, y2: AXIS + 5 }),
      days === 0
        ? svg(
          "text",
          { x: WIDTH, y: AXIS + 18, "text-anchor": "end" },
          "this payment",
        )
        : at < WIDTH - NOW_ROOM
        ? svg(
          "text",
          { x: at, y: AXIS + 18, "text-anchor": "middle" },
          `−${days} d`,
        )
        : null,
    );
  }
  return h(
    "figure",
    { class: "figure" },
    h(
      "figcaption",
      { class: "note" },
      `${name}: ${words}`,
    ),
    h(
      "div",
      {
        class: "scroll",
        tabindex: "0",
        role: "region",
        "aria-label": `Timeline of the ${name.toLowerCase()}`,
      },
      svg(
        "svg",
        {
          class: "timeline",
          viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
          role: "img",
          "aria-label": `${name}: ${words} in ${longest} days. ` +
            "The table below has them",
        },
        windows,
        svg("line", {
          class: "axis",
          x1: MARGIN,
          x2: WIDTH - MARGIN,
          y1: AXIS,
          y2: AXIS,
        }),
        ticks,
        dots,
      ),
    ),
  );
}

/**
 * A payment: a fraud as a triangle, one whose label was not known as an
 * outline. The simulation's truth about such a one is dashed.
 * @param {PastPayment} payment
 * @param {number} at
 * @param {number} size
 */
function dotOf({ fraud, known }, at, size) {
  const kind = known ? "" : fraud === undefined ? " pending" : " in-truth";
  return fraud === 1
    ? svg("path", {
      class: `fraud${kind}`,
      d: `M${at} ${MIDDLE - size}l${size} ${2 * size}h${-2 * size}Z`,
    })
    : svg("circle", { class: `payment${kind}`, cx: at, cy: MIDDLE, r: size });
}

/** @param {readonly PastPayment[]} payments */
function wordsOf(payments) {
  /** @param {boolean} known */
  const frauds = (known) =>
    payments.filter((payment) => payment.known === known && payment.fraud === 1)
      .length;
  const pending = payments.filter(({ known }) => !known).length;
  const later = frauds(false);
  return [
    countOf(payments.length, "payment"),
    `${countOf(frauds(true), "known fraud")} (▲)`,
    `${
      pending === 0 ? "none" : count(pending)
    } with a label still pending (outlined)`,
    ...later > 0
      ? [`${count(later)} of those are frauds in truth (dashed)`]
      : [],
  ].join(", ");
}

/**
 * The same payments as a table; `other` is what the column of `key` is called.
 * @param {string} title
 * @param {readonly PastPayment[]} payments
 * @param {"customerId" | "terminalId"} key
 * @param {string} other
 */
export function rowsOf(title, payments, key, other) {
  return h(
    "details",
    {},
    h("summary", {}, `${title} as a table`),
    table(
      title,
      [
        ["Payment"],
        ["Event time"],
        [other, idColumn(key === "customerId" ? "card" : "terminal")],
        ["Amount", "number"],
        ["Label then"],
      ],
      h(
        "tbody",
        {},
        payments.map((payment) =>
          h(
            "tr",
            {},
            h("td", {}, caseLink(payment.transactionId)),
            h("td", {}, payment.datetime),
            h(
              "td",
              { class: idColumn(key === "customerId" ? "card" : "terminal") },
              idText(payment[key]),
            ),
            h("td", { class: "number" }, money(payment.amount)),
            h(
              "td",
              {},
              shownShape().labels === "stream"
                ? outcomeMark(payment)
                : labelMark(payment.fraud, payment.scenario),
              !payment.known && payment.fraud !== undefined && " (truth)",
            ),
          )
        ),
      ),
      "scroll tall",
    ),
  );
}
