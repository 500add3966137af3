/** Changes of what decides about payments that wait for a second person, and what becomes of a change, in words. */
import { ask, h, messageOf, panel, setText } from "./dom.js";

/** @import { ChangedLines, ProposalAnswers, ProposalView, ProposedItem } from "../views/proposals.ts" */
/** @import { ChangeOutcome } from "../../scoring/decision_edits.ts" */

/**
 * What a change has come to, in words.
 * @param {ChangeOutcome["status"]} status
 */
export const outcomeWords = (status) => STATUS[status];

/** @type {Readonly<Record<ChangeOutcome["status"], string>>} */
const STATUS = {
  changed: "Saved. Running scorers use it within a second.",
  proposed: "Proposed. It counts when a second person approves it.",
  unchanged: "Nothing to save: this says the same as what is in use.",
};

/** @param {ProposedItem} item */
export function changeWords(item) {
  const name = item.what === "list" ? `list ${item.name}` : item.what;
  return `${name}: ${item.before ?? "none"} → ${item.after ?? "none"}`;
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
      const { status } = await ask("/api/proposals/decide", {}, {
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
    /** @type {ProposalAnswers["/api/proposals"]} */
    const found = await ask("/api/proposals");
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
