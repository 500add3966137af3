import assert from "node:assert/strict";
import {
  figuresOf,
  type ReportData,
  type Section,
} from "../../src/report/content.ts";
import { htmlPage } from "../../src/report/html_page.ts";
import { reportSections } from "../../src/report/sections.ts";
import { escapeText, standaloneSvg } from "../../src/report/svg.ts";
import type { SimulatorParameters } from "../../src/simulator/parameters.ts";
import { readMarkup } from "./markup.ts";
import { ownReports } from "./own_reports.ts";
import { rulesTried } from "./rules_tried.ts";
import { reportOf, SET_A, statisticsOf } from "./statistics_of.ts";

const DAY = 86_400;

/** Sets that are small or odd, each in its own way. */
function oddReports(): [name: string, data: ReportData][] {
  const set = (change: Partial<SimulatorParameters>) =>
    reportOf({ ...SET_A, ...change });
  const rows = (...rows: Parameters<typeof statisticsOf>[0][number][]) => ({
    ...set({ customers: 1, terminals: 1, days: 1 }),
    customers: undefined,
    terminals: undefined,
    statistics: statisticsOf(rows, ["RISK"], rows.map(() => [0])),
  });
  return [
    ["set A", set({})],
    ["no payments", set({ customers: 1, terminals: 1, days: 1 })],
    ["one day, no frauds", set({ days: 1 })],
    ["one payment", rows({ amount: 1 })],
    ["one fraud", rows({ fraud: 1, scenario: 0 })],
    ["frauds only", rows({ fraud: 1, scenario: 9 }, { fraud: 1, scenario: 9 })],
    ["a gap of years", rows({}, { timeSeconds: 20_000 * DAY })],
    ["amounts at their limit", rows({ amount: 1e9 }, { amount: 0.01 })],
    ["no terminals", { ...set({}), terminals: undefined }],
    ["no customers", { ...set({}), customers: undefined }],
    ["no profile at all", { ...set({}), customers: [], terminals: [] }],
    ["a great radius", { ...set({}), radius: 1000 }],
    ["rules", { ...set({}), rules: rulesTried(true) }],
    ["rules of no payment", { ...set({}), rules: rulesTried(false) }],
    ["a tiny radius", { ...set({}), radius: 1e-9 }],
  ];
}

function pageOf(data: ReportData): string {
  return htmlPage("A title", reportSections(data));
}

