/**
 * A report as one HTML file that needs nothing else: no script, no reference
 * to another place, light and dark as the reader's system is, and on paper.
 * Each figure is drawn twice, for wide and for narrow windows.
 */
import type { Block, Figure, KeyFigure, Section, Table } from "./content.ts";
import {
  chartRules,
  DARK,
  LIGHT,
  variable,
  variablesOf,
} from "../dashboard/page/palette.js";
import { element, escapeText, inlineSvg } from "./svg.ts";

const WIDE = 620;
const NARROW = 312;
const SMALL = 300;

/** The page. */
export function htmlPage(title: string, sections: readonly Section[]): string {
  const links = sections.map(({ id, heading }) => {
    return element(
      "li",
      {},
      element("a", { href: `#${id}` }, escapeText(heading)),
    );
  });
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    element("title", {}, escapeText(title)),
    `<style>${STYLE}${hasVerbatim(sections) ? VERBATIM : ""}</style>`,
    "</head>",
    "<body>",
    "<header>",
    element("h1", {}, escapeText(title)),
    element("nav", { "aria-label": "Sections" }, element("ul", {}, ...links)),
    "</header>",
    "<main>",
    ...sections.map(sectionHtml),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

/** Whether a table has the data's own names as columns. */
function hasVerbatim(sections: readonly Section[]): boolean {
  return sections.some(({ blocks }) =>
    blocks.some((block) => block.kind === "table" && block.table.verbatim)
  );
}

function sectionHtml({ id, heading, blocks }: Section): string {
  const content = blocks.map((block, at) => {
    const html = blockHtml(block, `${id}-${at}`);
    if (block.kind !== "table") return html;
    // Tables that follow each other stand side by side where there is room.
    const first = blocks[at - 1]?.kind !== "table";
    const last = blocks[at + 1]?.kind !== "table";
    return (first ? '<div class="tables">' : "") + html +
      (last ? "</div>" : "");
  });
  return [
    `<section id="${escapeText(id)}" aria-labelledby="${escapeText(id)}-h">`,
    element("h2", { id: `${id}-h` }, escapeText(heading)),
    ...content,
    "</section>",
  ].join("\n");
}

function blockHtml(block: Block, id: string): string {
  switch (block.kind) {
    case "text":
      return element("p", {}, prose(block.text));
    case "numbers":
      return element("dl", {}, ...block.numbers.map(keyFigure));
    case "table":
      return tableHtml(block.table, id);
    case "figures": {
      const small = block.figures.every((figure) => figure.small);
      return element(
        "div",
        { class: small ? "figures small" : "figures" },
        ...block.figures.map(figureHtml),
      );
    }
  }
}

function keyFigure({ name, value, note }: KeyFigure): string {
  return element(
    "div",
    {},
    element("dt", {}, escapeText(name)),
    element("dd", {}, escapeText(value)),
    note === undefined
      ? ""
      : element("dd", { class: "note" }, escapeText(note)),
  );
}

/** A table in its own frame, which scrolls in narrow windows, by keyboard too. */
function tableHtml(
  { caption, header, rows, named, names, verbatim }: Table,
  id: string,
): string {
  if (rows.length === 0) return element("p", {}, `${escapeText(caption)}.`);
  const head = header.map((text, column) => {
    const attributes = {
      scope: "col",
      class: verbatim ? "verbatim" : column === 0 && named ? "name" : undefined,
    };
    return element("th", attributes, breakable(text));
  });
  const body = rows.map((cells, at) => {
    const name = names?.[at];
    const [first, ...others] = cells;
    return element(
      "tr",
      {},
      element(
        "th",
        { scope: "row", class: named ? "name" : undefined },
        breakable(first),
        name === undefined ? "" : element("small", {}, escapeText(name)),
      ),
      ...others.map((text) => element("td", {}, escapeText(text))),
    );
  });
  return element(
    "div",
    {
      class: "scroll",
      role: "region",
      tabindex: 0,
      "aria-labelledby": `${id}-c`,
    },
    element(
      "table",
      {},
      element("caption", { id: `${id}-c` }, escapeText(caption)),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...body),
    ),
  );
}

function figureHtml(figure: Figure): string {
  const { id, title, name, description, leftOut = "", small, draw, values } =
    figure;
  const svg = (suffix: string, width: number) =>
    inlineSvg(draw(width), { ...figure, id: `${id}${suffix}` });
  const drawings = small ? [svg("", SMALL)] : [
    element("div", { class: "wide" }, svg("-w", WIDE)),
    element("div", { class: "narrow" }, svg("-n", NARROW)),
  ];
  const folded = values && values.rows.length > 0
    ? element(
      "details",
      {},
      element(
        "summary",
        {},
        "Numbers",
        element("span", { class: "unseen" }, ` of ${escapeText(title)}`),
      ),
      tableHtml(values, `${id}-v`),
    )
    : "";
  return element(
    "figure",
    { id: `figure-${id}` },
    element("h3", {}, prose(title)),
    name === undefined ? "" : element("p", { class: "name" }, prose(name)),
    ...drawings,
    element(
      "figcaption",
      {},
      prose(`${description} ${leftOut}`.trim()),
    ),
    folded,
  ) + "\n";
}

