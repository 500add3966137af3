/** Changes of rules and lists: the text with its validation, a preview of the difference, what waits for a second person, and entries of lists. */
import { askInDialog, whoDecides } from "./dialog.js";
import {
  ask,
  count,
  countOf,
  h,
  messageOf,
  panel,
  setText,
  table,
} from "./dom.js";

/** @import { ChangedLines, ProposalView, RuleChangeAnswers } from "../views/rule_changes.ts" */
/** @import { RulesPreview } from "../views/rule_preview.ts" */
/** @import { ChangeView } from "../views/rules.ts" */

/** A text is checked when nobody has typed for so long, in milliseconds. */
const CHECK_MS = 400;
const FIRST_TEXT = `version: 1
rules:
  - id: large-amount
    when: TX_AMOUNT > 220
    then: review
    reason: The amount is unusually large.
    state: shadow
`;

/** What a change has come to, in words. @type {Readonly<Record<string, string>>} */
const STATUS = {
  changed: "Saved. Running scorers use it within a second.",
  proposed: "Proposed. It counts when a second person approves it.",
  unchanged: "Nothing to save: this says the same as what is in use.",
};

/** @param {ChangeView["items"][number]} item */
export function changeWords(item) {
  const name = item.what === "list" ? `list ${item.name}` : item.what;
  return `${name}: ${item.before ?? "none"} → ${item.after ?? "none"}`;
}

