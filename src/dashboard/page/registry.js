/** The registry of models: its champion, what happened to it, and the ways to change it. */
import { count, h, mark } from "./dom.js";

/** @import { Registry } from "../../scoring/model_registry.ts" */

/**
 * What asks a person before it changes the registry, for a button.
 * @typedef {(
 *   path: "/api/model/promote" | "/api/model/roll-back",
 *   body: object,
 *   words: string,
 * ) => () => void} Change
 */

/**
 * Shows the registry.
 * @param {HTMLElement} champion
 * @param {HTMLElement} history
 * @param {Registry | undefined} registry
 * @param {Change} change
 */
export function showRegistry(champion, history, registry, change) {
  if (!registry) {
    champion.replaceChildren(
      h(
        "p",
        { class: "note" },
        "There is no registry: it comes with the trainer (--retrain) or the first model that is kept.",
      ),
    );
    history.replaceChildren();
    return;
  }
  const challenger = registry.history.findLast(({ action }) =>
    action === "kept"
  );
  champion.replaceChildren(
    h(
      "div",
      { class: "row" },
      mark("genuine", `Champion ${registry.champion}`),
      challenger && mark("unknown", `last challenger ${challenger.version}`),
      h("button", {
        type: "button",
        class: "quiet",
        onclick: change(
          "/api/model/roll-back",
          {},
          "Go back to the champion before this one?",
        ),
      }, "Roll back"),
    ),
  );
  history.replaceChildren(
    ...registry.history.toReversed().map((entry) =>
      h(
        "tr",
        {},
        h("td", { class: "number" }, count(entry.day)),
        h("td", {}, entry.action),
        h("td", {}, h("code", {}, entry.version)),
        h("td", {}, h("code", {}, entry.champion)),
        h("td", {}, entry.reason),
        h(
          "td",
          {},
          entry.version === registry.champion ? "–" : h("button", {
            type: "button",
            class: "quiet",
            "aria-label": `Promote ${entry.version}`,
            onclick: change(
              "/api/model/promote",
              { version: entry.version },
              `Make ${entry.version} the champion?`,
            ),
          }, "Promote"),
        ),
      )
    ),
  );
}
