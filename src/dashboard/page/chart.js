/** Line charts by uPlot, in the colours of the page and with words beside them. */
import { afterPaint, h } from "./dom.js";

/**
 * A line of a chart.
 * @typedef {{
 *   label: string,
 *   colour: string,
 *   text: (value: number) => string,
 *   dash?: number[],
 *   scale?: "right",
 * }} Line
 */

/**
 * What draws and closes a chart.
 * @typedef {ReturnType<typeof lineChart>} LineChart
 */

// From a separate script, which is not a module.
const { uPlot } =
  /** @type {{ uPlot: typeof import("uplot/dist/uPlot.d.ts") }} */ (
    /** @type {unknown} */ (globalThis)
  );

/** A colour of the page's design. @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue(`--${name}`).trim();
}

const FONT = "12px system-ui, sans-serif";
/** Distances between the days that an axis names. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** @param {number} seconds */
function clockTime(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

/**
 * A chart of lines over time or numbers. `series` are {label, colour, scale,
 * dash}; `axes` say how the two axes write their numbers.
 * @param {{
 *   label: string,
 *   time: "clock" | "day",
 *   series: readonly Line[],
 *   axes: {
 *     x?: string,
 *     y: (value: number) => string,
 *     right?: (value: number) => string,
 *   },
 *   height?: number,
 *   cursor?: boolean,
 * }} options
 */
export function lineChart({ label, time, series, axes, height = 180, cursor }) {
  const frame = h("div", { class: "chart", role: "img", "aria-label": label });
  /** @type {InstanceType<typeof uPlot> | undefined} */
  let plot;
  /** @type {import("uplot/dist/uPlot.d.ts").AlignedData} */
  let data = [[]];
  /** @type {"empty" | "waiting" | "closed"} */
  let state = "empty";
  const width = () => Math.max(240, frame.clientWidth);
  const build = () => {
    plot?.destroy();
    const ink = colour("muted");
    const { right } = axes;
    const grid = { stroke: colour("line"), width: 1 };
    plot = new uPlot(
      {
        width: width(),
        height,
        cursor: { show: cursor ?? true, drag: { x: false, y: false } },
        legend: { show: true, live: cursor ?? true },
        scales: { x: { time: time === "clock" } },
        series: [
          { label: time === "clock" ? "Time" : axes.x ?? "Day" },
          ...series.map((line) => ({
            label: line.label,
            scale: line.scale ?? "y",
            stroke: colour(line.colour),
            width: 2,
            ...line.dash && { dash: line.dash },
            points: { show: false },
            /** @param {unknown} _ @param {number | null | undefined} value */
            value: (_, value) =>
              value === null || value === undefined ? "–" : line.text(value),
          })),
        ],
        axes: [
          {
            stroke: ink,
            grid,
            ticks: grid,
            font: FONT,
            ...time === "clock"
              ? { values: (_, values) => values.map(clockTime) }
              : { incrs: WHOLE_STEPS },
          },
          {
            scale: "y",
            stroke: ink,
            grid,
            ticks: grid,
            font: FONT,
            size: 56,
            values: (_, values) => values.map(axes.y),
          },
          ...right
            ? [{
              scale: "right",
              side: /** @type {const} */ (1),
              stroke: ink,
              grid: { show: false },
              ticks: grid,
              font: FONT,
              size: 56,
              /** @param {unknown} _ @param {number[]} values */
              values: (_, values) => values.map(right),
            }]
            : [],
        ],
      },
      data,
      frame,
    );
  };
  const observer = new ResizeObserver(() => {
    if (plot) plot.setSize({ width: width(), height });
  });
  observer.observe(frame);
  const onTheme = () => plot && build();
  document.addEventListener("themechange", onTheme);
  return {
    element: frame,
    /**
     * Draws columns: x, then one a series; `words` say the same.
     * @param {[x: number[], ...series: (number | null)[][]]} columns
     * @param {string} words
     */
    draw(columns, words) {
      data = columns;
      if (plot) plot.setData(data);
      else if (state === "empty") {
        state = "waiting";
        afterPaint(() => state === "waiting" && build());
      }
      frame.setAttribute("aria-label", `${label}. ${words}`);
    },
    close() {
      state = "closed";
      observer.disconnect();
      document.removeEventListener("themechange", onTheme);
      plot?.destroy();
    },
  };
}
