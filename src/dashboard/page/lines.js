/**
 * Lines over a common axis: counts by day or second, the curves of a model.
 * What cannot be compared on one axis has panels below each other.
 */
import { frameOf, signOf } from "./frame.js";
import { emptyDrawing, round, shape } from "./shape.js";

/** @import { Axis, Frame, LegendEntry, Sign } from "./frame.js" */
/** @import { Drawing, Shape } from "./shape.js" */

/**
 * A line: its name for the legend, places along the horizontal axis, not
 * descending, and heights; NaN interrupts it.
 * @typedef {{
 *   readonly name: string,
 *   readonly x: ArrayLike<number>,
 *   readonly y: ArrayLike<number>,
 * }} Line
 */

/** Something that happened: its place on the horizontal axis, and what it was. @typedef {{ readonly x: number, readonly sign: Sign, readonly text: string }} Mark */

/** A place on both axes. @typedef {readonly [x: number, y: number]} Point */

/**
 * What a chart of lines shows. Up to four lines have their own colour and
 * dashes, counted through all panels. Places that are `partial` are drawn
 * hollow, since their numbers are not complete; the guide is a line to compare
 * with in the first panel; `here` is one place that is pointed out in it.
 * @typedef {{
 *   readonly x: Axis,
 *   readonly panels: readonly { readonly y: Axis, readonly lines: readonly Line[] }[],
 *   readonly partial?: { readonly at: readonly number[], readonly text: string } | undefined,
 *   readonly marks?: readonly Mark[] | undefined,
 *   readonly guide?: { readonly from: Point, readonly to: Point, readonly text: string } | undefined,
 *   readonly here?: { readonly x: number, readonly y?: number } | undefined,
 *   readonly empty: string,
 * }} LineChart
 */

/** What the signs mean, for legends. @type {Readonly<Record<Sign, string>>} */
const SIGN_TEXTS = {
  champion: "champion changed",
  threshold: "threshold changed",
  restart: "restart",
};

/**
 * Draws lines in panels of `plotHeight` each. A point that no line reaches is
 * a dot.
 * @param {LineChart} chart
 * @param {number} width
 * @param {number} plotHeight
 * @returns {Drawing}
 */
export function drawLines(chart, width, plotHeight) {
  const { x, panels, guide, here } = chart;
  if (!panels.some(({ lines }) => lines.some((line) => line.x.length > 0))) {
    return emptyDrawing(width, chart.empty);
  }
  const [low, high] = x.fit(1).range;
  const marks = (chart.marks ?? []).filter((mark) => {
    return mark.x >= low && mark.x <= high;
  });
  const axes = { x, ys: panels.map(({ y }) => y) };
  const frame = frameOf(width, plotHeight, axes, legendOf(chart, marks));
  const partial = new Set(chart.partial?.at);
  const [first] = frame.panels;
  /** @type {Shape[]} */
  const shapes = [...frame.shapes, ...marks.map((mark) => markOf(mark, frame))];
  if (guide) {
    const [from, to] = [guide.from, guide.to].map(([x, y]) => {
      return `${round(frame.x(x))} ${round(first.y(y))}`;
    });
    shapes.push(shape("path", { class: "axis d1", d: `M${from}L${to}` }));
  }
  let series = 0;
  for (const [at, { lines }] of panels.entries()) {
    const { y } = frame.panels[at];
    // The first line is the most important, so it is drawn last.
    shapes.push(
      ...lines.map((line) => {
        return lineShapes(line, series++, frame.x, y, partial);
      }).reverse().flat(),
    );
  }
  if (here) shapes.push(...hereShapes(here, frame));
  return { width, height: frame.height, shapes };
}

/** @param {LineChart} chart @param {readonly Mark[]} marks */
function legendOf({ panels, partial, guide }, marks) {
  /** @type {LegendEntry[]} */
  const entries = [];
  let series = 0;
  for (const { lines } of panels) {
    for (const { name } of lines) {
      const entry = { text: name, series: series++, mark: "line" };
      // A panel's title names its only line.
      if (lines.length > 1) entries.push(/** @type {LegendEntry} */ (entry));
    }
  }
  if (guide) entries.push({ text: guide.text, series: 1, mark: "guide" });
  const isDrawn = partial?.at.some((at) => {
    return panels.some(({ lines }) => {
      return lines.some(({ x }) => Array.prototype.includes.call(x, at));
    });
  });
  if (partial && isDrawn) {
    entries.push({ text: partial.text, series: 0, mark: "partial" });
  }
  for (const sign of new Set(marks.map(({ sign }) => sign))) {
    entries.push({ text: SIGN_TEXTS[sign], series: 0, mark: sign });
  }
  return entries;
}

/**
 * The dots and paths of a line.
 * @param {Line} line
 * @param {number} series
 * @param {(value: number) => number} xPlace
 * @param {(value: number) => number} yPlace
 * @param {ReadonlySet<number>} partial
 */
function lineShapes({ x, y }, series, xPlace, yPlace, partial) {
  /** @type {Shape[]} */
  const dots = [];
  /** @param {number} at */
  const isThere = (at) => at >= 0 && at < x.length && !Number.isNaN(y[at]);
  /** Whether the line goes on to the next point in full. @param {number} at */
  const isWhole = (at) =>
    isThere(at) && isThere(at + 1) && !partial.has(x[at]) &&
    !partial.has(x[at + 1]);
  let whole = "";
  let dotted = "";
  let before = "";
  for (let at = 0; at < x.length; at++) {
    if (!isThere(at)) continue;
    const [cx, cy] = [round(xPlace(x[at])), round(yPlace(y[at]))];
    const here = `${cx} ${cy}`;
    if (isWhole(at - 1)) {
      // A point that looks like the one before is left out.
      if (here !== before) whole += `L${here}`;
    } else {
      if (isThere(at - 1)) dotted += `M${before}L${here}`;
      if (isWhole(at)) whole += `M${here}`;
      else {
        const kind = partial.has(x[at]) ? "h" : "f";
        dots.push(
          shape("circle", { class: `${kind}${series}`, cx, cy, r: 3.5 }),
        );
      }
    }
    before = here;
  }
  /** @param {string} kind @param {string} d */
  const path = (kind, d) =>
    d === "" ? [] : [shape("path", { class: `s${series} ${kind}`, d })];
  return [...path("partial", dotted), ...path(`d${series}`, whole), ...dots];
}

/** A line through all panels with its sign at the top. @param {Mark} mark @param {Frame} frame */
function markOf({ x, sign, text }, { x: place, panels }) {
  const at = place(x);
  const [top, bottom] = [panels[0].top, panels[panels.length - 1].bottom];
  return shape(
    "g",
    {},
    shape("title", {}, text),
    shape("path", { class: "event", d: `M${round(at)} ${top}V${bottom}` }),
    signOf(sign, at, top + 1),
  );
}

/** @param {NonNullable<LineChart["here"]>} here @param {Frame} frame */
function hereShapes({ x, y }, { x: place, panels }) {
  const at = round(place(x));
  const { top } = panels[0];
  const { bottom } = panels[panels.length - 1];
  const line = shape("path", { class: "here", d: `M${at} ${top}V${bottom}` });
  if (y === undefined) return [line];
  const cy = round(panels[0].y(y));
  return [line, shape("circle", { class: "spot", cx: at, cy, r: 5 })];
}
