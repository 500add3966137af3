/**
 * Charts on the page: the shared drawings as SVG that fills its place, in the
 * colours of the page, with words beside them.
 */
import { clockAxis, countAxis, dayAxis, shareAxis, zeroAxis } from "./frame.js";
import { afterPaint, count, h, percent } from "./dom.js";
import { drawLines } from "./lines.js";
import { FONT_SIZE } from "./palette.js";
import { clockTime, isoDay } from "./scale.js";
import { round } from "./shape.js";

/** @import { LineChart as Lines, Mark } from "./lines.js" */
/** @import { Drawing, Shape } from "./shape.js" */

/**
 * What draws and closes a chart of lines.
 * @typedef {ReturnType<typeof lineChart>} LineChart
 */

/** What a line measures: it decides how its numbers are written. @typedef {keyof typeof MEASURES} Measure */

/**
 * One of the panels below each other: its title, with the unit, what it
 * measures, and its lines.
 * @typedef {{
 *   title: string,
 *   measure: Measure,
 *   lines: readonly string[],
 * }} Panel
 */

/**
 * What a chart of lines shows: places along the axis (seconds since 1970 or
 * days), then one column per line, null where nothing is known; the days that
 * are not complete yet; midnight of day 0; and what happened.
 * @typedef {{
 *   x: readonly number[],
 *   columns: readonly (readonly (number | null)[])[],
 *   partial?: readonly number[] | undefined,
 *   startSeconds?: number | undefined,
 *   marks?: readonly Mark[] | undefined,
 * }} LineData
 */

const MEASURES = {
  count: { text: count, axis: countAxis },
  share: { text: percent, axis: shareAxis },
  score: {
    text: (/** @type {number} */ value) => value.toFixed(4),
    axis: zeroAxis,
  },
};

const SVG = "http://www.w3.org/2000/svg";
/** Height of a panel with others, and of one alone: as high as two. */
const PANEL_HEIGHT = 108;
const ALONE_HEIGHT = 250;
/** Part of the page's text size that the text of charts has. */
const TEXT_SHARE = 0.8;

/** A colour of the page's design. @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(`--${name}`).trim();
}

/** A shape as a node. @param {Shape} shape */
function nodeOf({ name, attributes, children }) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    node.setAttribute(key, typeof value === "number" ? round(value) : value);
  }
  node.append(
    ...children.map((child) =>
      typeof child === "string" ? child : nodeOf(child)
    ),
  );
  return node;
}

/** Pixels of a drawing unit: the text grows with the text of the page. */
function unitPixels() {
  const { fontSize } = getComputedStyle(document.documentElement);
  return Math.max(1, parseFloat(fontSize) * TEXT_SHARE / FONT_SIZE);
}

/**
 * A place that a drawing fills, whatever its width; it is drawn again when
 * that changes.
 * @param {string} label what it shows
 */
export function chart(label) {
  const image = document.createElementNS(SVG, "svg");
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", label);
  const element = h("div", { class: "chart" }, image);
  /** @type {((width: number) => Drawing) | undefined} */
  let draw;
  /** @type {"new" | "waiting" | "open" | "closed"} */
  let state = "new";
  const redraw = () => {
    if (!draw || state !== "open") return;
    const units = Math.max(240, element.clientWidth / unitPixels());
    const { width, height, shapes } = draw(units);
    image.setAttribute("viewBox", `0 0 ${round(width)} ${round(height)}`);
    image.replaceChildren(...shapes.map(nodeOf));
  };
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  return {
    element,
    image,
    /**
     * Draws it; `words` say the same.
     * @param {(width: number) => Drawing} drawing
     * @param {string} words
     */
    show(drawing, words) {
      draw = drawing;
      image.setAttribute("aria-label", `${label}. ${words}`);
      if (state !== "new") return redraw();
      state = "waiting";
      afterPaint(() => {
        if (state !== "waiting") return;
        state = "open";
        redraw();
      });
    },
    close() {
      state = "closed";
      observer.disconnect();
    },
  };
}

