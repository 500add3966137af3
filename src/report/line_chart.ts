/** Lines over a common axis: counts by day, and the curves of a model. */
import { type Axis, emptyDrawing, frameOf } from "./chart_frame.ts";
import { type Drawing, element, round } from "./svg.ts";

/** A line. */
export interface Line {
  /** Name for the legend. */
  readonly name: string;
  /** Places along the horizontal axis, not descending. */
  readonly x: ArrayLike<number>;
  /** Heights; NaN interrupts the line. */
  readonly y: ArrayLike<number>;
}

/** What a line chart shows. */
export interface LineChart {
  /** The axes. */
  readonly axes: { readonly x: Axis; readonly y: Axis };
  /** Up to four lines. */
  readonly lines: readonly Line[];
  /** Lines of the kind that only guides the eye, from corner to corner: [x, y, x, y]. */
  readonly guides?: readonly (readonly [number, number, number, number])[];
  /** What is said where there is nothing to draw. */
  readonly empty: string;
}

/** Draws lines; a single point becomes a dot. */
export function drawLines(
  chart: LineChart,
  width: number,
  plotHeight: number,
): Drawing {
  const { lines, guides = [] } = chart;
  if (!lines.some(({ x }) => x.length > 0)) {
    return emptyDrawing(width, chart.empty);
  }
  const legend = lines.length < 2 ? [] : lines.map(({ name }, series) => {
    return { text: name, series, mark: "line" as const };
  });
  const frame = frameOf(width, plotHeight, chart.axes, legend);
  const place = (x: number, y: number) =>
    `${round(frame.x.place(x))} ${round(frame.y.place(y))}`;
  const shapes = [
    frame.shapes,
    ...guides.map(([x0, y0, x1, y1]) => {
      const d = `M${place(x0, y0)}L${place(x1, y1)}`;
      return element("path", { class: "axis d1", d });
    }),
    ...lines.map((line, series) => drawLine(line, series, place)).reverse(),
  ];
  return { width, height: frame.height, shapes: shapes.join("") };
}

function drawLine(
  { x, y }: Line,
  series: number,
  place: (x: number, y: number) => string,
): string {
  let path = "";
  let points = 0;
  let open = false;
  let before = "";
  for (let at = 0; at < x.length; at++) {
    if (Number.isNaN(y[at])) {
      open = false;
      continue;
    }
    const here = place(x[at], y[at]);
    // A point that looks like the one before is left out.
    if (open && here === before) continue;
    path += `${open ? "L" : "M"}${here}`;
    open = true;
    before = here;
    points++;
  }
  if (points === 0) return "";
  if (points === 1) {
    const [cx, cy] = path.slice(1).split(" ");
    return element("circle", { class: `f${series}`, cx, cy, r: 3.5 });
  }
  return element("path", { class: `s${series} d${series}`, d: path });
}
