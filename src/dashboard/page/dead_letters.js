/** Dead letters in the view "System": the newest ones, and a form to requeue each. */
import {
  ask,
  count,
  countOf,
  every,
  h,
  mark,
  messageOf,
  setText,
} from "./dom.js";

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
        ? "No record was rejected."
        : found.total > found.letters.length
        ? `${countOf(found.total, "dead letter")}, the newest ${
          count(found.letters.length)
        } of them below`
        : countOf(found.total, "dead letter"),
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
    h("label", { for: field }, "Row to requeue"),
    edit,
    h("button", { type: "submit" }, again ? "Requeue again" : "Requeue"),
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
    h("h3", {}, "Original value"),
    h("pre", {
      tabindex: "0",
      role: "region",
      "aria-label": `Raw value of ${id}`,
    }, raw),
    fixed
      ? h(
        "p",
        { class: "note" },
        `This record cannot be edited and requeued: ${fixed}.`,
      )
      : form,
  );
}
