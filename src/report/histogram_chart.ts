/** Histograms: one distribution as bars, or two of different size laid over each other, each in shares of its total. */
import {
  countAxis,
  frameOf,
  type LegendEntry,
  numberAxis,
  shareAxis,
} from "../dashboard/page/frame.js";
import type { Tick, Write } from "../dashboard/page/scale.js";
import {
  type Drawing,
  emptyDrawing,
  round,
  type Shape,
  shape,
} from "../dashboard/page/shape.js";

/** Bins to be drawn. */
export interface BinSeries {
  /** Name for the legend. */
  readonly name: string;
  /** Height of each bin. */
  readonly heights: ArrayLike<number>;
}

/** What a histogram shows. */
export interface HistogramChart {
  /** Title of the horizontal axis, with its unit. */
  readonly xTitle: string;
  /** Title of the vertical axis. */
  readonly yTitle: string;
  /** Lower end of the first bin. */
  readonly from: number;
  /** Width of a bin. */
  readonly binWidth: number;
  /** The first is filled; a second is drawn as a line over it. */
  readonly series: readonly BinSeries[];
  /** Marks of the horizontal axis where round numbers do not suit. */
  readonly ticks?: readonly Tick[];
  /** How numbers on the horizontal axis are written; with commas by default. */
  readonly write?: Write;
  /** Whether heights are shares, written as percentages. */
  readonly shares?: boolean;
  /** What is said where there is nothing to draw. */
  readonly empty: string;
}

/** Draws a histogram. */
export function drawHistogram(
  chart: HistogramChart,
  width: number,
  plotHeight: number,
): Drawing {
  const { series, from, binWidth } = chart;
  const bins = series[0].heights.length;
  let highest = 0;
  for (const { heights } of series) {
    for (let at = 0; at < bins; at++) highest = Math.max(highest, heights[at]);
  }
  if (!(highest > 0)) return emptyDrawing(width, chart.empty);
  const { ticks } = chart;
  const range = [from, from + bins * binWidth] as const;
  const legend = series.length === 1 ? [] : series.map((one, at) => ({
    text: one.name,
    series: at,
    mark: at === 0 ? "area" : "outline",
  } satisfies LegendEntry));
  const frame = frameOf(width, plotHeight, {
    x: ticks
      ? { title: chart.xTitle, fit: () => ({ range, ticks }) }
      : numberAxis(chart.xTitle, range, chart.write),
    ys: [(chart.shares ? shareAxis : countAxis)(chart.yTitle, highest)],
  }, legend);
  const [{ y, bottom }] = frame.panels;
  const shapes = series.map(({ heights }, at) => {
    const place = (bin: number) => frame.x(from + bin * binWidth);
    const height = (bin: number) => y(heights[bin]);
    return at === 0
      ? bars(bins, place, height, bottom, series.length === 1)
      : steps(bins, place, height, bottom, at);
  });
  return { width, height: frame.height, shapes: [...frame.shapes, ...shapes] };
}

function bars(
  bins: number,
  place: (bin: number) => number,
  height: (bin: number) => number,
  bottom: number,
  alone: boolean,
): Shape {
  const gap = place(1) - place(0) > 4 ? 1 : 0;
  let path = "";
  for (let bin = 0; bin < bins; bin++) {
    const top = height(bin);
    if (bottom - top < 0.05) continue;
    const left = place(bin) + gap / 2;
    const right = place(bin + 1) - gap / 2;
    path += `M${round(left)} ${round(bottom)}V${round(top)}H${round(right)}V${
      round(bottom)
    }Z`;
  }
  return shape("path", { class: alone ? "f0" : "f0 soft", d: path });
}

function steps(
  bins: number,
  place: (bin: number) => number,
  height: (bin: number) => number,
  bottom: number,
  series: number,
): Shape {
  let path = `M${round(place(0))} ${round(bottom)}`;
  for (let bin = 0; bin < bins; bin++) {
    path += `V${round(height(bin))}H${round(place(bin + 1))}`;
  }
  return shape("path", {
    class: `s${series} thin`,
    d: `${path}V${round(bottom)}`,
  });
}
