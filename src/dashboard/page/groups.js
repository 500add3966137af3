/** The open alerts of a card or a terminal together, and one decision about all of them. */
import { askInDialog, whoDecides } from "./dialog.js";
import {
  ask,
  count,
  countOf,
  every,
  h,
  idColumn,
  idText,
  messageOf,
  money,
  score,
  setText,
  table,
} from "./dom.js";
import { addressOf, whyEmpty } from "./queue_filter.js";
import { showToast } from "./toast.js";

/** @import { AlertGroup } from "../views/alerts.ts" */
/** @import { Snapshot } from "../views/snapshot.ts" */
/** @import { Filter } from "./queue_filter.js" */

const GROUPS_MS = 3000;

/**
 * The groups, the largest amount first.
 * @param {"card" | "terminal"} by
 * @param {Filter} filter
 */
export function groupList(by, filter) {
  /** @type {Snapshot | undefined} */
  let newest;
  const name = by === "card" ? "Card" : "Terminal";
  const total = h("p", { class: "note", role: "status" }, "Loading the queue…");
  const body = h("tbody");
  const frame = table(
    `Alerts by ${by}`,
    [
      [name, idColumn(by)],
      ["Alerts", "number"],
      ["Amount", "number"],
      ["Highest score", "number least"],
      ["Newest, UTC", "least"],
      ["Decide all open"],
    ],
    body,
  );
  frame.classList.add("stacked");
  frame.hidden = true;
  const look = async () => {
    try {
      const { total: all, groups } = await ask("/api/alerts/groups", {
        by,
        ...filter,
      });
      const more = all > groups.length
        ? `; the ${count(groups.length)} with the largest amount`
        : "";
      if (all === 0 || newest?.reading) {
        total.replaceChildren(...whyEmpty(filter, newest));
      } else setText(total, `${countOf(all, by)} with alerts${more}`);
      frame.hidden = all === 0;
      body.replaceChildren(...groups.map((group) => groupRow(group)));
    } catch (error) {
      setText(total, messageOf(error));
    }
  };
  /** @param {AlertGroup} group */
  const groupRow = (group) => {
    /** @param {0 | 1} label @param {string} text @param {string} kind */
    const button = (label, text, kind) =>
      h("button", {
        type: "button",
        class: kind,
        "aria-label": `${text} of ${by} ${group.id}`,
        onclick: async () => {
          await decideGroup({ by, filter, group, label });
          look();
        },
      }, text);
    return h(
      "tr",
      { class: "goes" },
      h(
        "td",
        { class: idColumn(by) },
        h("a", {
          href: addressOf("#/alerts", filter, { [by]: String(group.id) }),
          "aria-label": `Alerts of ${by} ${group.id}`,
        }, idText(group.id)),
      ),
      h("td", { class: "number" }, count(group.alerts)),
      h("td", { class: "number" }, money(group.amount)),
      h("td", { class: "number least" }, score(group.scoreMax)),
      h("td", { class: "least" }, group.newest),
      h(
        "td",
        { class: "line" },
        h(
          "div",
          { class: "row above" },
          button(1, "▲ Confirm all…", "quiet"),
          button(0, "✓ Clear all…", "quiet"),
        ),
      ),
    );
  };
  return {
    element: h("div", { class: "column" }, total, frame),
    /** @param {Snapshot} snapshot */
    update(snapshot) {
      newest = snapshot;
    },
    close: every(GROUPS_MS, async () => {
      // A row that has the focus, or that a dialog is about, stays where it is.
      if (body.contains(document.activeElement) || body.matches(":hover")) {
        return;
      }
      if (!document.querySelector("dialog")) await look();
    }),
  };
}

/**
 * Asks, with the number and the amount, and decides all open alerts of a group.
 * @param {{
 *   by: "card" | "terminal",
 *   filter: Filter,
 *   group: AlertGroup,
 *   label: 0 | 1,
 * }} decision
 */
async function decideGroup({ by, filter, group: { id }, label }) {
  const who = await whoDecides();
  if (who === undefined) return;
  const open = { ...filter, state: "open" };
  // What is open at this moment, which is what the answer is about.
  const { total, amount, alerts, newestSeq } = await ask("/api/alerts", {
    ...open,
    [by]: id,
  });
  if (total === 0) return showToast(`No open alert of ${by} ${id} is left.`);
  const many = `${countOf(total, "open alert")} of ${by} ${id}`;
  const note = h("textarea", {
    id: "group-note",
    rows: "2",
    maxlength: "2000",
    class: "prose",
  });
  const answer = await askInDialog(
    label ? `Confirm ${many} as fraud?` : `Clear ${many}?`,
    [
      h(
        "p",
        {},
        `${countOf(total, "alert")}, ${money(amount)} in all. ` +
          `Each gets the verdict “${label ? "fraud" : "no fraud"}” by ${who}.`,
      ),
      h("label", { for: "group-note" }, "Note (optional)"),
      note,
    ],
    [[
      "decide",
      `${label ? "Confirm" : "Clear"} ${countOf(total, "alert")}`,
      label ? "danger" : "quiet",
    ]],
  );
  if (answer !== "decide") return;
  try {
    const { decided } = await ask("/api/alerts/decide", {}, {
      by,
      id,
      // What arrives while the analyst reads is decided another time.
      filter: { ...open, upTo: newestSeq },
      label,
      note: note.value,
      alerts: total,
      amount,
      who,
    });
    const words = `${countOf(decided, "alert")} of ${by} ${id} ${
      label ? "confirmed as fraud" : "cleared"
    }`;
    showToast(words, async () => {
      await ask("/api/cases/:id/events", { id: alerts[0].id }, {
        kind: "undo",
        who,
      });
      return `Undone: ${countOf(decided, "alert")} of ${by} ${id} ${
        decided === 1 ? "is" : "are"
      } open again`;
    });
  } catch (error) {
    showToast(messageOf(error));
  }
}
