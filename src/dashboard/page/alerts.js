/** The queue of alerts: which to decide next, one by one or by card or terminal. */
import {
  ask,
  caseLink,
  count,
  countOf,
  decisionMark,
  every,
  h,
  heading,
  idColumn,
  idText,
  labelMark,
  mark,
  messageOf,
  money,
  outcomeMark,
  score,
  setText,
  shownShape,
  table,
  truthOwner,
} from "./dom.js";
import { groupList } from "./groups.js";
import {
  addressOf,
  filterForm,
  filterOf,
  ignoredOf,
  NOT_COMPLETE,
  whyEmpty,
} from "./queue_filter.js";
import { isTruthShown } from "./settings.js";

/** @import { Queue, QueuedAlert } from "../views/alerts.ts" */
/** @import { Snapshot } from "../views/snapshot.ts" */
/** @import { Filter } from "./queue_filter.js" */

const QUEUE_MS = 3000;

/**
 * What the tab remembers of the queue: which alerts had arrived when its first
 * page was shown, so that later pages fit to it, and the case that was opened.
 * @type {{ filter?: string, upTo?: number, opened?: string }}
 */
const memory = {};

/** Remembers the case that was opened last: the queue goes on from there. @param {string} id */
export function rememberCase(id) {
  memory.opened = id;
}

/**
 * Opens the view; the filter is in the address, so that it can be kept.
 * @param {HTMLElement} root
 * @param {URLSearchParams} parameters
 */
export function openAlerts(root, parameters) {
  const filter = filterOf(parameters);
  const by = parameters.get("by");
  const page = parameters.get("page") ?? "1";
  const isGrouped = by === "card" || by === "terminal";
  /** @param {string | null} kind @param {string} text */
  const tab = (kind, text) =>
    h(
      "a",
      {
        href: addressOf("#/alerts", filter, kind ? { by: kind } : {}),
        "aria-current": by === kind && "true",
      },
      text,
    );
  const list = isGrouped ? groupList(by, filter) : alertList(filter, page);
  root.append(
    heading(
      "Alerts",
      h(
        "nav",
        { class: "choices", "aria-label": "Grouping" },
        tab(null, "One by one"),
        tab("card", "By card"),
        tab("terminal", "By terminal"),
      ),
    ),
    h(
      "section",
      { class: "panel" },
      h("h2", { class: "hidden" }, "Queue"),
      filterForm(filter, isGrouped ? { by } : {}),
      ignoredNote(parameters, filter, isGrouped ? { by } : {}),
      list.element,
    ),
  );
  return {
    ...list,
    keys: { j: () => step(root, 1), k: () => step(root, -1) },
  };
}

/**
 * Says what of the address the queue ignores; nothing where it knows all.
 * @param {URLSearchParams} parameters
 * @param {Filter} filter
 * @param {Readonly<Record<string, string>>} kept
 */
function ignoredNote(parameters, filter, kept) {
  const ignored = ignoredOf(parameters);
  return ignored.length > 0 && h(
    "p",
    { class: "note ignored" },
    `The queue ignores this part of its address: ${ignored.join(", ")}. `,
    h("a", { href: addressOf("#/alerts", filter, kept) }, "Remove it"),
  );
}

/** Puts the focus on the row after the one that has it, or that was opened last. @param {HTMLElement} root @param {1 | -1} by */
function step(root, by) {
  /** @type {HTMLElement[]} */
  const links = [...root.querySelectorAll("tr.goes a")]
    .filter((link) => link instanceof HTMLElement);
  const focused = links.findIndex((link) => link === document.activeElement);
  const at = focused >= 0
    ? focused
    : links.findIndex((link) => link.closest("tr[aria-current]"));
  const next = at < 0 ? 0 : at + by;
  links[Math.min(links.length - 1, Math.max(0, next))]?.focus();
}

/**
 * The alerts one by one, a page of them. Rows stay where they are: what is
 * decided meanwhile is marked, and what arrives is announced.
 * @param {Filter} filter
 * @param {string} page
 */
function alertList(filter, page) {
  const key = addressOf("", filter);
  if (page === "1" || memory.filter !== key) {
    memory.filter = key;
    delete memory.upTo;
  }
  const total = h("p", { class: "note", role: "status" }, "Loading the queue…");
  const arrived = h("button", {
    type: "button",
    class: "arrived",
    hidden: true,
    onclick: () => {
      const first = addressOf("#/alerts", filter);
      delete memory.upTo;
      if (location.hash !== first) location.hash = first;
      else again();
    },
  });
  const body = h("tbody");
  const pager = h("nav", { class: "pager", "aria-label": "Pages" });
  const frame = table("Alerts", columns(), body);
  frame.classList.add("stacked");
  frame.hidden = true;
  /** @type {Snapshot | undefined} */
  let newest;
  /** @type {Map<number | string, ReturnType<typeof row>> | undefined} */
  let rows;

  /** @param {Queue} queue */
  const fill = (queue) => {
    memory.upTo ??= queue.newestSeq;
    rows = new Map(queue.alerts.map((alert) => [alert.id, row(filter)]));
    body.replaceChildren(...[...rows.values()].map(({ element }) => element));
    pager.replaceChildren(...pages(queue, filter));
  };
  /** @param {Queue} queue */
  const show = (queue) => {
    if (!rows) fill(queue);
    const found = new Map(queue.alerts.map((alert) => [alert.id, alert]));
    for (const [id, one] of rows ?? []) one.show(found.get(id));
    frame.hidden = rows?.size === 0;
    arrived.hidden = queue.arrived === 0;
    setText(arrived, `${count(queue.arrived)} new`);
    if (frame.hidden) total.replaceChildren(...whyEmpty(filter, newest));
    else setText(total, newest?.reading ? NOT_COMPLETE : sumOf(filter, queue));
  };
  const look = async () => {
    const upTo = memory.upTo === undefined ? {} : { upTo: memory.upTo };
    try {
      show(await ask("/api/alerts", { ...filter, page, ...upTo }));
    } catch (error) {
      setText(total, messageOf(error));
    }
  };
  const again = () => {
    rows = undefined;
    look();
  };
  return {
    element: h(
      "div",
      { class: "column" },
      h("div", { class: "row sum" }, total, arrived),
      frame,
      pager,
    ),
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      newest = snapshot;
    },
    close: every(QUEUE_MS, look),
  };
}