/** The text of the rules, with its problems, a preview, and what saves it. */
export function ruleEditor() {
  const said = h("p", { class: "note", role: "status" });
  const problem = h("p", { class: "problem", role: "status" });
  const shown = h("div", {});
  const text = h("textarea", {
    id: "rules-text",
    rows: "24",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": "rules-problem",
  });
  problem.id = "rules-problem";
  const save = h("button", { type: "button", onclick: () => keep() }, "Save");
  const look = h("button", {
    type: "button",
    class: "quiet",
    onclick: () => preview(),
  }, "Preview the difference");
  const jump = h("button", {
    type: "button",
    class: "quiet",
    hidden: true,
    onclick: () => goTo(),
  }, "Go to the place");
  const again = h("button", {
    type: "button",
    class: "quiet",
    onclick: () => load(),
  }, "Load again");
  /** @type {string | null | undefined} */
  let seen;
  /** @type {{ line?: number, column?: number } | undefined} */
  let place;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const load = async () => {
    try {
      const found = await ask("/api/rules/text");
      seen = found.version;
      text.value = found.source === "" ? FIRST_TEXT : found.source;
      setText(save, found.requireApproval ? "Propose" : "Save");
      setText(said, "");
      shown.replaceChildren();
      await check();
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  const check = async () => {
    const source = text.value;
    try {
      const found = await ask("/api/rules/check", {}, { source });
      if (source !== text.value) return;
      place = found.problem;
      text.setAttribute("aria-invalid", String(place !== undefined));
      jump.hidden = found.problem?.line === undefined;
      save.disabled = look.disabled = found.problem !== undefined;
      setText(
        problem,
        found.problem?.message ?? "No problem found.",
      );
      problem.classList.toggle("wrong", found.problem !== undefined);
    } catch (error) {
      setText(problem, messageOf(error));
    }
  };
  const goTo = () => {
    const lines = text.value.split("\n");
    const line = Math.min(place?.line ?? 1, lines.length);
    const before = lines.slice(0, line - 1).join("\n").length +
      (line > 1 ? 1 : 0);
    const at = before + Math.min(
      (place?.column ?? 1) - 1,
      lines[line - 1].length,
    );
    text.focus();
    text.setSelectionRange(at, before + lines[line - 1].length);
    text.scrollTop = text.scrollHeight * Math.max(0, line - 8) / lines.length;
  };
  const preview = async () => {
    setText(said, "Evaluating the newest payments…");
    try {
      const found = await ask("/api/rules/preview", {}, { source: text.value });
      setText(said, "");
      shown.replaceChildren(...previewOf(found));
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  const keep = async () => {
    const who = await whoDecides();
    if (who === undefined) return;
    try {
      const { status } = await ask("/api/rules/save", {}, {
        ...{ source: text.value, seen, who },
      });
      if (status === "changed") await load();
      setText(said, STATUS[status]);
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_MS);
  });
  /** @type {HTMLDetailsElement} */
  const details = h(
    "details",
    { id: "rules-editor" },
    h("summary", {}, "Edit the rules"),
    h(
      "div",
      { class: "column" },
      h("label", { for: "rules-text" }, "Rules, as YAML"),
      text,
      problem,
      h("div", { class: "row" }, save, look, jump, again),
      said,
      shown,
    ),
  );
  details.addEventListener("toggle", () => {
    if (details.open && seen === undefined) load();
  });
  return {
    element: panel("Change", details),
    close: () => clearTimeout(timer),
  };
}

/** @param {RulesPreview} preview */
function previewOf(preview) {
  const { payments, from, to, before, after, examples } = preview;
  if (payments === 0) {
    return [h("p", {}, "No payment has been decided yet.")];
  }
  /** @param {string} name @param {number} was @param {number} is */
  const row = (name, was, is) =>
    h(
      "tr",
      {},
      h("td", {}, name),
      h("td", { class: "number" }, count(was)),
      h("td", { class: "number" }, count(is)),
      h("td", { class: "number" }, signed(is - was)),
    );
  /** @param {string} title @param {readonly (number | string)[]} ids */
  const list = (title, ids) =>
    ids.length > 0 && h(
      "p",
      { class: "note" },
      `${title}: `,
      ids.map((id, at) => [
        at > 0 && ", ",
        h("a", { href: `#/alerts/${encodeURIComponent(id)}` }, String(id)),
      ]),
    );
  return [
    h("h3", {}, `The newest ${countOf(payments, "payment")}`),
    h("p", { class: "note" }, `${from} to ${to}, event time`),
    table(
      "What these rules would have decided",
      [
        ["Payments"],
        ["Decided", "number"],
        ["With this text", "number"],
        ["Difference", "number"],
      ],
      h(
        "tbody",
        {},
        row("to review", before.reviews, after.reviews),
        row("declined", before.declines, after.declines),
        row("known frauds among both", before.caught, after.caught),
      ),
    ),
    h(
      "p",
      {},
      `${countOf(preview.alertsGained, "alert")} gained, ${
        count(preview.alertsLost)
      } lost; ${countOf(preview.declinesGained, "decline")} gained, ${
        count(preview.declinesLost)
      } lost.`,
    ),
    h(
      "p",
      { class: "note" },
      "Fires on: ",
      preview.rules.map(({ id, fired }) => `${id} ${count(fired)}`).join(", "),
    ),
    list("Would become alerts", examples.gained),
    list("Would be approved", examples.lost),
  ].filter((one) => one !== false);
}

/** @param {number} value */
function signed(value) {
  return value > 0 ? `+${count(value)}` : value < 0 ? `−${count(-value)}` : "0";
}

/** The lines that a change removes and adds, with signs. @param {ChangedLines} lines */
function linesOf({ of, removed, added }) {
  if (removed.length + added.length === 0) return undefined;
  return h(
    "pre",
    { class: "difference", tabindex: "0", "aria-label": `Changes of ${of}` },
    removed.map((line) => h("del", {}, `- ${line}\n`)),
    added.map((line) => h("ins", {}, `+ ${line}\n`)),
  );
}

/** What waits for a second person. */
export function waitingChanges() {
  const element = h("div", {});
  const said = h("p", { class: "note", role: "status" });
  const body = h("div", { class: "column" });
  let shown = "";
  /** @param {number} number @param {"approve" | "reject"} decision */
  const decide = async (number, decision) => {
    try {
      const { status } = await ask("/api/rules/proposals/decide", {}, {
        number,
        decision,
      });
      setText(said, `Change ${number} is ${status}.`);
      await look();
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  /** @param {ProposalView} proposal */
  const item = ({ number, who, at, items, lines, isOutdated, isOwn }) =>
    h(
      "div",
      { class: "column" },
      h(
        "p",
        {},
        `Change ${number}, proposed by `,
        h("bdi", {}, who),
        ` at ${at.slice(0, 16).replace("T", " ")} UTC (clock)`,
      ),
      h("ul", {}, items.map((one) => h("li", {}, changeWords(one)))),
      lines.map(linesOf),
      isOwn && h(
        "p",
        { class: "note" },
        "This is your own change: another person must approve it.",
      ),
      isOutdated && h(
        "p",
        { class: "note" },
        "Other changes have been made since. It can only be rejected.",
      ),
      h(
        "div",
        { class: "row" },
        h("button", {
          type: "button",
          disabled: isOutdated || isOwn,
          "aria-label": `Approve change ${number}`,
          onclick: () => decide(number, "approve"),
        }, "Approve"),
        h("button", {
          type: "button",
          class: "quiet",
          "aria-label": `${isOwn ? "Withdraw" : "Reject"} change ${number}`,
          onclick: () => decide(number, "reject"),
        }, isOwn ? "Withdraw" : "Reject"),
      ),
    );
  const look = async () => {
    /** @type {RuleChangeAnswers["/api/rules/proposals"]} */
    const found = await ask("/api/rules/proposals");
    const text = JSON.stringify(found);
    if (text === shown) return;
    shown = text;
    const { proposals, requireApproval } = found;
    const isShown = requireApproval || proposals.length > 0;
    body.replaceChildren(
      ...proposals.length > 0 ? proposals.map(item) : [
        h("p", { class: "note" }, "No change waits for a second person."),
      ],
    );
    element.replaceChildren(
      ...isShown ? [panel("Changes that wait", body, said)] : [],
    );
  };
  return { element, look };
}

/**
 * Asks whether to add an entry to a list, and adds it.
 * @param {string} list
 * @param {string} value of the entry; empty where the person is to write it
 * @returns {Promise<string>} a sentence about what came of it; empty where nothing was asked for
 */
export async function addToList(list, value) {
  const entry = h("input", {
    id: "entry-value",
    value,
    required: true,
    readonly: value !== "",
    maxlength: "256",
    autocomplete: "off",
  });
  const until = h("input", { id: "entry-until", type: "date" });
  const answer = await askInDialog(
    `Add to ${list}`,
    [
      h("label", { for: "entry-value" }, "Value"),
      entry,
      h(
        "label",
        { for: "entry-until" },
        "Counts until (event time, UTC); empty for ever",
      ),
      until,
    ],
    [["ok", "Add"]],
  );
  if (answer !== "ok") return "";
  const who = await whoDecides();
  if (who === undefined) return "";
  try {
    const { status } = await ask("/api/rules/lists/add", {}, {
      ...{ list, value: entry.value, expires: until.value, who },
    });
    return STATUS[status];
  } catch (error) {
    return messageOf(error);
  }
}
