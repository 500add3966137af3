/**
 * The colours, the font and the dashes of every chart, and of the pages that
 * they stand on: the one list of them, for the live page and for the report.
 */

/** Size of the text of charts, in drawing units. */
export const FONT_SIZE = 12;

/** The font of pages and of figures in them. */
export const FONT =
  `system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;

/**
 * The colours of one appearance: behind everything, behind charts and tables,
 * of text, of text of less weight, of grids and borders, of axes, and of the
 * series. Payments and genuine payments are the first series, frauds and
 * alerts the second.
 * @typedef {{
 *   readonly ground: string,
 *   readonly panel: string,
 *   readonly ink: string,
 *   readonly muted: string,
 *   readonly line: string,
 *   readonly edge: string,
 *   readonly series: readonly string[],
 * }} Theme
 */

/**
 * On light ground. Blue, vermilion, green, purple: apart for all kinds of
 * colour vision, by lightness too.
 * @type {Theme}
 */
export const LIGHT = {
  ground: "#f4f6f9",
  panel: "#ffffff",
  ink: "#141a22",
  muted: "#545f70",
  line: "#d9dfe8",
  edge: "#7d8899",
  series: ["#1f6fb8", "#c44e00", "#00735c", "#7b3fa0"],
};

/** On dark ground. @type {Theme} */
export const DARK = {
  ground: "#0d1117",
  panel: "#161b23",
  ink: "#e9edf3",
  muted: "#a3adbc",
  line: "#2a323f",
  edge: "#6d7889",
  series: ["#6cb2f5", "#ff9b5e", "#4ccfa9", "#cf9ff0"],
};

/** Dashes by series, so that lines differ without their colours. */
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

/** The name of a series' colour, and of the variable that has it. @param {number} series */
export const seriesName = (series) => `series-${series}`;

/** Colours of a theme by name. @param {Theme} theme @returns {Record<string, string>} */
export function coloursOf({ series, ...named }) {
  const entries = series.map((colour, at) => [seriesName(at), colour]);
  return { ...named, ...Object.fromEntries(entries) };
}

/** A theme, and the font, as custom properties of CSS. @param {Theme} theme */
export function variablesOf(theme) {
  return Object.entries({ font: FONT, ...coloursOf(theme) })
    .map(([name, value]) => `--${name}:${value}`).join(";");
}

/**
 * The rules of the classes that charts use, below `scope`; `colour` gives a
 * colour, or a variable of the page, for a name of coloursOf().
 * @param {string} scope "" or a selector and a space
 * @param {(name: string) => string} colour
 */
export function chartRules(scope, colour) {
  const rules = [
    `text{font-size:${FONT_SIZE}px;fill:${colour("muted")}}`,
    `.ink{fill:${colour("ink")}}`,
    ".strong{font-weight:600}",
    `.grid{stroke:${colour("line")};stroke-width:1;fill:none}`,
    `.axis{stroke:${colour("edge")};stroke-width:1;fill:none}`,
    `.ground{fill:${colour("panel")}}`,
    `.back{fill:none;stroke:${
      colour("edge")
    };stroke-width:1.4;stroke-linecap:round}`,
    `.event{fill:none;stroke:${colour("muted")};stroke-dasharray:1 3}`,
    `.sign{fill:${colour("ink")}}`,
    `.here{fill:none;stroke:${colour("ink")};stroke-dasharray:4 3}`,
    `.spot{fill:${colour("ink")}}`,
    ...LIGHT.series.flatMap((_, at) => {
      const own = colour(seriesName(at));
      const line = `fill:none;stroke:${own};stroke-width:2`;
      return [
        `.f${at}{fill:${own}}`,
        `.s${at}{${line};stroke-linejoin:round}`,
        `.h${at}{${line};fill:${colour("panel")}}`,
        ...DASHES[at] === "" ? [] : [`.d${at}{stroke-dasharray:${DASHES[at]}}`],
      ];
    }),
    ".soft{fill-opacity:.38}",
    ".thin{stroke-width:1.5}",
    ".partial{stroke-dasharray:0.1 4;stroke-linecap:round}",
  ];
  return rules.map((rule) => scope + rule).join("\n");
}

/** The value of a colour's property in CSS. @param {string} name */
export const variable = (name) => `var(--${name})`;

/** Colours, font and charts of the live page as CSS, with the page's switch of the theme. */
export function chartStyle() {
  return [
    `:root{${variablesOf(LIGHT)}}`,
    `@media (prefers-color-scheme:dark){:root:not([data-theme="light"]){${
      variablesOf(DARK)
    }}}`,
    `:root[data-theme="dark"]{${variablesOf(DARK)}}`,
    chartRules(".chart ", variable),
    "",
  ].join("\n");
}
