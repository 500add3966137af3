/** The registry of models: its champion, what happened to it, and the ways to change it. */
import { h, mark, table } from "./dom.js";
import { isoDay, isoMinute } from "./scale.js";

/** @import { Registry } from "../../scoring/model_registry.ts" */
/** @import { ModelView } from "../views/model_view.ts" */

/**
 * What asks a person before it changes the registry, for a button.
 * @typedef {(
 *   path: "/api/model/promote" | "/api/model/roll-back",
 *   body: object,
 *   words: string,
 * ) => () => void} Change
 */

/** What happened to a version, in words. */
const ACTIONS = {
  added: "given at the start",
  promoted: "promoted by the trainer",
  kept: "trained, champion kept",
  chosen: "promoted by hand",
  "rolled back": "rolled back by hand",
};

/**
 * The registry as elements.
 * @param {Registry | undefined} registry undefined where there is none
 * @param {number | undefined} startSeconds midnight of day 0
 * @param {Change} change
 */
export function registryOf(registry, startSeconds, change) {
  if (!registry) {
    return [
      h(
        "p",
        { class: "note" },
        "This stream has no registry of models. Start the run with --retrain: the trainer then keeps each version here and promotes the better one.",
      ),
    ];
  }
  const { champion, history } = registry;
  const challenger = history.findLast(({ action }) => action === "kept");
  const isAlone = history.every((entry) => entry.champion === champion);
  const rows = history.toReversed().map((entry) =>
    h(
      "tr",
      {},
      h("td", {}, isoDay(startSeconds, entry.day)),
      h("td", {}, ACTIONS[entry.action]),
      h("td", {}, h("code", {}, entry.version)),
      h(
        "td",
        {},
        entry.trainedFrom ? `${entry.trainedFrom} to ${entry.trainedTo}` : "–",
      ),
      h("td", {}, entry.at ? entry.at.slice(0, 16).replace("T", " ") : "–"),
      h("td", {}, h("code", {}, entry.champion)),
      h("td", {}, entry.reason),
      h(
        "td",
        {},
        entry.version === champion ? "champion" : h("button", {
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
  );
  return [
    h(
      "div",
      { class: "row" },
      mark("genuine", `Champion ${champion ?? "none yet"}`),
      challenger && mark("unknown", `last challenger ${challenger.version}`),
      h("button", {
        type: "button",
        class: "quiet",
        disabled: isAlone,
        onclick: change(
          "/api/model/roll-back",
          {},
          "Go back to the champion before this one?",
        ),
      }, "Roll back"),
      isAlone &&
        h("p", { class: "note" }, "No other version has been the champion."),
    ),
    table("History of the registry", [
      ["Since"],
      ["What happened"],
      ["Version"],
      ["Trained on"],
      ["Decided, UTC (clock)"],
      ["Champion"],
      ["Reason"],
      ["Change"],
    ], h("tbody", {}, rows)),
  ];
}

/**
 * The thresholds that people have applied, newest first; nothing where nobody has.
 * @param {ModelView} model
 */
export function thresholdsOf({ events, startSeconds }) {
  const changes = events.filter(({ sign }) => sign === "threshold");
  if (changes.length === 0) return [];
  return [
    h("h3", {}, "Thresholds applied"),
    h(
      "ul",
      {},
      changes.toReversed().map(({ x, at, text }) => {
        const clock = at === undefined
          ? ""
          : `; applied ${isoMinute(0, at / 86_400)} UTC (clock)`;
        const since = isoMinute(startSeconds, x);
        return h("li", {}, `${text}, since ${since} event time${clock}`);
      }),
    ),
  ];
}