/** Text whose long names may be broken behind an underscore, where lines are broken at all. */
function breakable(text: string): string {
  return escapeText(text).replaceAll("_", "_<wbr>");
}

/** The same of sentences, whose dates and "7-day" stay on one line. */
function prose(text: string): string {
  return breakable(text).replaceAll(
    /\d{4}-\d{2}-\d{2}|\d+-day/g,
    (word) => element("span", { class: "whole" }, word),
  );
}

const VERBATIM = "thead th.verbatim::first-letter{text-transform:none}";

const STYLE = [
  `:root{color-scheme:light dark;${variablesOf(LIGHT)}}`,
  `@media (prefers-color-scheme:dark){:root{${variablesOf(DARK)}}}`,
  "*{box-sizing:border-box}",
  "body{margin:0;background:var(--ground);color:var(--ink);" +
  "font:16px/1.5 var(--font)}",
  "header,main{max-width:1320px;margin:0 auto;padding:0 clamp(12px,3vw,32px)}",
  "header{padding-top:24px}",
  "h1{font-size:1.7rem;line-height:1.2;margin:0 0 8px}",
  "h2{font-size:1.3rem;line-height:1.25;margin:40px 0 12px}",
  "h3{font-size:1rem;line-height:1.3;margin:0 0 10px;overflow-wrap:anywhere}",
  "p{max-width:75ch;margin:0 0 16px}",
  "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:0}",
  "nav a{display:inline-block;padding:4px 0;color:var(--series-0);text-underline-offset:3px}",
  ":focus-visible{outline:2px solid var(--series-0);outline-offset:2px}",
  "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,155px),1fr));" +
  "gap:12px;margin:0 0 20px}",
  "dl div,figure,.scroll{background:var(--panel);border:1px solid var(--line);" +
  "border-radius:8px}",
  "dl div{padding:12px 14px}",
  "dt{color:var(--muted);font-size:.875rem}",
  "dd{margin:0;font-size:1.15rem;font-weight:600;font-variant-numeric:tabular-nums;" +
  "overflow-wrap:anywhere}",
  "dd.note{font-size:.8125rem;font-weight:400;color:var(--muted)}",
  ".figures{display:grid;gap:16px;margin:0 0 20px;" +
  "grid-template-columns:repeat(auto-fill,minmax(min(100%,540px),1fr));align-items:start}",
  ".figures.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr))}",
  "figure{margin:0;padding:14px 16px}",
  "p.name{margin:-8px 0 8px;font-size:.8125rem;color:var(--muted);overflow-wrap:anywhere}",
  "svg{display:block;width:100%;height:auto}",
  ".wide svg{max-width:720px}.small svg{max-width:400px}",
  ".narrow{display:none}",
  "figcaption{margin-top:10px;font-size:.875rem;color:var(--muted);max-width:70ch}",
  "summary{margin-top:8px;cursor:pointer;font-size:.875rem;color:var(--series-0)}",
  "details .scroll{max-height:320px;margin:8px 0 0;overflow:auto}",
  ".tables{display:flex;flex-wrap:wrap;gap:16px;align-items:start;margin:0 0 20px}",
  ".scroll{overflow-x:auto;max-width:min(100%,max-content)}",
  "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}",
  "caption{text-align:left;padding:10px 12px;font-weight:600}",
  "th,td{padding:5px 12px;text-align:right;white-space:nowrap;" +
  "border-top:1px solid var(--line)}",
  "thead th{color:var(--muted);font-weight:600;vertical-align:bottom;" +
  "white-space:normal}",
  "dt::first-letter,thead th::first-letter{text-transform:uppercase}",
  ".whole{white-space:nowrap}",
  "tbody th{font-weight:400}",
  ".name{text-align:left}",
  "th small{display:block;color:var(--muted)}",
  ".unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}",
  "main{padding-bottom:48px}",
  "@media (max-width:599px){.wide{display:none}.narrow{display:block}" +
  "figure{padding:12px}h1{font-size:1.4rem}}",
  "@media print{:root{color-scheme:light;" + variablesOf(LIGHT) +
  "}body{font-size:11pt;background:none}" +
  "nav,details{display:none}h2{break-after:avoid}figure,dl div,tr{break-inside:avoid}" +
  ".scroll{overflow:visible}th,td{white-space:normal;padding:3px 6px}table{font-size:8pt}" +
  ".wide{display:block}.narrow{display:none}}",
  chartRules("", variable),
].join("\n");
