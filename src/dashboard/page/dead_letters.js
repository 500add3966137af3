/** Dead letters in the view "System": the newest ones, and a form to requeue each. */
import { ask, count, every, h, mark, messageOf, setText } from "./dom.js";

/** @import { LetterView } from "../views/dead_letters.ts" */

const LETTERS_MS = 5000;

/**
 * Shows the newest of them in `letters` and how many there are in `total`; gives what ends it.
 * @param {HTMLElement} total
 * @param {HTMLElement} letters
 */
export function showDeadLetters(total, letters) {
  return every(LETTERS_MS, async () => {
    // Nobody's half-edited row is taken away.
    if (letters.querySelector("details[open]")) return;
    const found = await ask("/api/dead-letters");
    setText(
      total,
      found.total === 0
        ? "None: every record could be taken."
        : `${count(found.total)} in all; the newest ${
          count(found.letters.length)
        }:`,
    );
    letters.replaceChildren(...found.letters.map(letterOf));
  });
}

/** @param {LetterView} letter */
function letterOf({ id, reason, message, raw, fixed, requeued }) {
  const said = h("p", { role: "status", class: "note" });
  const field = `row-${id.replaceAll("/", "-")}`;
  const edit = h("textarea", { id: field, rows: "6", spellcheck: "false" });
  edit.value = raw;
  const again = requeued !== undefined;
  const form = h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        setText(said, "Sending…");
        try {
          const place = await ask("/api/dead-letters/requeue", {}, {
            id,
            json: edit.value,
            again,
          });
          setText(
            said,
            `Requeued to ${place.topic}, partition ${place.partition}.`,
          );
        } catch (error) {
          setText(said, messageOf(error));
        }
      },
    },
    h("label", { for: field }, "An edited copy of the row"),
    edit,
    h("button", { type: "submit" }, again ? "Requeue once more" : "Requeue"),
    said,
  );
  return h(
    "details",
    { class: "letter" },
    h(
      "summary",
      {},
      mark("warn", reason),
      " ",
      h("code", {}, id),
      requeued && mark("genuine", "requeued"),
    ),
    h("p", {}, message),
    h("h3", {}, "As it came"),
    h("pre", {
      tabindex: "0",
      role: "region",
      "aria-label": `Raw value of ${id}`,
    }, raw),
    fixed ? h("p", { class: "note" }, `It cannot be edited: ${fixed}.`) : form,
  );
}
