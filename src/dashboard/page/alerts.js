/** The queue of alerts: which waits, which is worst, and which were decided. */
import {
  ask,
  caseLink,
  count,
  every,
  h,
  heading,
  mark,
  messageOf,
  money,
  score,
  setText,
  table,
} from "./dom.js";

/** @import { QueuedAlert } from "../views/alerts.ts" */

const QUEUE_MS = 3000;

/** @type {readonly [name: string, label: string, hint: string][]} */
const FIELDS = [
  ["score", "Score from", "0.5"],
  ["scenario", "Scenario", "1, 2 or 3"],
  ["card", "Card", "id"],
  ["terminal", "Terminal", "id"],
  ["day", "Event day", "0, 1, …"],
];

/**
 * Opens the view; the filter is in the address, so that it can be kept.
 * @param {HTMLElement} root
 * @param {URLSearchParams} parameters
 */
export function openAlerts(root, parameters) {
  const body = h("tbody");
  const total = h("p", { class: "note", role: "status" });
  /**
   * @param {string} name
   * @param {string} label
   * @param {readonly (readonly [value: string, text: string])[]} options
   */
  const choice = (name, label, options) => {
    const select = h(
      "select",
      { id: `filter-${name}`, name },
      options.map(([value, text]) =>
        h("option", { value, selected: parameters.get(name) === value }, text)
      ),
    );
    return h("div", {}, h("label", { for: `filter-${name}` }, label), select);
  };
  /** @type {HTMLFormElement} */
  const form = h(
    "form",
    {
      class: "filters",
      onsubmit: (event) => {
        event.preventDefault();
        const chosen = new URLSearchParams();
        for (const [name, value] of new FormData(form)) {
          if (String(value).trim() !== "") {
            chosen.set(name, String(value).trim());
          }
        }
        location.hash = `#/alerts?${chosen}`;
      },
      onchange: (event) => {
        if (event.target instanceof HTMLSelectElement) form.requestSubmit();
      },
    },
    choice("state", "State", [["open", "open"], ["all", "all"], [
      "confirmed",
      "confirmed",
    ], ["cleared", "cleared"]]),
    choice("sort", "First", [["risk", "highest score × amount"], [
      "newest",
      "newest",
    ], [
      "score",
      "highest score",
    ]]),
    FIELDS.map(([name, label, hint]) =>
      h(
        "div",
        {},
        h("label", { for: `filter-${name}` }, label),
        h("input", {
          id: `filter-${name}`,
          name,
          placeholder: hint,
          value: parameters.get(name) ?? "",
        }),
      )
    ),
    h("button", { type: "submit" }, "Filter"),
  );
  root.append(
    heading("Alerts"),
    h(
      "section",
      { class: "panel" },
      h("h2", { class: "hidden" }, "Queue"),
      form,
      total,
      table("Alerts", [
        ["Case", "number"],
        ["State"],
        ["Score", "number"],
        ["Amount", "number"],
        ["Event time"],
        ["Card", "number"],
        ["Terminal", "number"],
        ["What pushed it most"],
      ], body),
    ),
  );
  const end = every(QUEUE_MS, async () => {
    let queue;
    try {
      queue = await ask("/api/alerts", Object.fromEntries(parameters));
    } catch (error) {
      setText(total, messageOf(error));
      return;
    }
    setText(
      total,
      queue.total === 0
        ? "No alerts here. They come from a model: start the run with --model."
        : `${count(queue.total)} alerts${
          queue.total > queue.alerts.length
            ? `; the first ${count(queue.alerts.length)}`
            : ""
        }`,
    );
    // A row that has the focus stays where it is.
    if (body.contains(document.activeElement)) return;
    body.replaceChildren(...queue.alerts.map(rowOf));
  });
  return { close: end };
}

/** @param {QueuedAlert} alert */
function rowOf(alert) {
  return h(
    "tr",
    {},
    h("td", { class: "number" }, caseLink(alert.id)),
    h("td", {}, mark(alert.state, alert.state)),
    h("td", { class: "number" }, score(alert.score)),
    h("td", { class: "number" }, money(alert.amount)),
    h("td", {}, alert.datetime),
    h("td", { class: "number" }, String(alert.customer)),
    h("td", { class: "number" }, String(alert.terminal)),
    h("td", {}, alert.reason ?? "–"),
  );
}
