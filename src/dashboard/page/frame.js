/**
 * What charts have in common: axes with titles and units, grid, legend, and
 * the place between them for the data: one panel, or several below each other
 * on one horizontal axis.
 */
import { FONT_SIZE } from "./palette.js";
import {
  clockTicks,
  dayTicks,
  dayTitle,
  linear,
  numberTicks,
  shareTick,
  zeroTicks,
} from "./scale.js";
import { label, round, shape, textWidth } from "./shape.js";

/** @import { Range, Tick, Write } from "./scale.js" */
/** @import { Shape } from "./shape.js" */

/**
 * An axis: what it shows, with its unit, and from where to where it goes, with
 * ticks, where there is room for about `most` of them.
 * @typedef {{
 *   readonly title: string,
 *   readonly fit: (most: number) => { readonly range: Range, readonly ticks: readonly Tick[] },
 * }} Axis
 */

/**
 * What a legend says of a series: a line, dashed but for the first series; a
 * filled area; an outline, never dashed; a line to compare with; a hollow point;
 * or one of the signs below.
 * @typedef {{
 *   readonly text: string,
 *   readonly series: number,
 *   readonly mark: "line" | "area" | "outline" | "guide" | "partial" | Sign,
 * }} LegendEntry
 */

/** @typedef {{ readonly y: (value: number) => number, readonly top: number, readonly bottom: number }} Panel */

/**
 * The places for the data, and what is drawn around them.
 * @typedef {{
 *   readonly x: (value: number) => number,
 *   readonly panels: readonly Panel[],
 *   readonly height: number,
 *   readonly shapes: readonly Shape[],
 * }} Frame
 */

/** What happened to the stream, by its sign. @typedef {keyof typeof SIGNS} Sign */

/** Signs of what happened, as paths around their middle: triangle, diamond, square. */
const SIGNS = {
  champion: "m0 -5l5.5 9h-11Z",
  threshold: "m0 -5.5l5 5.5l-5 5.5l-5 -5.5Z",
  restart: "m-4 -4h8v8h-8Z",
};

const LINE_HEIGHT = 18;
const TICK_GAP = 8;
const SWATCH = 22;
const PANEL_GAP = 14;

/** Room of one tick along an axis. */
const TICK_WIDTH = 72;
const TICK_HEIGHT = 32;

/**
 * An axis of numbers from one to another.
 * @param {string} title
 * @param {Range} range
 * @param {Write} [write]
 * @returns {Axis}
 */
export function numberAxis(title, range, write) {
  const [low, high] = range;
  const fit = (/** @type {number} */ most) => {
    return { range, ticks: numberTicks(low, high, most, write) };
  };
  return { title, fit };
}

/**
 * An axis from 0 to a tick that is not below `highest`.
 * @param {string} title
 * @param {number} highest
 * @param {Write} [write]
 * @param {number} [least] the smallest step
 * @returns {Axis}
 */
export function zeroAxis(title, highest, write, least) {
  const fit = (/** @type {number} */ most) => {
    const ticks = zeroTicks(highest, most, write, least);
    const range = /** @type {const} */ ([0, ticks[ticks.length - 1].value]);
    return { range, ticks };
  };
  return { title, fit };
}

/** The same of counts. @param {string} title @param {number} highest */
export const countAxis = (title, highest) =>
  zeroAxis(title, highest, undefined, 1);

/** The same of shares. @param {string} title @param {number} [highest] */
export const shareAxis = (title, highest = 1) =>
  zeroAxis(title, highest, shareTick);

/**
 * An axis of days; `startSeconds` as in dayTicks().
 * @param {number | undefined} startSeconds
 * @param {number} first
 * @param {number} last
 * @returns {Axis}
 */
export function dayAxis(startSeconds, first, last) {
  return {
    title: dayTitle(startSeconds, first, last),
    fit: (most) => ({
      range: [first, last],
      ticks: dayTicks(startSeconds, first, last, most),
    }),
  };
}

/**
 * An axis of the reader's clock.
 * @param {number} from seconds since 1970
 * @param {number} to
 * @returns {Axis}
 */
export function clockAxis(from, to) {
  return {
    title: "time of the clock",
    fit: (most) => ({ range: [from, to], ticks: clockTicks(from, to, most) }),
  };
}

/**
 * Lays out a chart whose panels get `plotHeight` of height each.
 * @param {number} width
 * @param {number} plotHeight
 * @param {{ readonly x: Axis, readonly ys: readonly Axis[] }} axes
 * @param {readonly LegendEntry[]} [legend]
 * @returns {Frame}
 */
