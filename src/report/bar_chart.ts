/** Horizontal bars, one a row: counts by scenario, correlations by feature. */
import { FONT_SIZE } from "../dashboard/page/palette.js";
import {
  type Drawing,
  emptyDrawing,
  label,
  round,
  shape,
  textWidth,
} from "../dashboard/page/shape.js";

/** A row of the chart. */
export interface Bar {
  /** What it is. */
  readonly name: string;
  /** Its length; negative to the left, NaN for none. */
  readonly value: number;
  /** What is written at its end. */
  readonly text: string;
  /** Number of its colour. */
  readonly series: number;
}

const BAR = 16;
const ROW = 26;
const NAME_LINE = 17;

/** Below this width names stand above their bars. */
const NARROW = 480;

/** Draws bars from a common line, which lies within where some are negative; `title` says what their lengths are. */
export function drawBars(
  bars: readonly Bar[],
  width: number,
  empty: string,
  title: string,
): Drawing {
  if (bars.length === 0) return emptyDrawing(width, empty);
  const above = width < NARROW;
  const names = above
    ? 0
    : Math.max(...bars.map(({ name }) => textWidth(name)));
  const texts = Math.max(...bars.map(({ text }) => textWidth(text))) + 8;
  const low = Math.min(0, ...bars.map(({ value }) => value || 0));
  const high = Math.max(0, ...bars.map(({ value }) => value || 0));
  const left = names + 10 + (low < 0 ? texts : 0);
  const right = width - texts;
  const unit = (right - left) / (high - low || 1);
  const zero = left - low * unit;
  const row = above ? ROW + NAME_LINE : ROW;
  const height = bars.length * row + 4;
  const shapes = bars.flatMap(({ name, value, text, series }, at) => {
    const top = at * row + (above ? NAME_LINE : 0) + (ROW - BAR) / 2;
    const base = top + BAR / 2 + FONT_SIZE / 3;
    const end = zero + (value || 0) * unit;
    return [
      above
        ? label(name, 0, at * row + NAME_LINE - 2, "ink")
        : label(name, names, base, "ink", "end"),
      shape("rect", {
        class: `f${series}`,
        x: Math.min(zero, end),
        y: top,
        width: Math.max(Math.abs(end - zero), value === 0 ? 0 : 1),
        height: BAR,
      }),
      value < 0
        ? label(text, end - 6, base, "", "end")
        : label(text, end + 6, base),
    ];
  });
  const line = shape("path", {
    class: "axis",
    d: `M${round(zero)} 0V${round(height)}`,
  });
  const below = label(title, 0, height + 16);
  return { width, height: height + 22, shapes: [...shapes, line, below] };
}
