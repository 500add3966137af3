/** Says what was just done, and offers to undo it for as long as that is possible. */
import { h, messageOf, part } from "./dom.js";

/** How long a decision can be undone, in milliseconds; the server counts too. */
const UNDO_MS = 10_000;

/** @type {(() => Promise<string>) | undefined} */
let undo;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Shows a sentence. With `work`, which does the undoing and says so, it comes with a button and the key u.
 * @param {string} text
 * @param {() => Promise<string>} [work]
 */
export function showToast(text, work) {
  const toast = part("toast");
  clearTimeout(timer);
  undo = work;
  toast.replaceChildren(
    h("span", {}, text),
    ...work
      ? [h("button", { type: "button", onclick: undoLast }, "Undo (u)")]
      : [],
  );
  toast.hidden = false;
  timer = setTimeout(() => {
    undo = undefined;
    toast.hidden = true;
  }, UNDO_MS);
}

/** Undoes what the toast speaks of; nothing if it is too late. */
export async function undoLast() {
  const work = undo;
  undo = undefined;
  if (!work) return;
  try {
    showToast(await work());
  } catch (error) {
    showToast(messageOf(error));
  }
}
