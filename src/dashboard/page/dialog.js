/** Modal dialogs: a question with its answers, and the analyst's name, which is asked for once. */
import { h, session } from "./dom.js";
import { givenName, keepName } from "./settings.js";

/** @import { Child } from "./dom.js" */

/**
 * An answer that a dialog offers: a word for the caller, its text, its look.
 * @typedef {readonly [value: string, text: string, kind?: "quiet" | "danger"]} Choice
 */

/**
 * Opens a modal dialog and waits for its answer; "" when it was closed by
 * Escape or Cancel. Fields in `content` are checked before another answer is
 * taken, and can be read after it.
 * @param {string} title
 * @param {readonly Child[]} content
 * @param {readonly Choice[]} choices the first is what Enter in a field does
 * @param {string} [cancel] text of the button that changes nothing
 * @returns {Promise<string>}
 */
export function askInDialog(title, content, choices, cancel = "Cancel") {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      ...content,
      h(
        "div",
        { class: "row" },
        choices.map(([value, text, kind]) =>
          h("button", { type: "submit", value, class: kind }, text)
        ),
        h("button", {
          type: "submit",
          value: "",
          class: "quiet",
          formnovalidate: true,
        }, cancel),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  // Another view has other questions.
  const leave = () => dialog.close("");
  addEventListener("hashchange", leave);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      removeEventListener("hashchange", leave);
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/**
 * The name that decisions carry: the session's, else the one that was given
 * before, else the one that is given now; undefined if none is given.
 * @returns {Promise<string | undefined>}
 */
export async function whoDecides() {
  const { who } = await session();
  return who ?? givenName() ?? await askName();
}

async function askName() {
  const field = h("input", {
    id: "analyst",
    name: "analyst",
    required: true,
    maxlength: "100",
    autocomplete: "name",
    pattern: ".*\\S.*",
  });
  const answer = await askInDialog(
    "Your name",
    [
      h(
        "p",
        { class: "note" },
        "Verdicts, notes and assignments carry it. This browser remembers it.",
      ),
      h("label", { for: "analyst" }, "Name"),
      field,
    ],
    [["ok", "Continue"]],
  );
  if (answer !== "ok") return undefined;
  keepName(field.value.trim());
  return givenName();
}