/** A height that suits a width of drawing units. @param {number} width */
export const suitedHeight = (width) =>
  Math.min(380, Math.max(180, Math.round(width * 0.55)));

/**
 * A chart of lines over the clock or over event days. Below it stand the
 * numbers under the pointer, else the newest.
 * @param {{
 *   label: string,
 *   time: "clock" | "day",
 *   empty: string,
 *   panels: readonly Panel[],
 * }} options
 */
export function lineChart({ label, time, empty, panels }) {
  const { element, image, show, close } = chart(label);
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  element.append(readout);
  const lines = panels.flatMap(({ lines, measure }) => {
    return lines.map((name) => ({ name, measure }));
  });
  /** @type {LineData} */
  let data = { x: [], columns: [] };
  /** @type {number | undefined} where the pointer is, as a share of the chart's width */
  let pointer;
  const readOut = () => {
    const at = pointer === undefined ? data.x.length - 1 : nearest(pointer);
    if (at < 0) return readout.replaceChildren();
    const x = data.x[at];
    const when = time === "clock" ? clockTime(x) : isoDay(data.startSeconds, x);
    const partial = data.partial?.includes(x) ? ", not complete" : "";
    readout.replaceChildren(
      h("b", {}, when + partial),
      ...lines.map(({ name, measure }, line) => {
        const value = data.columns[line][at];
        const text = value === null ? "–" : MEASURES[measure].text(value);
        return ` · ${name} ${text}`;
      }),
    );
  };
  /** The number of the place nearest to a share of the width. @param {number} share */
  const nearest = (share) => {
    const grid = image.querySelector(".axis")?.getBoundingClientRect();
    const whole = image.getBoundingClientRect();
    const { x } = data;
    if (!grid || x.length === 0) return x.length - 1;
    const place = (share * whole.width + whole.left - grid.left) / grid.width;
    const wanted = x[0] + place * (x[x.length - 1] - x[0]);
    return x.reduce((best, value, at) => {
      return Math.abs(value - wanted) < Math.abs(x[best] - wanted) ? at : best;
    }, 0);
  };
  image.addEventListener("pointermove", (event) => {
    const { left, width } = image.getBoundingClientRect();
    pointer = (event.clientX - left) / width;
    readOut();
  });
  image.addEventListener("pointerleave", () => {
    pointer = undefined;
    readOut();
  });
  return {
    element,
    /** Draws the data; `words` say the same. @param {LineData} given @param {string} words */
    draw(given, words) {
      data = given;
      const drawn = linesOf(given, { time, empty, panels });
      const height = panels.length > 1 ? PANEL_HEIGHT : ALONE_HEIGHT;
      show((width) => drawLines(drawn, width, height), words);
      readOut();
    },
    close,
  };
}

/**
 * @param {LineData} data
 * @param {Omit<Parameters<typeof lineChart>[0], "label">} options
 * @returns {Lines}
 */
function linesOf(data, { time, empty, panels }) {
  const { x, columns, partial, startSeconds, marks } = data;
  const [first, last] = [x[0] ?? 0, x[x.length - 1] ?? 0];
  let column = 0;
  return {
    x: time === "clock"
      ? clockAxis(first, last)
      : dayAxis(startSeconds, first, last),
    panels: panels.map(({ title, measure, lines }) => {
      const drawn = lines.map((name) => {
        return { name, x, y: columns[column++].map((value) => value ?? NaN) };
      });
      const highest = drawn.reduce((most, { y }) => {
        return y.reduce((a, b) => b > a ? b : a, most);
      }, 0);
      return { y: MEASURES[measure].axis(title, highest), lines: drawn };
    }),
    partial: partial && { at: partial, text: "day not complete" },
    // What happens on the last day stands at it, not beyond the axis.
    marks: marks?.filter((mark) => mark.x < last + 1)
      .map((mark) => ({ ...mark, x: Math.min(mark.x, last) })),
    empty,
  };
}