export function frameOf(width, plotHeight, { x, ys }, legend = []) {
  const fits = ys.map((y) => y.fit(plotHeight / TICK_HEIGHT));
  const widest = fits.flatMap(({ ticks }) => {
    return ticks.map(({ text }) => textWidth(text));
  });
  const left = Math.ceil(Math.max(8, ...widest) + 8);
  const right = Math.floor(width - 10);
  const head = legendOf(legend, width);
  const xFit = x.fit((right - left) / TICK_WIDTH);
  const xPlace = linear(xFit.range, [left, right]);
  let top = head.height;
  const panels = fits.map(({ range }, at) => {
    top += (at === 0 ? 0 : PANEL_GAP) + LINE_HEIGHT + 10;
    const bottom = top + plotHeight;
    const panel = { y: linear(range, [bottom, top]), top, bottom };
    top = bottom;
    return panel;
  });
  const bottom = top;
  const shapes = [
    ...head.shapes,
    ...panels.flatMap((panel, at) => [
      label(ys[at].title, 0, panel.top - 14),
      ...fits[at].ticks.flatMap(({ value, text }) =>
        yTick(panel.y(value), text)
      ),
      shape("path", {
        class: "axis",
        d: `M${left} ${half(panel.bottom)}H${right}`,
      }),
    ]),
    ...tickShapes(xFit.ticks, xPlace, { left, right, bottom, width }),
    ...x.title === "" ? [] : [titleOf(x.title, { left, right, bottom, width })],
  ];
  return {
    x: xPlace,
    panels,
    height: bottom + 42,
    shapes,
  };

  /** @param {number} at @param {string} text */
  function yTick(at, text) {
    return [
      shape("path", { class: "grid", d: `M${left} ${half(at)}H${right}` }),
      label(text, left - 6, at + FONT_SIZE / 3, "", "end"),
    ];
  }
}

/**
 * @typedef {{
 *   readonly left: number,
 *   readonly right: number,
 *   readonly bottom: number,
 *   readonly width: number,
 * }} Edges
 */

/** The title of the horizontal axis. @param {string} title @param {Edges} edges */
function titleOf(title, { left, right, bottom, width }) {
  const end = (left + right + textWidth(title)) / 2;
  return end > width
    ? label(title, width, bottom + 36, "", "end")
    : label(title, (left + right) / 2, bottom + 36, "", "middle");
}

/**
 * Ticks of the horizontal axis; those whose text would touch another's have none.
 * @param {readonly Tick[]} ticks
 * @param {(value: number) => number} place
 * @param {Edges} edges
 */
function tickShapes(ticks, place, { left, right, bottom, width }) {
  let free = -Infinity;
  return ticks.filter(({ value }) => {
    const at = place(value);
    return at > left - 1 && at < right + 1;
  }).flatMap(({ value, text }) => {
    const at = place(value);
    const tick = shape("path", {
      class: "axis",
      d: `M${half(at)} ${bottom}v5`,
    });
    const reach = textWidth(text) / 2;
    const middle = Math.min(Math.max(at, reach), width - reach);
    if (middle - reach < free) return [tick];
    free = middle + reach + TICK_GAP;
    return [tick, label(text, middle, bottom + 18, "", "middle")];
  });
}

/** Middle of the drawing unit that a line falls into, so that it is sharp. @param {number} place */
function half(place) {
  return String(Math.round(place - 0.5) + 0.5);
}

/**
 * The sign of something that happened.
 * @param {Sign} sign
 * @param {number} x
 * @param {number} y
 */
export function signOf(sign, x, y) {
  const d = `M${round(x)} ${round(y)}${SIGNS[sign]}`;
  return shape("path", { class: "sign", d });
}

/**
 * A swatch that begins at a place.
 * @param {LegendEntry} entry
 * @param {number} x
 * @param {number} y
 */
function swatchOf({ series, mark }, x, y) {
  switch (mark) {
    case "area":
      return shape("rect", {
        class: `f${series} soft`,
        x,
        y: y + 3,
        width: SWATCH,
        height: 11,
      });
    case "line":
    case "outline":
    case "guide": {
      const kind = {
        line: `s${series} d${series}`,
        outline: `s${series} thin`,
        guide: `axis d${series}`,
      }[mark];
      const d = `M${Math.round(x)} ${y + 8.5}h${SWATCH}`;
      return shape("path", { class: kind, d });
    }
    case "partial":
      return shape("circle", {
        class: `h${series}`,
        cx: x + SWATCH / 2,
        cy: y + 8.5,
        r: 3.5,
      });
    default:
      return signOf(mark, x + SWATCH / 2, y + 9);
  }
}

/**
 * The rows of a legend.
 * @param {readonly LegendEntry[]} entries
 * @param {number} width
 */
function legendOf(entries, width) {
  let x = 0;
  let y = 0;
  const shapes = entries.flatMap((entry) => {
    const wide = SWATCH + 6 + textWidth(entry.text);
    if (x > 0 && x + wide > width) {
      x = 0;
      y += LINE_HEIGHT;
    }
    const drawn = [
      swatchOf(entry, x, y),
      label(entry.text, x + SWATCH + 6, y + 13, "ink"),
    ];
    x += wide + 16;
    return drawn;
  });
  const height = entries.length === 0 ? 0 : y + LINE_HEIGHT + 4;
  return { shapes, height };
}
