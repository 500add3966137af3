/** One case: a payment as it was known when it was made, why it was scored so, and what to do with it. */
import { rememberCase } from "./alerts.js";
import {
  ask,
  caseAddress,
  count,
  countOf,
  decisionMark,
  every,
  h,
  idText,
  labelMark,
  mark,
  messageOf,
  money,
  outcomeMark,
  panel,
  score,
  setText,
  shownShape,
  svg,
  truthOwner,
} from "./dom.js";
import { plane, planeLegend, pointOf } from "./plane.js";
import { addressOf, filterOf } from "./queue_filter.js";
import { addToList, removeFromList } from "./rule_editor.js";
import { rowsOf, timeline } from "./timeline.js";
import { decisionPanel } from "./verdict.js";

/** @import { Reason } from "../../learning/explain/reasons.ts" */
/** @import { CaseAnswers } from "../views/cases.ts" */
/** @import { MapAnswers } from "../views/map.ts" */
/** @import { Filter } from "./queue_filter.js" */
/** @typedef {CaseAnswers["/api/cases/:id"]} Case */
/** @typedef {ReturnType<typeof plane>} Drawing */

/** How often a case is read again, for what other analysts do with it. */
const CASE_MS = 5000;
/** Reasons that are shown before the weaker ones are folded. */
const REASONS_SHOWN = 5;
/** "1, 7 and 30". */
const LIST = new Intl.ListFormat("en-GB");

/**
 * Opens the view of a payment, as a case of the queue that the parameters filter.
 * @param {HTMLElement} root
 * @param {string} id
 * @param {URLSearchParams} parameters
 */
