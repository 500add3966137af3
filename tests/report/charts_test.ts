import assert from "node:assert/strict";
import { drawBars } from "../../src/report/bar_chart.ts";
import { drawHistogram } from "../../src/report/histogram_chart.ts";
import { numberAxis } from "../../src/dashboard/page/frame.js";
import { drawLines } from "../../src/dashboard/page/lines.js";
import {
  type Drawing,
  round,
  textWidth,
} from "../../src/dashboard/page/shape.js";
import { drawPlane, isInReach } from "../../src/report/plane_chart.ts";
import { element, escapeText, markupOf } from "../../src/report/svg.ts";
import {
  handbookCustomers,
  handbookTerminals,
} from "../../src/simulator/handbook.ts";
import { TerminalGrid } from "../../src/simulator/terminal_grid.ts";
import { type MarkupElement, readMarkup } from "./markup.ts";

function shapesOf({ shapes }: Drawing): MarkupElement[] {
  return readMarkup(`<svg>${markupOf(shapes)}</svg>`);
}

/** Places along the horizontal axis where a text begins and ends. */
function extent({ attributes, text }: MarkupElement): [number, number] {
  const x = Number(attributes.get("x"));
  const width = textWidth(text);
  const anchor = attributes.get("text-anchor");
  const start = anchor === "end" ? x - width : anchor ? x - width / 2 : x;
  return [start, start + width];
}

/** Fails where texts of one line touch, or leave the drawing. */
function assertTextsApart(drawing: Drawing): void {
  const lines = new Map<string, [number, number, string][]>();
  for (const one of shapesOf(drawing)) {
    if (one.name !== "text") continue;
    const [start, end] = extent(one);
    assert.ok(start > -1 && end < drawing.width + 1, `${one.text} is cut off`);
    const y = one.attributes.get("y") ?? "";
    lines.set(y, [...lines.get(y) ?? [], [start, end, one.text]]);
  }
  for (const line of lines.values()) {
    line.sort(([a], [b]) => a - b).forEach(([start, , text], at) => {
      if (at > 0) assert.ok(start >= line[at - 1][1], `${text} overlaps`);
    });
  }
}

const axis = (high: number) => numberAxis("a title with its unit", [0, high]);

Deno.test("drawHistogram() draws a bar for each bin that has something, as high as it should be", () => {
  const drawing = drawHistogram(
    {
      xTitle: "x",
      yTitle: "y",
      from: 0,
      binWidth: 1,
      series: [{ name: "one", heights: [10, 0, 5] }],
      empty: "nothing",
    },
    400,
    100,
  );
  const bars = shapesOf(drawing)
    .find(({ attributes }) => attributes.get("class") === "f0");
  const tops = (bars?.attributes.get("d") ?? "").split("Z").filter(Boolean)
    .map((bar) => /^M[\d.]+ ([\d.]+)V([\d.]+)/.exec(bar)?.slice(1).map(Number));
  assert.deepEqual(tops.map((bar) => bar && bar[0] - bar[1]), [100, 50]);
});

Deno.test("texts of charts neither touch nor leave the drawing, in any width", () => {
  for (const width of [300, 312, 360, 620, 720]) {
    for (const high of [0.003, 1, 77, 2_000_000]) {
      const y = [0, high / 2, high];
      const lines = ["payments ÷ 50", "frauds", "cards with a fraud"]
        .map((name) => ({ name, x: [0, 1, 2], y }));
      const panels = [{ y: axis(high), lines }, { y: axis(1), lines: [] }];
      assertTextsApart(
        drawLines({ x: axis(2), panels, empty: "" }, width, 200),
      );
    }
    const bars = [-0.25, 0.5, 0.001, -0.001, NaN].map((value, at) => ({
      name: `CUSTOMER_ID_AVG_AMOUNT_${at}0DAY_WINDOW`,
      value,
      text: String(value),
      series: 0,
    }));
    assertTextsApart(drawBars(bars, width, "nothing", "number"));
  }
});

Deno.test("charts of nothing say so", () => {
  const empty = "There is nothing.";
  const series = [{ name: "", heights: [0, 0] }];
  const histogram = {
    xTitle: "",
    yTitle: "",
    from: 0,
    binWidth: 1,
    series,
    empty,
  };
  for (
    const drawing of [
      drawLines(
        { x: axis(1), panels: [{ y: axis(1), lines: [] }], empty },
        300,
        100,
      ),
      drawBars([], 300, empty, "number"),
      drawHistogram(histogram, 300, 100),
    ]
  ) assert.ok(markupOf(drawing.shapes).includes(empty));
});

