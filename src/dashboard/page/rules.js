/** The view of the rules: what each does, which to look at, what shadow rules would have changed, the lists, and who changed what. */
import {
  ask,
  count,
  countOf,
  decisionMark,
  every,
  h,
  heading,
  mark,
  messageOf,
  money,
  panel,
  percent,
  setText,
  table,
} from "./dom.js";
import { addressOf } from "./queue_filter.js";
import { changeWords, waitingChanges } from "./proposals.js";
import { addToList, ruleEditor, showEntries } from "./rule_editor.js";

/** @import { ChangeView, ListView, RuleResult, RulesView, RuleView } from "../views/rules.ts" */
/** @import { Child } from "./dom.js" */

const RULES_MS = 3000;

/** Opens the view. @param {HTMLElement} root */
export function openRules(root) {
  const now = h("p", { class: "note", role: "status" }, "Loading the rules…");
  const parts = h("div", { class: "column of-rules" });
  const waiting = waitingChanges();
  const editor = ruleEditor();
  root.append(
    heading("Rules"),
    now,
    waiting.element,
    editor.element,
    parts,
  );
  let shown = "";
  const end = every(RULES_MS, async () => {
    try {
      const view = await ask("/api/rules");
      setText(now, stateOf(view));
      await waiting.look();
      // What a person reads, has opened or has the focus in stays as it is.
      const text = JSON.stringify(view);
      if (text === shown) return;
      const isBusy = parts.contains(document.activeElement);
      if (isBusy && shown !== "") return;
      shown = text;
      const opened = new Set(
        [...parts.querySelectorAll("details[open]")].map(({ id }) => id),
      );
      parts.replaceChildren(...partsOf(view));
      for (const details of parts.querySelectorAll("details")) {
        details.open = opened.has(details.id);
      }
    } catch (error) {
      setText(now, messageOf(error));
    }
  });
  return {
    close() {
      end();
      editor.close();
    },
  };
}

/** @param {RulesView} view */
function stateOf({ version, rules, decided, decidedInAll }) {
  if (version === null) return "No rules decide about this stream's payments.";
  const live = rules.filter(({ state }) => state === "live").length;
  const shadow = rules.filter(({ state }) => state === "shadow").length;
  const off = rules.length - live - shadow;
  const before = decidedInAll > decided
    ? `, ${count(decidedInAll)} with the versions before`
    : "";
  return `Version ${version}: ${countOf(live, "live rule")}, ` +
    `${count(shadow)} in shadow, ${count(off)} off. ` +
    `${countOf(decided, "payment")} decided${before}.`;
}

/** @param {RulesView} view @returns {HTMLElement[]} */
function partsOf(view) {
  const { version, rules, lists, changes } = view;
  if (version === null && changes.length === 0) {
    return [
      panel(
        "How to begin",
        h(
          "p",
          {},
          "Write a file of rules and start the run with ",
          h("code", {}, "--rules=rules.yaml"),
          ". Without rules, an alert is what the model makes one.",
        ),
      ),
    ];
  }
  const live = rules.filter(({ state }) => state === "live");
  const shadow = rules.filter(({ state }) => state === "shadow");
  const off = rules.filter(({ state }) => state === "off");
  return [
    panel("Look at these", ...findingsOf(view)),
    panel(
      "Live rules",
      ruleTable("Live rules", live, view),
      h(
        "p",
        { class: "note" },
        "Fired: payments on which the rule fired, in all versions of the rules. " +
          "Alone: alerts that nothing else would have raised. Precision: the " +
          "share of frauds among those whose outcome is known, by a verdict or " +
          "else by a label.",
      ),
    ),
    panel(
      "Shadow rules",
      ...shadow.length > 0
        ? [
          shadowTable(shadow, view),
          h(
            "p",
            { class: "note" },
            "What each would have changed if it had been live beside the live " +
              "rules: alerts added, and alerts that it would have approved. " +
              "Shadow rules decide nothing.",
          ),
        ]
        : [
          h(
            "p",
            { class: "note" },
            "None. A rule with ",
            h("code", {}, "state: shadow"),
            " is evaluated on every payment and shown here, and changes nothing.",
          ),
        ],
    ),
    ...off.length > 0
      ? [
        panel(
          "Rules that are off",
          h(
            "ul",
            {},
            off.map(({ id, reason }) =>
              h("li", {}, h("code", {}, id), `: ${reason}`)
            ),
          ),
        ),
      ]
      : [],
    panel("Lists", ...listsOf(lists)),
    panel("Changes", changeTable(changes)),
  ];
}

/** @param {RulesView} view @returns {Child[]} */
function findingsOf({ findings, decided, judgedFrom, version }) {
  if (version === null) {
    return [h("p", { class: "note" }, "No rules are in use.")];
  }
  if (decided < judgedFrom) {
    return [
      h(
        "p",
        { class: "note" },
        `These rules have decided about ${countOf(decided, "payment")}. From ${
          count(judgedFrom)
        } on, rules are named here that never fire, always fire, or fire where another does.`,
      ),
    ];
  }
  if (findings.length === 0) {
    return [
      h(
        "p",
        {},
        mark("genuine", ""),
        " Every rule fires, none on all payments, and none on more than 90 % of another's.",
      ),
    ];
  }
  return [
    h(
      "ul",
      { class: "findings" },
      findings.map(({ id, text }) =>
        h("li", {}, mark("warn", ""), " ", h("code", {}, id), ` ${text}`)
      ),
    ),
  ];
}