export function openCase(root, id, parameters) {
  const filter = filterOf(parameters);
  rememberCase(id);
  /** @type {Drawing | undefined} */
  let drawing;
  let closed = false;
  const queue = queueNav(id, filter, () => closed);
  const said = h("p", { class: "empty", role: "status" }, "Loading the case…");
  root.append(
    h(
      "div",
      { class: "head" },
      h("h1", { tabindex: "-1", class: "of-id" }, "Case ", h("bdi", {}, id)),
      queue.element,
    ),
    said,
  );
  const decision = decisionPanel(id, filter, queue.next);
  /** @param {Case} found */
  const fill = (found) => {
    drawing = plane(`Map around payment ${id}`);
    said.replaceWith(layoutOf(found, decision, drawing));
    for (const scroll of root.querySelectorAll(".figure .scroll")) {
      // Where this payment is.
      scroll.scrollLeft = scroll.scrollWidth;
    }
    showMap(drawing, found);
  };
  const look = async () => {
    try {
      const found = await ask("/api/cases/:id", { id });
      if (closed) return;
      decision.show(found);
      if (!drawing) fill(found);
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  queue.look();
  const end = every(CASE_MS, look);
  return {
    keys: {
      j: queue.next,
      k: queue.previous,
      c: () => decision.decide(1),
      l: () => decision.decide(0),
      a: decision.claim,
    },
    close() {
      closed = true;
      end();
      drawing?.close();
    },
  };
}

/**
 * Where the case is in its queue, and the ways to the cases before and after it.
 * @param {string} id
 * @param {Filter} filter
 * @param {() => boolean} isLeft
 */
function queueNav(id, filter, isLeft) {
  const position = h("span", { class: "note", role: "status" });
  const back = addressOf("#/alerts", filter);
  const previous = h("a", { class: "button quiet", hidden: true }, "Previous");
  const next = h("a", { class: "button quiet", hidden: true }, "Next");
  /** @param {HTMLAnchorElement} link @param {number | string | undefined} to */
  const point = (link, to) => {
    link.hidden = to === undefined;
    if (to !== undefined) link.href = addressOf(caseAddress(to), filter);
  };
  const look = async () => {
    try {
      const found = await ask("/api/cases/:id/neighbours", { id, ...filter });
      point(previous, found.previous);
      point(next, found.next);
      setText(
        position,
        found.total === 0 || found.position === 0
          ? ""
          : `${count(Math.min(found.position, found.total))} of ${
            count(found.total)
          }`,
      );
    } catch {
      setText(position, "");
    }
  };
  /** @param {HTMLAnchorElement} link */
  const follow = async (link) => {
    await look(); // The queue may have changed.
    if (isLeft()) return; // A person who has gone elsewhere stays there.
    location.hash = link.hidden ? back : new URL(link.href).hash;
  };
  return {
    element: h(
      "nav",
      { class: "row", "aria-label": "Queue" },
      h("a", { href: back }, "Queue"),
      previous,
      position,
      next,
    ),
    look,
    next: () => follow(next),
    previous: () => follow(previous),
  };
}

/**
 * @param {Case} found
 * @param {ReturnType<typeof decisionPanel>} decision
 * @param {Drawing} drawing
 */
function layoutOf(found, decision, drawing) {
  const { payment, windows } = found;
  return h(
    "div",
    { class: "case" },
    panel("Payment", factsOf(found)),
    decision.element,
    h(
      "div",
      { class: "column" },
      found.decision &&
        panel(
          "What the rules decided",
          rulesOf(found.decision),
          listActions(found.payment),
        ),
      panel("Why this score", reasonsOf(found)),
      panel(
        "Timeline",
        h(
          "p",
          { class: "note" },
          windowWords(windows),
        ),
        timeline("Card", found.ofCard, payment, {
          days: windows.cardDays,
          windowDays: windows.windowDays,
          delayDays: 0,
        }),
        timeline("Terminal", found.ofTerminal, payment, {
          ...windows,
          days: windows.terminalDays,
        }),
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
      panel("History", decision.history),
      (pointOf(found.card) || pointOf(found.terminal)) &&
        panel("Where", drawing.element, planeLegend(), placesOf(payment)),
    ),
  );
}

/** What the timelines show. @param {Case["windows"]} windows */
function windowWords({ windowDays, delayDays }) {
  if (windowDays.length === 0) {
    return "What was known when this payment was made, as far as its features look back.";
  }
  const days = countOf(delayDays, "day");
  const { labels } = shownShape();
  const why = labels === "payment"
    ? `a label is known after ${days}`
    : "labels come later";
  const delay = delayDays === 0
    ? ""
    : ` Those of the terminal end ${days} before the payment, because ${why}.`;
  return `What was known when this payment was made. Shaded: the windows of ${
    LIST.format(windowDays.map(String))
  } days.${delay}`;
}

/** @param {Case["payment"]} payment */
function placesOf({ customer, terminal }) {
  return h(
    "p",
    {},
    h(
      "a",
      { href: `#/map?card=${encodeURIComponent(customer)}` },
      `Card ${customer} on the map`,
    ),
    " · ",
    h(
      "a",
      { href: `#/map?terminal=${encodeURIComponent(terminal)}` },
      `Terminal ${terminal} on the map`,
    ),
  );
}

/** @type {{ places: Promise<MapAnswers["/api/map"]>, at: number } | undefined} */
let kept;
/** How long the places of all terminals are used again, in milliseconds. */
const PLACES_MS = 60_000;

/**
 * Draws the surroundings, once they are known; the rest of a case does not wait for them.
 * @param {Drawing} map
 * @param {Case} found
 */
async function showMap(map, { card, terminal, reach, radius }) {
  if (!kept || Date.now() - kept.at > PLACES_MS) {
    kept = { places: ask("/api/map"), at: Date.now() };
  }
  try {
    const { terminals } = await kept.places;
    const words = radius === undefined
      ? ""
      : `The card reaches ${count(reach.length)} terminals within ${radius}`;
    const focus = terminal?.id;
    const at = pointOf(card);
    map.show({ terminals, card: at, reach, radius, focus }, words);
  } catch {
    kept = undefined; // The next case tries again.
  }
}

/** @param {Case} found */
function factsOf({ payment, terminal, kept }) {
  /** @param {string} name @param {...(Node | string | false)} value */
  const fact = (name, ...value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  /** @param {"card" | "terminal"} name @param {number | string} id */
  const others = (name, id) =>
    h("a", {
      href: `#/alerts?state=all&${name}=${encodeURIComponent(id)}`,
      "aria-label": `Alerts of ${name} ${id}`,
    }, idText(id));
  return h(
    "dl",
    { class: "facts tight" },
    fact("Amount", money(payment.amount)),
    fact("Score", score(payment.score)),
    fact("Event time, UTC", payment.datetime),
    fact("Card", others("card", payment.customer)),
    fact("Terminal", others("terminal", payment.terminal)),
    fact(
      "Model",
      payment.model ??
        (payment.score === undefined ? "no score" : "not stored yet"),
    ),
    payment.outcome && fact("Outcome", ...outcomeMark(payment.outcome)),
    kept.map(({ name, type, value }) => fact(name, ...keptText(type, value))),
    payment.fraud !== undefined &&
      fact(
        `Truth (${truthOwner()})`,
        labelMark(payment.fraud, payment.scenario),
        " ",
        terminal?.compromised === true &&
          mark("fraud", "terminal compromised"),
      ),
  );
}

/**
 * The value of a kept field.
 * @param {Case["kept"][number]["type"]} type
 * @param {Case["kept"][number]["value"]} value
 */
function keptText(type, value) {
  if (value === null) return [h("span", { class: "note" }, "none")];
  if (type === "flag") return [value === 1 ? "yes" : "no"];
  // A date is a time at midnight.
  const text = type === "time"
    ? String(value).replace(/ 00:00:00$/, "")
    : String(value);
  return [h("bdi", {}, text)];
}

/** What rules decided, and why, in words. @param {NonNullable<Case["decision"]>} decision */
function rulesOf({ decision, rules, shadowRules, version }) {
  const words = rules.length > 0
    ? undefined
    : decision === "approve"
    ? "No live rule fired, and the model made it no alert."
    : "No live rule fired. The model made it an alert.";
  return h(
    "div",
    { class: "column" },
    h("p", {}, decisionMark(decision)),
    words !== undefined && h("p", {}, words),
    rules.length > 0 && h(
      "ul",
      { class: "fired" },
      rules.map(({ id, reason }, place) =>
        h(
          "li",
          {},
          reason,
          " ",
          h("a", {
            href: addressOf("#/alerts", { state: "all", rule: id }),
            "aria-label": `Alerts on which ${id} fired`,
          }, h("code", {}, id)),
          place === 0 && rules.length > 1 && " decided",
        )
      ),
    ),
    shadowRules.length > 0 && h(
      "p",
      { class: "note" },
      `In shadow, without effect: ${shadowRules.join(", ")}.`,
    ),
    h("p", { class: "note" }, "Rules, version ", h("code", {}, version)),
  );
}

/** The lists of the rules that this card or terminal can be added to, or removed from, once they are known. @param {Case["payment"]} payment */
function listActions({ customer, terminal }) {
  const row = h("div", { class: "row" });
  const said = h("p", { class: "note", role: "status" });
  /** @param {string} list @param {string} kind @param {number | string} id */
  const button = async (list, kind, id) => {
    const q = String(id);
    const { entries } = await ask("/api/rules/lists/entries", { list, q });
    const entry = entries.find(({ value, hasEnded }) =>
      !hasEnded && (typeof id === "number" ? Number(value) === id : value === q)
    );
    return h("button", {
      type: "button",
      class: "quiet",
      onclick: async () => {
        setText(
          said,
          await (entry ? removeFromList(list, entry) : addToList(list, q)),
        );
        await look();
      },
    }, entry ? `Remove ${kind} from ${list}…` : `Add ${kind} to ${list}…`);
  };
  const look = async () => {
    const { lists } = await ask("/api/rules");
    const buttons = lists.flatMap(({ name, fields }) => [
      ...fields.includes("CUSTOMER_ID")
        ? [button(name, "this card", customer)]
        : [],
      ...fields.includes("TERMINAL_ID")
        ? [button(name, "this terminal", terminal)]
        : [],
    ]);
    row.replaceChildren(...await Promise.all(buttons));
  };
  look().catch(() => {
    // Without its lists the case is still whole.
  });
  return h("div", { class: "column" }, row, said);
}

/** @param {Case} found */
function reasonsOf({ reasons: { raised, lowered }, payment }) {
  const strongest = Math.max(
    ...[...raised, ...lowered].map(({ contribution }) =>
      Math.abs(contribution)
    ),
  );
  if (raised.length + lowered.length === 0) {
    return h(
      "p",
      { class: "note" },
      payment.alert === 1
        ? "The model gave no reasons for this score."
        : "Reasons are computed for alerts of the model only, and this payment is none.",
    );
  }
  /** @param {Reason} reason */
  const item = (reason) => reasonOf(reason, strongest);
  /** @param {string} title @param {readonly Reason[]} reasons */
  const list = (title, reasons) =>
    reasons.length > 0 && [
      h("h3", {}, title),
      h(
        "ul",
        { class: "reasons" },
        reasons.slice(0, REASONS_SHOWN).map(item),
      ),
      reasons.length > REASONS_SHOWN && h(
        "details",
        {},
        h("summary", {}, `${reasons.length - REASONS_SHOWN} weaker`),
        h("ul", { class: "reasons" }, reasons.slice(REASONS_SHOWN).map(item)),
      ),
    ];
  return h(
    "div",
    {},
    list("Raised the score", raised),
    list("Lowered the score", lowered),
  );
}

/** @param {Reason} reason @param {number} strongest */
function reasonOf({ feature, sentence, contribution }, strongest) {
  const sign = contribution > 0 ? "+" : "−";
  return h(
    "li",
    {},
    h("span", {}, sentence),
    svg(
      "svg",
      {
        viewBox: "0 0 100 10",
        preserveAspectRatio: "none",
        "aria-hidden": "true",
      },
      svg("rect", {
        class: contribution > 0 ? "up" : "down",
        width: 100 * Math.abs(contribution) / strongest,
        height: 10,
      }),
    ),
    h(
      "small",
      {},
      h("code", {}, feature),
      ` ${sign}${Math.abs(contribution).toFixed(2)}`,
    ),
  );
}

/** @param {Case["features"]} features */
function featuresOf(features) {
  return h(
    "details",
    {},
    h("summary", {}, `All ${features.length} features`),
    h(
      "dl",
      { class: "facts" },
      features.map(({ name, value }) =>
        h(
          "div",
          {},
          h("dt", {}, name),
          h(
            "dd",
            {},
            value === null
              ? "–"
              : Number.isInteger(value)
              ? count(value)
              : value.toFixed(4),
          ),
        )
      ),
    ),
  );
}
