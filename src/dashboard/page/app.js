/** The page: which view is open, how it looks, and whether the server answers. */
import { openAlerts } from "./alerts.js";
import { openCase } from "./case.js";
import {
  afterPaint,
  count,
  h,
  heading,
  part,
  sentenceOf,
  setText,
  shownShape,
  truthOwner,
  useShape,
} from "./dom.js";
import { listenForKeys, showKeys } from "./keyboard.js";
import { connect, firstSnapshot } from "./live.js";
import { openMap } from "./map.js";
import { openModel } from "./model.js";
import { openNow } from "./now.js";
import { openRules } from "./rules.js";
import { isTruthShown, keepTheme, showTruth } from "./settings.js";
import { openSystem } from "./system.js";
import { readingWords } from "./tiles.js";
import { undoLast } from "./toast.js";

/** @import { Keys } from "./keyboard.js" */
/** @import { Snapshot } from "../views/snapshot.ts" */

/**
 * A view that is open: it may take snapshots, have shortcuts, and learn that it closes.
 * @typedef {{
 *   update?: (snapshot: Snapshot) => void,
 *   keys?: Keys,
 *   close?: () => void,
 * }} View
 */

/**
 * What opens a view in an element of the page.
 * @typedef {(root: HTMLElement) => View} Open
 */

const main = part("main");
const link = part("link");
const linkText = part("link-text");
const notice = part("notice");
const badge = part("open-alerts");
const badgeText = h("span");
badge.append(badgeText, h("span", { class: "wide" }, " open"));

/** @type {View} */
let view = {};
/** @type {Snapshot | undefined} */
let newest;
let first = true;

/**
 * The view of a route like /alerts/17: its title, its tab, and what opens it.
 * @param {string} route
 * @returns {[title: string, tab: string | undefined, open: Open]}
 */
function viewOf(route) {
  const [path, query = ""] = route.split("?");
  const [name, part, ...more] = path.split("/").slice(1);
  const id = decoded(part);
  const parameters = new URLSearchParams(query);
  if (more.length === 0 && (id === undefined || name === "alerts")) {
    switch (name) {
      case "now":
        return ["Now", "#/now", openNow];
      case "alerts":
        if (id === undefined) {
          return ["Alerts", "#/alerts", (root) => openAlerts(root, parameters)];
        }
        if (!isPaymentId(id)) break;
        return [
          `Case ${id}`,
          "#/alerts",
          (root) => openCase(root, id, parameters),
        ];
      case "map":
        return ["Map", "#/map", (root) => openMap(root, parameters)];
      case "rules":
        return ["Rules", "#/rules", openRules];
      case "model":
        return ["Model", "#/model", openModel];
      case "system":
        return ["System", "#/system", openSystem];
    }
  }
  return ["Not found", undefined, (root) => openNothing(root, route)];
}

/** A part of the address as text; as it is where it is not encoded well. @param {string | undefined} part */
function decoded(part) {
  try {
    return part && decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whether a payment can have that id. @param {string} text */
function isPaymentId(text) {
  if (shownShape().ids.payment === "text") return text !== "";
  return /^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text));
}

/** @type {(root: HTMLElement, route: string) => View} */
function openNothing(root, route) {
  root.append(
    heading("Not found"),
    h("p", {}, "There is no view at ", h("code", {}, `#${route}`), "."),
    h(
      "p",
      {},
      "Go to ",
      h("a", { href: "#/now" }, "Now"),
      " or to the ",
      h("a", { href: "#/alerts" }, "queue of alerts"),
      ".",
    ),
  );
  return {};
}