for (const [name, data] of [...oddReports(), ...ownReports()]) {
  Deno.test(`htmlPage() is well-formed and complete: ${name}`, () => {
    const page = pageOf(data);
    const elements = readMarkup(page);
    assert.doesNotMatch(page, /NaN|Infinity|undefined|\bnull\b/);
    const ids = elements.flatMap(({ attributes }) =>
      attributes.get("id") ?? []
    );
    assert.equal(new Set(ids).size, ids.length, "an id comes twice");
    for (const { attributes } of elements) {
      const href = attributes.get("href");
      if (href !== undefined) {
        assert.ok(ids.includes(href.replace(/^#/, "")), href);
      }
      const labels = attributes.get("aria-labelledby")?.split(" ") ?? [];
      for (const id of labels) assert.ok(ids.includes(id), id);
    }
  });

  Deno.test(`standaloneSvg() is well-formed: ${name}`, () => {
    for (const figure of figuresOf(reportSections(data))) {
      for (const width of [200, 312, 620, 1200]) {
        const svg = standaloneSvg(figure.draw(width), figure, data.source);
        readMarkup(svg);
        assert.doesNotMatch(svg, /NaN|Infinity|undefined/, figure.id);
      }
    }
  });
}

Deno.test("htmlPage() has no script and refers to nothing outside itself", () => {
  const page = pageOf(reportOf(SET_A));
  assert.doesNotMatch(
    page,
    /<script|javascript:|\bon\w+="|<link|<img|@import/i,
  );
  assert.doesNotMatch(page, /https?:|url\(|src=|data:/i);
});

Deno.test("every figure has a title and says what is seen, every table its captions and scopes", () => {
  const elements = readMarkup(pageOf(reportOf(SET_A)));
  const of = (name: string) => elements.filter((one) => one.name === name);
  assert.ok(of("figure").length > 20);
  for (const { attributes, text } of of("svg")) {
    if (attributes.get("role") !== "img") continue;
    assert.equal(attributes.get("aria-labelledby")?.split(" ").length, 2);
    assert.ok(text.length > 20);
  }
  assert.ok(of("title").every(({ text }) => text.length > 0));
  assert.ok(of("desc").every(({ text }) => text.length > 10));
  assert.equal(of("caption").length, of("table").length);
  for (const { attributes } of of("th")) {
    assert.match(attributes.get("scope") ?? "", /^(col|row)$/);
  }
  for (const { attributes } of elements) {
    if (attributes.get("class") !== "scroll") continue;
    assert.equal(attributes.get("tabindex"), "0", "scrolls by keyboard");
  }
});

Deno.test("a figure's file is complete on its own: title, name, axes, what is left out, source", () => {
  const data = reportOf(SET_A);
  for (const figure of figuresOf(reportSections(data))) {
    const svg = standaloneSvg(figure.draw(720), figure, data.source);
    const elements = readMarkup(svg);
    const drawn = elements.filter(({ name }) => name === "text")
      .map(({ text }) => text).join(" ").replaceAll("\u00a0", " ");
    const { title, name = "", leftOut = "" } = figure;
    for (const text of [title, name, leftOut, `Source: ${data.source}`]) {
      const escaped = escapeText(text).replaceAll("\u00a0", " ");
      assert.ok(drawn.includes(escaped), text);
    }
    const [root] = elements;
    const [width, height] = ["width", "height"].map((side) =>
      Number(root.attributes.get(side))
    );
    for (const { name, attributes, text } of elements) {
      if (name !== "text") continue;
      assert.ok(Number(attributes.get("y")) < height, text);
      assert.ok(Number(attributes.get("x")) <= width, text);
    }
  }
});

Deno.test("figures of features have titles in words, with the name beneath", () => {
  for (const figure of figuresOf(reportSections(reportOf(SET_A)))) {
    if (!figure.id.startsWith("feature_")) continue;
    assert.match(figure.title, /^[A-Z][a-z' ,\d-]+/);
    assert.equal(`feature_${figure.name}`, figure.id);
  }
});

Deno.test("names cannot become markup", () => {
  const name = `</style><script>alert("1")</script>&'\u0000\ud800`;
  const sections: Section[] = [{
    id: "s",
    heading: name,
    blocks: [
      { kind: "text", text: name },
      { kind: "numbers", numbers: [{ name, value: name, note: name }] },
      {
        kind: "table",
        table: { caption: name, header: [name], rows: [[name]] },
      },
      {
        kind: "figures",
        figures: [{
          id: "f",
          title: name,
          description: name,
          draw: (width) => ({ width, height: 10, shapes: [] }),
          values: { caption: name, header: [name], rows: [[name]] },
        }],
      },
    ],
  }];
  const page = htmlPage(name, sections);
  assert.ok(!readMarkup(page).some((one) => one.name === "script"));
  assert.ok(page.includes("&lt;script&gt;"));
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(page, /\u0000/);
  assert.ok(page.isWellFormed());
});

Deno.test("features of any name are drawn under it, escaped", () => {
  const data = reportOf({ ...SET_A, days: 1 });
  const statistics = statisticsOf([{}, { fraud: 1 }], ["<A & B>"], [[1], [2]]);
  const page = pageOf({ ...data, statistics });
  readMarkup(page);
  assert.ok(page.includes("&lt;A &amp; B&gt;"));
});

Deno.test("the same data give the same bytes, other data others", () => {
  const page = pageOf(reportOf(SET_A));
  assert.equal(pageOf(reportOf(SET_A)), page);
  assert.notEqual(pageOf(reportOf({ ...SET_A, days: 29 })), page);
});
