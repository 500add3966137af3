/** The page: which view is open, how it looks, and whether the server answers. */
import { openAlerts } from "./alerts.js";
import { openCase } from "./case.js";
import { afterPaint, count, h, part, setText } from "./dom.js";
import { connect, firstSnapshot } from "./live.js";
import { openMap } from "./map.js";
import { openModel } from "./model.js";
import { openNow } from "./now.js";
import { openSystem } from "./system.js";

/** @import { Snapshot } from "../views/snapshot.ts" */

/**
 * A view that is open: it may take snapshots, and learn that it closes.
 * @typedef {{
 *   update?: (snapshot: Snapshot) => void,
 *   close?: () => void,
 * }} View
 */

/**
 * What opens a view in an element of the page.
 * @typedef {(root: HTMLElement) => View} Open
 */

const main = part("main");
const link = part("link");
const notice = part("notice");
const badge = part("open-alerts");

/** @type {View} */
let view = {};
/** @type {Snapshot | undefined} */
let newest;
let first = true;

/**
 * The view of a route like /alerts/17: its title, its tab, and what opens it.
 * @param {string} route
 * @returns {[title: string, tab: string, open: Open]}
 */
function viewOf(route) {
  const [path, query = ""] = route.split("?");
  const [name, id] = path.split("/").slice(1);
  const parameters = new URLSearchParams(query);
  switch (name) {
    case "alerts":
      return id === undefined
        ? ["Alerts", "#/alerts", (root) => openAlerts(root, parameters)]
        : ["Case", "#/alerts", (root) => openCase(root, id)];
    case "map":
      return ["Map", "#/map", (root) => openMap(root, parameters)];
    case "model":
      return ["Model", "#/model", openModel];
    case "system":
      return ["System", "#/system", openSystem];
    default:
      return ["Now", "#/now", openNow];
  }
}

function show() {
  const [title, tab, open] = viewOf(location.hash.slice(1) || "/now");
  view.close?.();
  main.replaceChildren();
  document.title = `${title} · fraudstream`;
  for (const anchor of document.querySelectorAll("#nav a")) {
    if (anchor.getAttribute("href") === tab) {
      anchor.setAttribute("aria-current", "page");
    } else anchor.removeAttribute("aria-current");
  }
  view = open(main);
  if (newest) view.update?.(newest);
  // A screen reader announces where a link led to.
  if (!first) main.querySelector("h1")?.focus();
  first = false;
}

/**
 * Says how the connection is, in words and by a sign.
 * @param {"live" | "lost" | "restarted"} state
 */
function showState(state) {
  const texts = { live: "Live", lost: "Connection lost, trying again…" };
  if (state !== "restarted") {
    setText(link, texts[state]);
    link.className = `link ${state}`;
    if (state === "lost") main.setAttribute("aria-busy", "true");
    else main.removeAttribute("aria-busy");
    return;
  }
  showState("live");
  say("The server was started again; this page shows its new state.");
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
  const { open, problem } = snapshot;
  badge.hidden = open.alerts === 0;
  setText(badge, `${count(open.alerts)} open`);
  if (problem) say(`Not up to date: ${problem}`);
  else if (notice.textContent?.startsWith("Not up to date")) say("");
  if (!document.hidden) view.update?.(snapshot);
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
  try {
    localStorage.setItem("theme", next);
  } catch {
    // It then lasts as long as the page.
  }
  showTheme(next);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new Event("themechange"));
});

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
      "fraudstream · all times are event time, UTC, unless they say clock",
    ),
  ),
);