function show() {
  const route = location.hash.slice(1) || "/now";
  const [title, tab, open] = viewOf(route === "/" ? "/now" : route);
  view.close?.();
  main.replaceChildren();
  document.title = `${title} · fraudstream`;
  for (const anchor of document.querySelectorAll("#nav a")) {
    if (anchor.getAttribute("href") === tab) {
      anchor.setAttribute("aria-current", "page");
    } else anchor.removeAttribute("aria-current");
  }
  openTools(false);
  view = open(main);
  if (newest) view.update?.(newest);
  // A screen reader announces where a link led to.
  if (!first) {
    scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
  first = false;
}

/**
 * Says how the connection is, in words and by a sign.
 * @param {"live" | "lost" | "restarted"} state
 */
function showState(state) {
  const texts = { live: "Live", lost: "Connection lost. Trying again…" };
  if (state !== "restarted") {
    setText(linkText, texts[state]);
    link.className = `link ${state}`;
    if (state === "lost") main.setAttribute("aria-busy", "true");
    else main.removeAttribute("aria-busy");
    return;
  }
  showState("live");
  say("The server was restarted. This page shows its new state.");
}

/** @param {string} text */
function say(text) {
  setText(notice, text);
  notice.hidden = text === "";
}

notice.addEventListener("click", () => say(""));

/** @param {Snapshot} snapshot */
function take(snapshot) {
  newest = snapshot;
  useShape(snapshot);
  nameTruth();
  const { open, problem } = snapshot;
  showReading(snapshot.reading);
  badge.hidden = snapshot.reading !== undefined || open.alerts === 0;
  setText(badgeText, count(open.alerts));
  if (problem) say(`Not up to date. ${sentenceOf(problem)}`);
  else if (notice.textContent?.startsWith("Not up to date")) say("");
  if (!document.hidden) view.update?.(snapshot);
}

const progress = h("progress", { max: 1, "aria-labelledby": "reading-text" });
const readingText = h("span", { id: "reading-text" });
part("reading").append(readingText, progress);

/** Says how far the page is before its numbers are those of this moment. @param {Snapshot["reading"]} reading */
function showReading(reading) {
  part("reading").hidden = reading === undefined;
  if (reading === undefined) return;
  setText(readingText, readingWords(reading));
  progress.value = reading.share;
}

const THEMES = ["system", "light", "dark"];
const button = part("theme");

/** @param {string} theme */
function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  setText(button, `Theme: ${theme}`);
  document.dispatchEvent(new Event("themechange"));
}

button.addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  keepTheme(next);
  showTheme(next);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new Event("themechange"));
});

const truth = part("truth");

/** Names the switch after those who know, and leaves it out where nobody does. */
function nameTruth() {
  truth.hidden = shownShape().truth === undefined;
  setText(
    truth,
    truthOwner() === "data"
      ? "Show all labels of the data"
      : "Show the simulation's truth",
  );
}

function markTruth() {
  truth.setAttribute("aria-checked", String(isTruthShown()));
  document.documentElement.classList.toggle("truth", isTruthShown());
}

truth.addEventListener("click", () => {
  showTruth(!isTruthShown());
  markTruth();
  // Open menus and the focus stay: only the view is another.
  const wasOpen = menu.getAttribute("aria-expanded") === "true";
  first = true;
  show();
  openTools(wasOpen);
});

const menu = part("menu");
const tools = part("tools");

/** Opens or closes the menu that a narrow page has. @param {boolean} open */
function openTools(open) {
  menu.setAttribute("aria-expanded", String(open));
  tools.classList.toggle("open", open);
}

menu.addEventListener("click", () => {
  openTools(menu.getAttribute("aria-expanded") !== "true");
});

document.addEventListener("click", ({ target }) => {
  const inside = target instanceof Node &&
    (tools.contains(target) || menu.contains(target));
  if (!inside) openTools(false);
});

document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || menu.getAttribute("aria-expanded") !== "true") return;
  openTools(false);
  menu.focus();
});

part("help").addEventListener("click", showKeys);

document.querySelector(".skip")?.addEventListener("click", (event) => {
  // Its anchor is not a view.
  event.preventDefault();
  main.focus();
});

/** Opens the queue with the focus in its search field. */
function search() {
  const focus = () => document.getElementById("filter-q")?.focus();
  if (document.getElementById("filter-q")) return focus();
  // Behind the listener that opens the view.
  addEventListener("hashchange", focus, { once: true });
  location.hash = "#/alerts";
}

listenForKeys(() => ({
  "/": search,
  "?": showKeys,
  u: undoLast,
  ...view.keys,
}));

markTruth();
showTheme(document.documentElement.dataset.theme ?? "system"); // from early.js
addEventListener("hashchange", show);
const came = firstSnapshot();
if (came) take(came);
show();
afterPaint(() => connect(came?.server, take, showState));
document.body.append(
  h(
    "footer",
    {},
    h(
      "p",
      {},
      "fraudstream · Times are event time in UTC unless marked as clock time.",
    ),
  ),
);