function drawnLine(
  y: number[],
  partial: number[] = [],
): MarkupElement[] {
  const lines = [{ name: "", x: y.map((_, at) => at), y }];
  return shapesOf(drawLines(
    {
      x: axis(3),
      panels: [{ y: axis(1), lines }],
      partial: { at: partial, text: "not complete" },
      empty: "",
    },
    300,
    100,
  ));
}

const ofClass = (shapes: MarkupElement[], name: string) =>
  shapes.filter(({ attributes }) => attributes.get("class") === name);

Deno.test("drawLines() interrupts a line where a number is missing", () => {
  const [line] = ofClass(drawnLine([0, 0.5, NaN, 1, 0.5]), "s0 d0");
  assert.equal(line.attributes.get("d")?.match(/M/g)?.length, 2);
});

Deno.test("drawLines() draws each point that no line reaches as a dot", () => {
  for (const y of [[0.5], [NaN, 0.5, NaN, NaN], [0, NaN, 1, 0.5]]) {
    assert.equal(ofClass(drawnLine(y), "f0").length, 1, String(y));
  }
});

Deno.test("drawLines() draws what is partial hollow, with a dotted line to it, and says so", () => {
  const shapes = drawnLine([0, 0.5, 1, 0.2], [3]);
  // One in the chart and one in the legend.
  assert.equal(ofClass(shapes, "h0").length, 2);
  assert.equal(ofClass(shapes, "s0 partial").length, 1);
  assert.ok(shapes.some(({ text }) => text === "not complete"));
  const [line] = ofClass(shapes, "s0 d0");
  assert.equal(line.attributes.get("d")?.match(/[ML]/g)?.length, 3);
});

Deno.test("drawLines() marks what happened within its range, and its legend explains each sign once", () => {
  const marks = [0.5, 1, 2, 99].map((x) => {
    return { x, sign: "champion" as const, text: `version ${x}` };
  });
  const shapes = shapesOf(drawLines(
    {
      x: axis(3),
      panels: [
        { y: axis(1), lines: [{ name: "a", x: [0, 3], y: [0, 1] }] },
        { y: axis(1), lines: [{ name: "b", x: [0, 3], y: [0, 1] }] },
      ],
      marks,
      empty: "",
    },
    300,
    100,
  ));
  assert.equal(ofClass(shapes, "event").length, 3);
  assert.equal(ofClass(shapes, "sign").length, 4);
  const said = shapes.filter(({ text }) => text === "champion changed");
  assert.equal(said.length, 1);
});

Deno.test("isInReach() agrees with the simulator's search", () => {
  const terminals = handbookTerminals(500);
  const grid = new TerminalGrid(terminals, 5);
  for (const customer of handbookCustomers(50)) {
    const reached = terminals
      .filter((terminal) => isInReach({ customer, radius: 5 }, terminal))
      .map((terminal) => terminal.terminalId);
    assert.deepEqual(reached, [...grid.within(customer.x, customer.y)]);
  }
});

Deno.test("drawPlane() draws each terminal in reach as a dot, in both views, and thins out the others", () => {
  const terminals = handbookTerminals(10_000);
  const [customer] = handbookCustomers(1);
  const chart = { customer, terminals, radius: 5 };
  const inside = terminals.filter((terminal) => isInReach(chart, terminal));
  const shapes = shapesOf(drawPlane(chart, 620));
  const dots = shapes.filter(({ name, attributes }) => {
    return name === "circle" && attributes.get("class") === "f0";
  });
  assert.equal(dots.length, 2 * inside.length);
  const points = shapes.filter((one) => one.attributes.get("class") === "back")
    .map((one) => one.attributes.get("d")?.match(/M/g)?.length ?? 0);
  assert.ok(points[0] > 1000 && points[0] <= 2500, `${points[0]}`);
});

Deno.test("escapeText() leaves no character that markup would obey or XML refuse", () => {
  assert.equal(
    escapeText(`<a b="c">'&`),
    "&lt;a b=&quot;c&quot;&gt;&#39;&amp;",
  );
  assert.equal(escapeText("a\u0000b\ud800c"), "a\ufffdb\ufffdc");
  assert.equal(escapeText("é 😀 ÷"), "é 😀 ÷");
});

Deno.test("element() closes itself without children and rounds numbers", () => {
  assert.equal(element("a", { x: 1 / 3, y: undefined }), '<a x="0.33"/>');
  assert.equal(element("a", {}, "b", "c"), "<a>bc</a>");
  assert.deepEqual([round(-0.001), round(2.5)], ["0", "2.5"]);
});
