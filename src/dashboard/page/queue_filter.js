/** The filter of the queue: in the address, where a link, Back and a reload keep it, and as a form. */
import { countOf, currencyUnit, h, shownShape, truthOwner } from "./dom.js";
import { givenName, isTruthShown } from "./settings.js";

/** @import { Snapshot } from "../views/snapshot.ts" */

/**
 * A filter as the server takes it: parameters by name, none of them empty.
 * @typedef {Readonly<Record<string, string>>} Filter
 */

/** A field: its name, its label, and what its input looks like. */
/** @typedef {readonly [name: string, label: string, look: Readonly<Record<string, string>>]} Field */

const NUMBER = { inputmode: "decimal", pattern: "\\d+(\\.\\d+)?" };
/** Refunds are less than 0. */
const SIGNED = { pattern: "-?\\d+(\\.\\d+)?" };
const WHOLE = { inputmode: "numeric", pattern: "\\d+" };
/** As long as an id of 128 bytes, and some blanks around it. */
const TEXT = { maxlength: "160", spellcheck: "false" };

/** What an input for the ids of a kind looks like. @param {readonly ("number" | "text")[]} kinds */
const idLook = (...kinds) => kinds.includes("text") ? TEXT : WHOLE;

/** @returns {Field} */
function searchField() {
  const { payment, card, terminal } = shownShape().ids;
  return ["q", "Payment, card or terminal", {
    ...idLook(payment, card, terminal),
    type: "search",
    placeholder: "id",
  }];
}

/** @returns {Field[]} */
function moreFields() {
  const { ids, refunds } = shownShape();
  const amount = refunds ? SIGNED : NUMBER;
  return [
    ["score", "Score from", { ...NUMBER, placeholder: "0.5" }],
    ["amountFrom", "Amount from", amount],
    ["amountTo", "Amount to", amount],
    ["card", "Card", { ...idLook(ids.card), placeholder: "id" }],
    ["terminal", "Terminal", { ...idLook(ids.terminal), placeholder: "id" }],
    ["day", "Event date", { type: "date" }],
    ["model", "Model", { placeholder: "version" }],
    ["rule", "Rule that fired", { placeholder: "id", maxlength: "64" }],
    ["assignee", "Assignee", { list: "assignees", placeholder: "anyone" }],
  ];
}

const SCENARIO_NAME = "scenario";

/** Only the simulation has scenarios. */
const areScenariosShown = () => isTruthShown() && truthOwner() === "simulation";

/** @returns {Field} */
function scenarioField() {
  return [
    SCENARIO_NAME,
    "Scenario (simulation's truth)",
    { ...WHOLE, placeholder: "1, 2 or 3" },
  ];
}

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

const DECISIONS = [
  ["", "any"],
  ["review", "review"],
  ["decline", "decline"],
];

/** Parameters that are one of some words: what one is called, and the words. @type {Readonly<Record<string, readonly [what: string, words: readonly string[]]>>} */
const WORDS = {
  state: ["state", STATES.map(([value]) => value || "open")],
  sort: ["order", SORTS.map(([value]) => value || "risk")],
  decision: ["decision", ["review", "decline"]],
  by: ["grouping", ["card", "terminal"]],
};

const allFields = () => [searchField(), ...moreFields(), scenarioField()];

/** The names of a filter; the address has "by" and "page" besides. */
const NAMES = [
  "state",
  "sort",
  "decision",
  ...allFields().map(([name]) => name),
];

/** The value of a parameter: blanks around it can be a part of a text id. @param {string} name @param {string | null} value */
function valueOf(name, value) {
  if (value === null || value.trim() === "") return "";
  const field = allFields().find(([known]) => known === name);
  return field && field[2].maxlength === TEXT.maxlength ? value : value.trim();
}

/** The filter in the parameters of an address, without what the queue does not know. @param {URLSearchParams} parameters @returns {Filter} */
export function filterOf(parameters) {
  return Object.fromEntries(
    NAMES.map((name) => [name, valueOf(name, parameters.get(name))])
      .filter(([name, value]) => value !== "" && !problemOf(name, value)),
  );
}

/**
 * What the address asks for in vain, each with the reason: "state=shut (no such state)".
 * @param {URLSearchParams} parameters
 */
export function ignoredOf(parameters) {
  return [...parameters].flatMap(([name, value]) => {
    const problem = value.trim() !== "" && problemOf(name, value.trim());
    return problem ? [`${name}=${value} (${problem})`] : [];
  });
}

/** Why the queue cannot take a parameter; undefined where it can. @param {string} name @param {string} value */
function problemOf(name, value) {
  if (name === "page") return undefined;
  if (Object.hasOwn(WORDS, name)) {
    const [what, words] = WORDS[name];
    return words.includes(value) ? undefined : `no such ${what}`;
  }
  const field = allFields().find(([known]) => known === name);
  if (!field) return "no such filter";
  if (name === SCENARIO_NAME && !areScenariosShown()) {
    return "only with the simulation's truth";
  }
  const { pattern, type } = field[2];
  if (type === "date") {
    return Number.isNaN(Date.parse(value)) ? "not a date" : undefined;
  }
  if (!pattern || new RegExp(`^(${pattern})$`).test(value)) return undefined;
  return pattern === WHOLE.pattern ? "not an id" : "not a number";
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
      input(searchField(), filter),
      choice("state", "State", STATES, filter),
      choice("sort", "Order", SORTS, filter),
      h("button", { type: "submit" }, "Search"),
    ),
    moreFilters(filter),
  );
  return form;
}

/** @param {Filter} filter */
function moreFilters(filter) {
  const fields = areScenariosShown()
    ? [...moreFields(), scenarioField()]
    : moreFields();
  const isSet = (/** @type {string} */ name) => filter[name] !== undefined;
  // A link can name them before a payment has been decided by rules.
  const { hasRules } = shownShape();
  const shown = fields.filter(([name]) =>
    name !== "rule" || hasRules || isSet(name)
  );
  const isDecided = hasRules || isSet("decision");
  const set = [...fields.map(([name]) => name), "decision"].filter(isSet)
    .length;
  return h(
    "details",
    { open: set > 0 },
    h("summary", {}, set > 0 ? `More filters (${set} set)` : "More filters"),
    h(
      "div",
      { class: "filters" },
      isDecided && choice("decision", "Decision", DECISIONS, filter),
      shown.map((field) => input(field, filter)),
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
    h(
      "label",
      { for: id },
      label + (name.startsWith("amount") ? currencyUnit() : ""),
    ),
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
      snapshot?.shape.isOwn
        ? "No payment has been scored yet. Alerts need a model of your own payments: the command train makes one from your files, and a run with --model=FILE uses it."
        : "No payment has been scored yet. Alerts need a model: a run with --no-model has none.",
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
