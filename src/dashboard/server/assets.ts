/**
 * The files of the page, as text in the program itself: nothing is fetched
 * from elsewhere, nothing is built, and an executable needs no files.
 */
import { createHash } from "node:crypto";
import appJs from "../page/app.js" with { type: "text" };
import chartCss from "../page/chart.css" with { type: "text" };
import chartJs from "../page/chart.js" with { type: "text" };
import dialogJs from "../page/dialog.js" with { type: "text" };
import domJs from "../page/dom.js" with { type: "text" };
import earlyJs from "../page/early.js" with { type: "text" };
import frameJs from "../page/frame.js" with { type: "text" };
import indexHtml from "../page/page.html" with { type: "text" };
import groupsJs from "../page/groups.js" with { type: "text" };
import keyboardJs from "../page/keyboard.js" with { type: "text" };
import linesJs from "../page/lines.js" with { type: "text" };
import liveJs from "../page/live.js" with { type: "text" };
import liveWorkerJs from "../page/live_worker.js" with { type: "text" };
import loginHtml from "../page/login.html" with { type: "text" };
import queueFilterJs from "../page/queue_filter.js" with { type: "text" };
import { chartStyle } from "../page/palette.js";
import paletteJs from "../page/palette.js" with { type: "text" };
import scaleJs from "../page/scale.js" with { type: "text" };
import settingsJs from "../page/settings.js" with { type: "text" };
import shapeJs from "../page/shape.js" with { type: "text" };
import styleCss from "../page/style.css" with { type: "text" };
import { DEFINITIONS, type Said, TILES, tilesOf } from "../page/tiles.js";
import tilesJs from "../page/tiles.js" with { type: "text" };
import toastJs from "../page/toast.js" with { type: "text" };
import type { Snapshot } from "../views/snapshot.ts";
import { VIEWS } from "../views/views.ts";

/** The page with a snapshot in it and the numbers of the first view, so that neither has to wait for scripts or for the stream. */
export function pageWith(snapshot: Snapshot): string {
  const json = escaped(JSON.stringify(snapshot));
  return PAGE
    .replace(
      "<!-- snapshot -->",
      () => `<meta name="snapshot" content="${json}" />`,
    )
    .replace("<!-- first view -->", () => firstView(snapshot));
}

/** What now.js builds of it. */
function firstView(snapshot: Snapshot): string {
  const numbers: Readonly<Record<string, Said>> = tilesOf(
    snapshot,
  );
  const tiles = Object.entries(TILES).map(([name, label]) => {
    const [value, note] = numbers[name];
    return `<div class="tile"><dt>${label}</dt><dd>${escaped(value)}</dd>` +
      `<dd class="note">${escaped(note)}</dd></div>`;
  });
  return `<div class="early"><div class="head"><h1>Now</h1></div>` +
    `<dl class="tiles">${tiles.join("")}</dl>` +
    `<p class="note definitions">${DEFINITIONS.risk} ${DEFINITIONS.stopped}</p>` +
    `</div>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** What asks for the token; `wrong` says that it was not the right one. */
export function loginPage(wrong: string | undefined): string {
  // Only sentences of this program are put in.
  return LOGIN.replace("<!-- wrong -->", wrong ?? "");
}

const SCRIPT = "text/javascript; charset=utf-8";
const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d4ed8"/><path d="M5 20h6l3-11 5 15 3-9h5" fill="none" stroke="#fff" stroke-width="2.6" stroke-linejoin="round" stroke-linecap="round"/></svg>`;

/** A file of the page. */
export interface Asset {
  /** Its media type. */
  readonly type: string;
  /** Its text. */
  readonly text: string;
}

const script = (text: string): Asset => ({ type: SCRIPT, text });

/** The files that the page loads, by name. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  ["app.js", script(appJs)],
  ["chart.js", script(chartJs)],
  ["dialog.js", script(dialogJs)],
  ["dom.js", script(domJs)],
  ["groups.js", script(groupsJs)],
  ["frame.js", script(frameJs)],
  ["keyboard.js", script(keyboardJs)],
  ["lines.js", script(linesJs)],
  ["live.js", script(liveJs)],
  ["live_worker.js", script(liveWorkerJs)],
  ["queue_filter.js", script(queueFilterJs)],
  ["palette.js", script(paletteJs)],
  ["scale.js", script(scaleJs)],
  ["settings.js", script(settingsJs)],
  ["shape.js", script(shapeJs)],
  ["settings.js", script(settingsJs)],
  ["tiles.js", script(tilesJs)],
  ["toast.js", script(toastJs)],
  ...VIEWS.flatMap(({ scripts }) => {
    return Object.entries(scripts).map(([name, text]) => {
      return [name, script(text)] as const;
    });
  }),
  ["icon.svg", { type: "image/svg+xml", text: ICON }],
]);

/**
 * Stands in the address of every file and changes with any of them, so that a
 * browser asks for each only once.
 */
export const ASSETS_VERSION: string = createHash("sha256")
  .update(JSON.stringify([...ASSETS])).digest("hex").slice(0, 16);

const PARTS = {
  style: chartStyle() + chartCss + styleCss,
  script: earlyJs,
};

/** What the policy of the page lets run and apply in the page itself, as sources of Content-Security-Policy: nothing but what is in every page. */
export const INLINE: { readonly style: string; readonly script: string } = {
  style: sourceOf(PARTS.style),
  script: sourceOf(PARTS.script),
};

function sourceOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * A page of ours, with the version in the addresses of its files. What is
 * needed before anything is painted is in the page itself: nothing else has to
 * come first.
 */
function complete(html: string): string {
  return html.replaceAll('"page/', `"page/${ASSETS_VERSION}/`)
    .replace("<!-- style -->", () => `<style>${PARTS.style}</style>`)
    .replace("<!-- early -->", () => `<script>${PARTS.script}</script>`);
}

const NO_MODULES = ["app.js", "live_worker.js"];

/** What app.js imports, and what that does: asked for at once, not one after the other. */
const MODULES = [...ASSETS].flatMap(([name, { type }]) =>
  type === SCRIPT && !NO_MODULES.includes(name)
    ? [`<link rel="modulepreload" href="page/${name}" />`]
    : []
);

/** The links to the views. */
const TABS = VIEWS.flatMap(({ tab }) => {
  if (!tab) return [];
  const { name, title, badge } = tab;
  const open = badge === undefined
    ? ""
    : ` <span id="${badge}" class="badge" hidden></span>`;
  return [`<li><a href="#/${name}">${title}${open}</a></li>`];
});

const LOGIN = complete(loginHtml);

const PAGE = complete(
  indexHtml
    .replace("<!-- modules -->", MODULES.join("\n      "))
    .replace("<!-- tabs -->", TABS.join("\n          ")),
);