/** @param {string} label @param {readonly RuleView[]} rules @param {RulesView} view */
function ruleTable(label, rules, { day }) {
  if (rules.length === 0) return h("p", { class: "note" }, "None.");
  const rows = rules.map((rule) =>
    h(
      "tr",
      {},
      nameCell(rule),
      h("td", {}, decisionMark(rule.then)),
      number(count(rule.today), "least"),
      h("td", { class: "number" }, firedLink(rule)),
      number(rule.then === "approve" ? "–" : count(rule.alone)),
      precisionCell(rule),
      number(money(rule.amount), "least"),
      number(money(rule.fraudAmount), "least"),
    )
  );
  return table(label, [
    ["Rule"],
    ["Decides"],
    [`On ${day}`, "number least"],
    ["Fired", "number"],
    ["Alone", "number"],
    ["Precision", "number"],
    ["Amount", "number least"],
    ["Of known frauds", "number least"],
  ], h("tbody", {}, rows));
}

/** @param {readonly RuleView[]} rules @param {RulesView} view */
function shadowTable(rules, { day }) {
  const rows = rules.map((rule) => {
    const { add, remove } = rule.would ?? {
      add: NOTHING,
      remove: NOTHING,
    };
    return h(
      "tr",
      {},
      nameCell(rule),
      h("td", {}, decisionMark(rule.then)),
      number(count(rule.today), "least"),
      number(count(rule.payments), "least"),
      number(add.payments > 0 ? `+${count(add.payments)}` : "0"),
      precisionCell(add),
      number(remove.payments > 0 ? `−${count(remove.payments)}` : "0"),
      number(count(remove.frauds)),
    );
  });
  return table("Shadow rules", [
    ["Rule"],
    ["Would decide"],
    [`On ${day}`, "number least"],
    ["Fired", "number least"],
    ["Alerts added", "number"],
    ["Their precision", "number"],
    ["Alerts removed", "number"],
    ["Frauds among these", "number"],
  ], h("tbody", {}, rows));
}

/** @type {RuleResult} */
const NOTHING = { payments: 0, known: 0, frauds: 0 };

/** The rule's id, its reason and its condition. @param {RuleView} rule */
function nameCell({ id, reason, when, priority }) {
  return h(
    "td",
    { class: "reason" },
    h("strong", {}, id),
    h("br"),
    reason,
    h(
      "details",
      { id: `rule-${id}` },
      h("summary", {}, "Condition"),
      h("code", { class: "condition" }, when),
      h("p", { class: "note" }, `Priority ${count(priority)}`),
    ),
  );
}

/** The payments on which a rule fired; those in the queue are a click away. @param {RuleView} rule */
function firedLink({ id, payments }) {
  if (payments === 0) return count(payments);
  return h("a", {
    href: addressOf("#/alerts", { state: "all", rule: id }),
    "aria-label": `${count(payments)}: alerts on which ${id} fired`,
  }, count(payments));
}

/** @param {RuleResult} result */
function precisionCell({ payments, known, frauds }) {
  if (payments === 0) return number("–");
  if (known === 0) {
    return h("td", { class: "number" }, mark("unknown", "pending"));
  }
  return h(
    "td",
    { class: "number" },
    percent(frauds / known),
    h("small", { class: "since" }, `${count(frauds)} of ${count(known)}`),
  );
}

/** @param {string} text @param {string} [more] */
function number(text, more = "") {
  return h("td", { class: `number ${more}`.trim() }, text);
}

/** @param {readonly ListView[]} lists @returns {Child[]} */
function listsOf(lists) {
  if (lists.length === 0) {
    return [h("p", { class: "note" }, "The rules ask no list.")];
  }
  const said = h("p", { class: "note", role: "status" });
  const rows = lists.map(({ name, entries, ended, rules, hits }) =>
    h(
      "tr",
      {},
      h("td", {}, h("strong", {}, name)),
      h(
        "td",
        { class: "number" },
        count(entries),
        ended > 0 && h("small", { class: "since" }, `${count(ended)} ended`),
      ),
      h(
        "td",
        { class: "reason" },
        rules.length > 0 ? rules.join(", ") : "no rule asks it",
      ),
      number(count(hits)),
      h(
        "td",
        {},
        h("button", {
          type: "button",
          class: "quiet",
          "aria-label": `Add an entry to ${name}`,
          onclick: async () => setText(said, await addToList(name, "")),
        }, "Add…"),
        " ",
        h("button", {
          type: "button",
          class: "quiet",
          "aria-label": `Entries of ${name}`,
          onclick: async () => setText(said, await showEntries(name)),
        }, "Entries…"),
      ),
    )
  );
  return [
    said,
    table("Lists", [
      ["List"],
      ["Entries", "number"],
      ["Asked by"],
      ["Fired", "number"],
      ["Change"],
    ], h("tbody", {}, rows)),
  ];
}

/** @param {readonly ChangeView[]} changes */
function changeTable(changes) {
  const rows = changes.map(({ number, at, who, items }) =>
    h(
      "tr",
      {},
      h("td", { class: "number" }, count(number)),
      h("td", {}, at.slice(0, 19).replace("T", " ")),
      h("td", {}, h("bdi", {}, who)),
      h(
        "td",
        { class: "reason" },
        items.map((item) => h("div", {}, changeWords(item))),
      ),
    )
  );
  return table("Changes", [
    ["Change", "number"],
    ["When, UTC (clock)"],
    ["Who"],
    ["What"],
  ], h("tbody", {}, rows));
}