/** @returns {readonly (readonly [title: string, kind?: string])[]} */
function columns() {
  return [
    ["Case", idColumn("payment")],
    ["Score", "number"],
    ["Amount", "number"],
    ...shownShape().hasRules ? [/** @type {const} */ (["Decision"])] : [],
    [shownShape().hasRules ? "Reasons" : "Strongest reason"],
    ["Card", `${idColumn("card")} least`],
    ["Terminal", `${idColumn("terminal")} least`],
    ["Event time, UTC", "least"],
    ["State"],
    ...hasOutcome() ? [/** @type {const} */ (["Outcome"])] : [],
    ...isTruthShown()
      ? [/** @type {[string]} */ ([`Truth (${truthOwner()})`])]
      : [],
  ];
}

/** Whether labels arrive later, so that each alert says how it has turned out. */
const hasOutcome = () => shownShape().labels === "stream";

/** A row that shows an alert, and says so when that has left the page. @param {Filter} filter */
function row(filter) {
  const cells = [
    idColumn("payment"),
    "number",
    "number",
    "reason line",
    `${idColumn("card")} least`,
    `${idColumn("terminal")} least`,
    "least",
  ].map((kind) => h("td", { class: kind }));
  const [link, points, amount, reason, card, terminal, time] = cells;
  const state = h("td");
  const outcome = h("td", { class: "line" });
  const decision = h("td");
  const truth = h("td", { class: "line" });
  const element = h(
    "tr",
    { class: "goes" },
    cells.slice(0, 3),
    shownShape().hasRules && decision,
    cells.slice(3),
    state,
    hasOutcome() && outcome,
    isTruthShown() && truth,
  );
  let shown = "";
  return {
    element,
    /** @param {QueuedAlert | undefined} alert */
    show(alert) {
      element.classList.toggle("gone", !alert);
      if (!alert) {
        if (shown !== "gone") {
          state.replaceChildren(mark("unknown", "changed meanwhile"));
        }
        shown = "gone";
        return;
      }
      const now = JSON.stringify(alert);
      if (shown === now) return;
      shown = now;
      if (link.childElementCount === 0) {
        link.append(caseLink(alert.id, addressOf("", filter)));
        if (String(alert.id) === memory.opened) {
          element.setAttribute("aria-current", "true");
        }
      }
      setText(points, score(alert.score));
      setText(amount, money(alert.amount));
      decision.replaceChildren(
        alert.decision ? decisionMark(alert.decision.decision) : "–",
      );
      setText(reason, reasonOf(alert));
      card.replaceChildren(idText(alert.customer));
      terminal.replaceChildren(idText(alert.terminal));
      setText(time, alert.datetime);
      state.replaceChildren(...stateOf(alert));
      outcome.replaceChildren(...outcomeMark(alert.outcome ?? {}));
      truth.replaceChildren(labelMark(alert.fraud, alert.scenario));
    },
  };
}

/** Why it is in the queue: the rules that fired, or else the model's strongest reason. @param {QueuedAlert} alert */
function reasonOf({ decision, reason }) {
  const rules = decision?.rules ?? [];
  if (rules.length === 0) return reason ?? "–";
  return rules.map(({ reason }) => reason).join(" ");
}

/** @param {Pick<QueuedAlert, "state" | "assignee" | "snoozedUntil">} alert */
export function stateOf({ state, assignee, snoozedUntil }) {
  const words = state === "snoozed" && snoozedUntil
    ? `snoozed until ${snoozedUntil.slice(0, 10)}`
    : state;
  return [
    mark(state, words),
    ...assignee && state !== "confirmed" && state !== "cleared"
      ? [` · ${assignee}`]
      : [],
  ];
}

/** @param {Filter} filter @param {Queue} queue */
function sumOf({ state = "open" }, { total, amount, page, pages }) {
  const kind = state === "all" ? "alert" : `${state} alert`;
  const where = pages > 1 ? `, page ${count(page)} of ${count(pages)}` : "";
  return `${countOf(total, kind)}, ${money(amount)}${where}`;
}

/** @param {Queue} queue @param {Filter} filter */
function pages({ page, pages }, filter) {
  if (pages <= 1) return [];
  /** @param {number} to @param {string} text */
  const link = (to, text) =>
    h("a", { href: addressOf("#/alerts", filter, { page: String(to) }) }, text);
  return [
    page > 1 ? link(page - 1, "Previous page") : h("span"),
    h("span", { class: "note" }, `Page ${count(page)} of ${count(pages)}`),
    page < pages ? link(page + 1, "Next page") : h("span"),
  ];
}
