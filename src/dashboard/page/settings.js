/**
 * What a person has chosen on this page, kept by the browser: in the tab, or for
 * good. It is read when it is needed, since the server loads some scripts too.
 */

/**
 * @param {"localStorage" | "sessionStorage"} storage
 * @param {string} name
 */
function kept(storage, name) {
  try {
    return globalThis[storage].getItem(name) ?? undefined;
  } catch {
    return undefined; // A browser that keeps nothing.
  }
}

/**
 * @param {"localStorage" | "sessionStorage"} storage
 * @param {string} name
 * @param {string} value
 */
function keep(storage, name, value) {
  try {
    globalThis[storage].setItem(name, value);
  } catch {
    // It then lasts as long as the page.
  }
}

/** @type {boolean | undefined} */
let truth;
/** @type {boolean | undefined} */
let shortcuts;
/** @type {string | undefined} */
let name;

/** Whether the stream has labels that can be shown before they are known. */
let hasTruth = true;

/** Says whether the stream has labels that can be shown before they are known. @param {boolean} has */
export function allowTruth(has) {
  hasTruth = has;
}

/** Whether this tab shows what only the simulation, or the data, know: labels before their time, scenarios, compromised terminals. */
export const isTruthShown = () =>
  hasTruth && (truth ??= kept("sessionStorage", "truth") === "on");

/** Shows or hides the simulation's truth in this tab. @param {boolean} on */
export function showTruth(on) {
  truth = on;
  keep("sessionStorage", "truth", on ? "on" : "off");
}

/** Whether single keys are shortcuts. */
export const areShortcutsOn = () =>
  shortcuts ??= kept("localStorage", "shortcuts") !== "off";

/** Turns single-key shortcuts on or off, for all visits. @param {boolean} on */
export function turnShortcuts(on) {
  shortcuts = on;
  keep("localStorage", "shortcuts", on ? "on" : "off");
}

/** The name that the analyst gave; undefined before that. */
export const givenName = () => name ??= kept("localStorage", "analyst");

/** Keeps the analyst's name, for all visits. @param {string} given */
export function keepName(given) {
  name = given;
  keep("localStorage", "analyst", given);
}

/** Keeps the theme, for all visits. @param {string} theme */
export const keepTheme = (theme) => keep("localStorage", "theme", theme);
