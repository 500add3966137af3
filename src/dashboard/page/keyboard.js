/** Single-key shortcuts, and the dialog that lists them and turns them off. */
import { askInDialog } from "./dialog.js";
import { h } from "./dom.js";
import { areShortcutsOn, turnShortcuts } from "./settings.js";

/**
 * What single keys do, by `KeyboardEvent.key`.
 * @typedef {Readonly<Record<string, () => void>>} Keys
 */

/** @type {readonly (readonly [keys: string, what: string])[]} */
const LIST = [
  ["j", "Next alert in the queue, next case"],
  ["k", "Previous alert, previous case"],
  ["Enter", "Open the selected alert"],
  ["c", "Confirm fraud and open the next case"],
  ["l", "Clear and open the next case"],
  ["a", "Assign the case to me"],
  ["u", "Undo the last decision, within 10 seconds"],
  ["/", "Search"],
  ["?", "Show this list"],
];

/**
 * Calls what a key stands for, unless the user types, a dialog is open, or
 * shortcuts are off.
 * @param {() => Keys} keysNow
 */
export function listenForKeys(keysNow) {
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, isComposing, repeat } = event;
    if (ctrlKey || metaKey || altKey || isComposing || !areShortcutsOn()) {
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) {
      return;
    }
    const keys = keysNow();
    if (!Object.hasOwn(keys, key)) return;
    event.preventDefault();
    // A key that is held down decides nothing twice.
    if (!repeat || key === "j" || key === "k") keys[key]();
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select"));
}

/** Opens the list of shortcuts. */
export async function showKeys() {
  const on = h("input", {
    type: "checkbox",
    id: "shortcuts-on",
    class: "check",
    checked: areShortcutsOn(),
    onchange: () => turnShortcuts(on.checked),
  });
  await askInDialog(
    "Keyboard",
    [
      h(
        "dl",
        { class: "keys" },
        LIST.map(([key, what]) => [
          h("dt", {}, h("kbd", {}, key)),
          h("dd", {}, what),
        ]),
      ),
      h(
        "div",
        { class: "row" },
        on,
        h("label", { for: "shortcuts-on" }, "Single-key shortcuts are on"),
      ),
    ],
    [],
    "Close",
  );
}
