/** The filter of the queue: in the address, where a link, Back and a reload keep it, and as a form. */
import { countOf, h } from "./dom.js";
import { givenName, isTruthShown } from "./settings.js";

/** @import { Snapshot } from "../views/snapshot.ts" */

/**
 * A filter as the server takes it: parameters by name, none of them empty.
 * @typedef {Readonly<Record<string, string>>} Filter
 */

/** A field: its name, its label, and what its input looks like. */
/** @typedef {readonly [name: string, label: string, look: Readonly<Record<string, string>>]} Field */

const NUMBER = { inputmode: "decimal", pattern: "\\d+(\\.\\d+)?" };
const ID = { inputmode: "numeric", pattern: "\\d+" };

/** @type {readonly Field[]} */
const FIELDS = [
  ["score", "Score from", { ...NUMBER, placeholder: "0.5" }],
  ["amountFrom", "Amount from, €", NUMBER],
  ["amountTo", "Amount to, €", NUMBER],
  ["card", "Card", { ...ID, placeholder: "id" }],
  ["terminal", "Terminal", { ...ID, placeholder: "id" }],
  ["day", "Event date", { type: "date" }],
  ["model", "Model", { placeholder: "version" }],
  ["assignee", "Assignee", { list: "assignees", placeholder: "anyone" }],
];

/** @type {Field} */
const SCENARIO = [
  "scenario",
  "Scenario (simulation's truth)",
  { ...ID, placeholder: "1, 2 or 3" },
];

const STATES = [
  ["", "open"],
  ["snoozed", "snoozed"],
  ["confirmed", "confirmed as fraud"],
  ["cleared", "cleared"],
  ["all", "all"],
];

const SORTS = [
  ["", "score × amount"],
  ["newest", "newest"],
  ["score", "score"],
  ["amount", "amount"],
];

const NAMES = [
  "q",
  "state",
  "sort",
  ...FIELDS.map(([name]) => name),
  "scenario",
];

/** The filter in the parameters of an address, whatever else they hold. @param {URLSearchParams} parameters @returns {Filter} */
export function filterOf(parameters) {
  return Object.fromEntries(
    NAMES.map((name) => [name, parameters.get(name)?.trim() ?? ""])
      .filter(([name, value]) =>
        value !== "" && (name !== "scenario" || isTruthShown())
      ),
  );
}

/** How many fields narrow the queue, besides state and order. @param {Filter} filter */
function narrowing(filter) {
  const { state: _state, sort: _sort, ...fields } = filter;
  return Object.keys(fields).length;
}

/**
 * An address with the filter, and more parameters.
 * @param {string} path
 * @param {Filter} filter
 * @param {Readonly<Record<string, string>>} [more]
 */
export function addressOf(path, filter, more = {}) {
  const query = new URLSearchParams({ ...filter, ...more });
  return query.size > 0 ? `${path}?${query}` : path;
}

/**
 * The form of the filter. `kept` are parameters that stay when it changes, as the grouping does.
 * @param {Filter} filter
 * @param {Readonly<Record<string, string>>} kept
 */
export function filterForm(filter, kept) {
  /** @type {HTMLFormElement} */
  const form = h(
    "form",
    {
      class: "queue-filter",
      role: "search",
      "aria-label": "Filter of the queue",
      onsubmit: (event) => {
        event.preventDefault();
        const given = new URLSearchParams();
        for (const [name, value] of new FormData(form)) {
          given.set(name, String(value));
        }
        location.hash = addressOf("#/alerts", filterOf(given), kept);
      },
      onchange: (event) => {
        if (event.target instanceof HTMLSelectElement) form.requestSubmit();
      },
    },
    h(
      "div",
      { class: "filters" },
      input(["q", "Payment, card or terminal", {
        ...ID,
        type: "search",
        placeholder: "id",
      }], filter),
      choice("state", "State", STATES, filter),
      choice("sort", "Order", SORTS, filter),
      h("button", { type: "submit" }, "Search"),
    ),
    moreFields(filter),
  );
  return form;
}

/** @param {Filter} filter */
function moreFields(filter) {
  const fields = isTruthShown() ? [...FIELDS, SCENARIO] : FIELDS;
  const set = fields.filter(([name]) => filter[name] !== undefined).length;
  return h(
    "details",
    { open: set > 0 },
    h("summary", {}, set > 0 ? `More filters (${set} set)` : "More filters"),
    h(
      "div",
      { class: "filters" },
      fields.map((field) => input(field, filter)),
      h(
        "datalist",
        { id: "assignees" },
        h("option", { value: "nobody" }),
        givenName() !== undefined && h("option", { value: givenName() }),
      ),
    ),
    h(
      "div",
      { class: "row" },
      h("button", { type: "submit", class: "quiet" }, "Apply"),
      h("a", { href: "#/alerts" }, "Clear all filters"),
    ),
  );
}

/** @param {Field} field @param {Filter} filter */
function input([name, label, look], filter) {
  const id = `filter-${name}`;
  return h(
    "div",
    {},
    h("label", { for: id }, label),
    h("input", {
      id,
      name,
      autocomplete: "off",
      ...look,
      value: filter[name] ?? "",
    }),
  );
}

/**
 * @param {string} name
 * @param {string} label
 * @param {readonly (readonly string[])[]} options
 * @param {Filter} filter
 */
function choice(name, label, options, filter) {
  const id = `filter-${name}`;
  return h(
    "div",
    {},
    h("label", { for: id }, label),
    h(
      "select",
      { id, name },
      options.map(([value, text]) =>
        h("option", { value, selected: (filter[name] ?? "") === value }, text)
      ),
    ),
  );
}

/** Instead of numbers, as long as they would not be true. */
export const NOT_COMPLETE =
  "History is being read. The queue is not complete yet.";

/**
 * What an empty queue means, and what helps.
 * @param {Filter} filter
 * @param {Snapshot | undefined} snapshot
 */
export function whyEmpty(filter, snapshot) {
  if (snapshot?.reading) return [NOT_COMPLETE];
  if (narrowing(filter) > 0 || (filter.state ?? "open") !== "open") {
    return [
      "No alert matches this filter. ",
      h("a", { href: "#/alerts" }, "Show all open alerts"),
    ];
  }
  if (!snapshot || snapshot.totals.scored === 0) {
    return [
      "No payment has been scored yet. Alerts need a model: a run with --no-model has none.",
    ];
  }
  if (snapshot.totals.alerts === 0) {
    return [
      `${countOf(snapshot.totals.scored, "payment")} scored, no alert so far.`,
    ];
  }
  return [
    "No alert is open: every one is decided or snoozed. ",
    h("a", { href: "#/alerts?state=all" }, "Show all alerts"),
  ];
}
