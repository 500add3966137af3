/** The verdict about a payment: the form, and who has decided what before. */
import { ask, h, mark, messageOf, setText } from "./dom.js";

/** @import { ShownEvent } from "../views/cases.ts" */

/**
 * A form that decides; `history` then shows it.
 * @param {number} id
 * @param {HTMLElement} history
 */
export function verdictForm(id, history) {
  const said = h("p", { class: "note", role: "status" });
  const analyst = h("input", {
    id: "analyst",
    name: "analyst",
    required: true,
    maxlength: "100",
    autocomplete: "name",
    value: keptName(),
  });
  const note = h("textarea", {
    id: "note",
    name: "note",
    rows: "3",
    maxlength: "2000",
    class: "prose",
  });
  /** @param {0 | 1} label */
  const decide = (label) => async () => {
    if (!form.reportValidity()) return;
    setText(said, "Keeping it…");
    try {
      const { events } = await ask("/api/cases/:id/events", { id }, {
        kind: "verdict",
        label,
        who: analyst.value,
        note: note.value,
      });
      keepName(analyst.value);
      note.value = "";
      showHistory(history, events);
      setText(said, label ? "Confirmed as fraud." : "Cleared: no fraud.");
    } catch (error) {
      setText(said, `Not kept: ${messageOf(error)}`);
    }
  };
  /** @type {HTMLFormElement} */
  const form = h(
    "form",
    { onsubmit: (event) => event.preventDefault() },
    h("label", { for: "analyst" }, "Your name"),
    analyst,
    h("label", { for: "note" }, "Note"),
    note,
    h(
      "div",
      { class: "row" },
      h(
        "button",
        { type: "button", class: "danger", onclick: decide(1) },
        "▲ Confirm fraud",
      ),
      h(
        "button",
        { type: "button", class: "quiet", onclick: decide(0) },
        "✓ Clear",
      ),
    ),
    said,
  );
  return form;
}

/**
 * Shows all verdicts about a payment, newest first.
 * @param {HTMLElement} history
 * @param {readonly ShownEvent[]} events
 */
export function showHistory(history, events) {
  const verdicts = events.filter(({ kind }) => kind === "verdict");
  history.replaceChildren(
    ...verdicts.length === 0
      ? [h("p", { class: "note" }, "Nobody has decided yet.")]
      : verdicts.map(({ label, who, note, at }) =>
        h(
          "div",
          { class: "verdict" },
          mark(
            label ? "confirmed" : "cleared",
            label ? "confirmed" : "cleared",
          ),
          ` by ${who}, ${at.slice(0, 19).replace("T", " ")} clock, UTC`,
          note !== "" && h("p", {}, note),
        )
      ),
  );
}

function keptName() {
  try {
    return localStorage.getItem("analyst") ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
function keepName(name) {
  try {
    localStorage.setItem("analyst", name);
  } catch {
    // It is asked for again.
  }
}
