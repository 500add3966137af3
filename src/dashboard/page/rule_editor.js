/** Changes of rules and lists: the text with its validation, a preview of the difference, and entries of lists. */
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
import { outcomeWords } from "./proposals.js";

/** @import { ChangeOutcome } from "../../scoring/decision_edits.ts" */
/** @import { ListEntries } from "../views/rule_changes.ts" */
/** @import { RulesPreview } from "../views/rule_preview.ts" */

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
      setText(said, outcomeWords(status));
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
  return await changeList("/api/rules/lists/add", {
    ...{ list, value: entry.value, expires: until.value },
  });
}

/**
 * Sends a change of a list; gives a sentence about what came of it.
 * @param {"/api/rules/lists/add" | "/api/rules/lists/remove"} path
 * @param {object} change
 */
async function changeList(path, change) {
  const who = await whoDecides();
  if (who === undefined) return "";
  try {
    const { status } = await ask(path, {}, { ...change, who });
    return outcomeWords(status);
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Asks whether to remove an entry from a list, and removes it.
 * @param {string} list
 * @param {ListEntries["entries"][number]} entry
 * @returns {Promise<string>} as addToList()
 */
export async function removeFromList(list, { value, expires, hasEnded }) {
  const answer = await askInDialog(
    `Remove from ${list}`,
    [
      h(
        "p",
        {},
        h("bdi", {}, value),
        `, ${endWords(expires, hasEnded)}`,
      ),
    ],
    [["ok", "Remove", "danger"]],
  );
  if (answer !== "ok") return "";
  return await changeList("/api/rules/lists/remove", { list, value });
}

/** @param {string | undefined} expires @param {boolean} hasEnded */
function endWords(expires, hasEnded) {
  if (expires === undefined) return "counts for ever";
  return `${hasEnded ? "ended" : "counts until"} ${expires.slice(0, 16)}`;
}

/** Numbers the searches of a dialog, so that a late answer does not overwrite a newer one. */
let searches = 0;

/**
 * Shows the entries of a list, from which one can be removed.
 * @param {string} list
 * @returns {Promise<string>} as addToList()
 */
export async function showEntries(list) {
  const search = h("input", {
    id: "entry-search",
    type: "search",
    autocomplete: "off",
    maxlength: "256",
    // Enter would close the dialog.
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") event.preventDefault();
    },
  });
  const said = h("p", { class: "note", role: "status" }, "Loading…");
  const body = h("tbody");
  const frame = table(
    `Entries of ${list}`,
    [["Value"], ["Until, event time"], ["Change"]],
    body,
    "scroll tall",
  );
  frame.hidden = true;
  /** @type {Map<string, ListEntries["entries"][number]>} */
  const known = new Map();
  /** @param {ListEntries["entries"][number]} entry */
  const row = (entry) =>
    h(
      "tr",
      {},
      h("td", { class: "ids" }, h("bdi", {}, entry.value)),
      h("td", {}, endWords(entry.expires, entry.hasEnded)),
      h(
        "td",
        {},
        h("button", {
          type: "button",
          class: "quiet",
          "aria-label": `Remove ${entry.value}`,
          onclick: () => body.closest("dialog")?.close(entry.value),
        }, "Remove…"),
      ),
    );
  const look = async () => {
    const own = ++searches;
    try {
      const q = search.value;
      const found = await ask("/api/rules/lists/entries", { list, q });
      if (own !== searches) return;
      for (const entry of found.entries) known.set(entry.value, entry);
      body.replaceChildren(...found.entries.map(row));
      frame.hidden = found.entries.length === 0;
      setText(said, entriesWords(found));
    } catch (error) {
      setText(said, messageOf(error));
    }
  };
  search.addEventListener("input", look);
  look();
  const answer = await askInDialog(
    `Entries of ${list}`,
    [
      h("label", { for: "entry-search" }, "Value contains"),
      search,
      said,
      frame,
    ],
    [],
    "Close",
  );
  const entry = known.get(answer);
  return entry ? await removeFromList(list, entry) : "";
}

/** @param {ListEntries} found */
function entriesWords({ total, found, entries }) {
  if (total === 0) return "The list is empty.";
  const all = total === 1 ? "1 entry" : `${count(total)} entries`;
  const shown = entries.length < found
    ? `, of which the shortest ${count(entries.length)} stand here`
    : "";
  return found === total
    ? `${all}${shown}.`
    : `${count(found)} of ${all}${shown}.`;
}
