/** What the charts have in common: axes with titles and units, grid, legend, and the place between them for the data. */
import { type Scale, scaleOf, type Tick } from "./scale.ts";
import { element, FONT_SIZE, label, textWidth } from "./svg.ts";

/** An axis: what it shows, from where to where. */
export interface Axis {
  /** What it shows, with its unit. */
  readonly title: string;
  /** First and last number. */
  readonly range: readonly [low: number, high: number];
  /** Marks. */
  readonly ticks: readonly Tick[];
}

/** What a legend says of a series. */
export interface LegendEntry {
  /** Name of the series. */
  readonly text: string;
  /** Number of its colour, and of its dashes. */
  readonly series: number;
  /** How it is drawn: a line, dashed but for the first series; a filled area; an outline, never dashed. */
  readonly mark: "line" | "area" | "outline";
}

/** The place for the data, and what is drawn around it. */
export interface Frame {
  /** Scale of the horizontal axis. */
  readonly x: Scale;
  /** Scale of the vertical axis. */
  readonly y: Scale;
  /** Place of the left, top, right and bottom edge. */
  readonly left: number;
  /** Top edge. */
  readonly top: number;
  /** Right edge. */
  readonly right: number;
  /** Bottom edge. */
  readonly bottom: number;
  /** Height of the whole drawing. */
  readonly height: number;
  /** Grid, ticks, titles and legend. */
  readonly shapes: string;
}

const LINE_HEIGHT = 18;
const TICK_GAP = 8;
const SWATCH = 22;

/** Lays out a chart whose data get `plotHeight` of height. */
export function frameOf(
  width: number,
  plotHeight: number,
  axes: { readonly x: Axis; readonly y: Axis },
  legend: readonly LegendEntry[] = [],
): Frame {
  const widest = axes.y.ticks.map(({ text }) => textWidth(text));
  const left = Math.ceil(Math.max(8, ...widest) + 8);
  const right = width - 10;
  const legendRows = layLegend(legend, width);
  const head = legendRows.height + LINE_HEIGHT;
  const top = head + 10;
  const bottom = top + plotHeight;
  const x = scaleOf(axes.x.range, [left, right], axes.x.ticks);
  const y = scaleOf(axes.y.range, [bottom, top], axes.y.ticks);
  const titleEnd = (left + right + textWidth(axes.x.title)) / 2;
  const shapes = [
    legendRows.shapes,
    label(axes.y.title, 0, head - 4),
    ...y.ticks.flatMap(({ value, text }) => {
      const at = y.place(value);
      return [
        element("path", { class: "grid", d: `M${left} ${half(at)}H${right}` }),
        label(text, left - 6, at + FONT_SIZE / 3, "", "end"),
      ];
    }),
    ...xTicks(x, left, right, bottom, width),
    element("path", { class: "axis", d: `M${left} ${half(bottom)}H${right}` }),
    titleEnd > width
      ? label(axes.x.title, width, bottom + 36, "", "end")
      : label(axes.x.title, (left + right) / 2, bottom + 36, "", "middle"),
  ];
  return {
    x,
    y,
    left,
    top,
    right,
    bottom,
    height: bottom + 42,
    shapes: shapes.join(""),
  };
}

/** Ticks of the horizontal axis; those whose text would touch another's have none. */
function xTicks(
  x: Scale,
  left: number,
  right: number,
  bottom: number,
  width: number,
): string[] {
  let free = -Infinity;
  return x.ticks.filter(({ value }) => {
    const at = x.place(value);
    return at > left - 1 && at < right + 1;
  }).flatMap(({ value, text }) => {
    const at = x.place(value);
    const tick = element("path", {
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

/** Middle of the drawing unit that a line falls into, so that it is sharp. */
function half(place: number): string {
  return String(Math.round(place - 0.5) + 0.5);
}

function layLegend(
  entries: readonly LegendEntry[],
  width: number,
): { shapes: string; height: number } {
  let x = 0;
  let y = 0;
  const shapes = entries.map(({ text, series, mark }) => {
    const wide = SWATCH + 6 + textWidth(text);
    if (x > 0 && x + wide > width) {
      x = 0;
      y += LINE_HEIGHT;
    }
    const swatch = mark === "area"
      ? element("rect", {
        class: `f${series} soft`,
        x,
        y: y + 3,
        width: SWATCH,
        height: 11,
      })
      : element("path", {
        class: mark === "line" ? `s${series} d${series}` : `s${series} thin`,
        d: `M${Math.round(x)} ${y + 8.5}h${SWATCH}`,
      });
    const shape = swatch + label(text, x + SWATCH + 6, y + 13, "ink");
    x += wide + 16;
    return shape;
  });
  const height = entries.length === 0 ? 0 : y + LINE_HEIGHT + 4;
  return { shapes: shapes.join(""), height };
}

/** A drawing that says why there is nothing to draw. */
export function emptyDrawing(
  width: number,
  reason: string,
): { width: number; height: number; shapes: string } {
  const height = 64;
  const x = width / 2;
  return { width, height, shapes: label(reason, x, 36, "", "middle") };
}
