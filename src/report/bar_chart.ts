/** Horizontal bars, one a row: counts by scenario, correlations by feature. */
import { FONT_SIZE } from "../dashboard/page/palette.js";
import {
  type Drawing,
  emptyDrawing,
  label,
  round,
  type Shape,
  shape,
  textWidth,
} from "../dashboard/page/shape.js";

/** A row of the chart. */
export interface Bar {
  /** What it is. */
  readonly name: string;
  /** Its name in the data, beneath. */
  readonly under?: string | undefined;
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
/** What a name beneath another adds to a row. */
const UNDER_LINE = 14;

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
  const names = above ? 0 : Math.max(
    ...bars.map(({ name, under = "" }) => {
      return Math.max(textWidth(name), textWidth(under));
    }),
  );
  const texts = Math.max(...bars.map(({ text }) => textWidth(text))) + 8;
  const low = Math.min(0, ...bars.map(({ value }) => value || 0));
  const high = Math.max(0, ...bars.map(({ value }) => value || 0));
  const left = names + 10 + (low < 0 ? texts : 0);
  const right = width - texts;
  const unit = (right - left) / (high - low || 1);
  const zero = left - low * unit;
  const isDouble = bars.some(({ under }) => under !== undefined);
  // Above a bar stand the lines of its names, beside it one or two in its middle.
  const titles = bars.map(({ name }) => above ? wrapped(name, width) : [name]);
  const most = Math.max(...titles.map(({ length }) => length));
  const lines = above ? most * NAME_LINE + (isDouble ? UNDER_LINE : 0) : 0;
  const row = ROW + lines + (isDouble && !above ? UNDER_LINE : 0);
  const height = bars.length * row + 4;
  const shapes = bars.flatMap(({ under, value, text, series }, at) => {
    const top = at * row + lines + (row - lines - BAR) / 2;
    const base = top + BAR / 2 + FONT_SIZE / 3;
    const end = zero + (value || 0) * unit;
    return [
      ...nameLabels(at, base, titles[at], under),
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

  function nameLabels(
    at: number,
    base: number,
    title: readonly string[],
    under: string | undefined,
  ): Shape[] {
    const [x, side] = above ? [0, "start" as const] : [names, "end" as const];
    const half = under === undefined || above ? 0 : UNDER_LINE / 2;
    // Titles of fewer lines than others stand close to their bar.
    const missing = (most - title.length) * NAME_LINE;
    const first = above ? at * row + missing + NAME_LINE - 2 : base - half;
    const last = first + (title.length - 1) * NAME_LINE;
    return [
      ...title.map((text, line) =>
        label(text, x, first + line * NAME_LINE, "ink", side)
      ),
      ...under === undefined ? [] : [
        label(under, x, last + UNDER_LINE, "", side),
      ],
    ];
  }
}

/** A text as lines of at most a width, where its words allow that. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = [...lines.slice(-1), word].join(" ");
    if (lines.length > 0 && textWidth(longer) <= width) {
      lines[lines.length - 1] = longer;
    } else lines.push(word);
  }
  return lines;
}
