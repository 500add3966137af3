/**
 * SVG as text: elements, escaping, numbers of few digits, estimated widths of
 * text without a font, and the look that all figures share. Figures name
 * classes only; the page and the files each bring their colours.
 */

/** Attributes of an element; undefined ones are left out. */
export type Attributes = Readonly<
  Record<string, string | number | undefined>
>;

/** What XML cannot hold: most control characters, and halves of pairs. */
const UNSAYABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** Text with the characters escaped that mean something in HTML and XML; what XML cannot hold becomes the replacement character. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAYABLE, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/** An element; `children` are markup already. */
export function element(
  name: string,
  attributes: Attributes,
  ...children: readonly string[]
): string {
  let text = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    const shown = typeof value === "number" ? round(value) : value;
    text += ` ${key}="${escapeText(shown)}"`;
  }
  const content = children.join("");
  return content === "" ? `${text}/>` : `${text}>${content}</${name}>`;
}

/** A number of drawing units with at most 2 decimals. */
export function round(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return String(Object.is(rounded, -0) ? 0 : rounded);
}

/** Where a text stands beside its place. */
export type Anchor = "start" | "middle" | "end";

/** A text element; `className` may name several classes. */
export function label(
  text: string,
  x: number,
  y: number,
  className = "",
  anchor: Anchor = "start",
): string {
  return element("text", {
    x,
    y,
    class: className || undefined,
    "text-anchor": anchor === "start" ? undefined : anchor,
  }, escapeText(text));
}

/** Size of all text in figures. */
export const FONT_SIZE = 12;

/** About how wide a text is in the figures' font, rather more than less. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) {
    if (/[ijl.,:;'|!()/ ]/.test(char)) width += 0.32;
    else if (/[mwMW%@—…+−÷×]/.test(char)) width += 0.93;
    else if (/[A-Z_]/.test(char)) width += 0.68;
    else width += 0.64;
  }
  return width * FONT_SIZE;
}

/** The colours of one appearance, light or dark. */
export interface Theme {
  /** Behind everything. */
  readonly page: string;
  /** Behind figures and tables. */
  readonly surface: string;
  /** Text. */
  readonly ink: string;
  /** Text of less weight. */
  readonly muted: string;
  /** Grid lines and borders. */
  readonly grid: string;
  /** Axes. */
  readonly axis: string;
  /** Series: genuine payments are the first, frauds the second. */
  readonly series: readonly string[];
}

/** Colours on light ground. Blue, vermilion, green, purple: apart for all kinds of colour vision, by lightness too. */
export const LIGHT: Theme = {
  page: "#f5f6f8",
  surface: "#ffffff",
  ink: "#1b1f24",
  muted: "#59626d",
  grid: "#e3e6ea",
  axis: "#8b949e",
  series: ["#1f6fb8", "#c44e00", "#00735c", "#7b3fa0"],
};

/** Colours on dark ground. */
export const DARK: Theme = {
  page: "#101316",
  surface: "#191d21",
  ink: "#eceff3",
  muted: "#a9b2bd",
  grid: "#2e343b",
  axis: "#6f7985",
  series: ["#6cb2f5", "#ff9b5e", "#4ccfa9", "#cf9ff0"],
};

/** The rules of the classes that figures use, in the colours that `colour` gives for a name of the theme: a colour, or a variable of the page. */
export function figureRules(
  colour: (name: Exclude<keyof Theme, "series"> | number) => string,
): string {
  const rules = [
    `text{font-size:${FONT_SIZE}px;fill:${colour("muted")}}`,
    `.ink{fill:${colour("ink")}}`,
    ".strong{font-weight:600}",
    `.grid{stroke:${colour("grid")};stroke-width:1;fill:none}`,
    `.axis{stroke:${colour("axis")};stroke-width:1;fill:none}`,
    `.ground{fill:${colour("surface")}}`,
    `.back{fill:none;stroke:${
      colour("axis")
    };stroke-width:1.4;stroke-linecap:round}`,
  ];
  for (let at = 0; at < LIGHT.series.length; at++) {
    rules.push(
      `.f${at}{fill:${colour(at)}}`,
      `.s${at}{fill:none;stroke:${
        colour(at)
      };stroke-width:2;stroke-linejoin:round}`,
    );
  }
  rules.push(".soft{fill-opacity:.38}", ".thin{stroke-width:1.5}");
  for (const [at, dash] of DASHES.entries()) {
    if (dash !== "") rules.push(`.d${at}{stroke-dasharray:${dash}}`);
  }
  return rules.join("");
}

/** Dashes by series, so that lines differ without their colours. */
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

/** What is drawn, and how big. */
export interface Drawing {
  /** Width in drawing units, which are CSS pixels. */
  readonly width: number;
  /** Height in drawing units. */
  readonly height: number;
  /** Markup of the shapes. */
  readonly shapes: string;
}

/** What a figure says in words. */
export interface Wording {
  /** Unique in its page; letters, digits, - and _. */
  readonly id: string;
  /** A short title. */
  readonly title: string;
  /** What is seen, in sentences. */
  readonly description: string;
}

/** A drawing as an element of a page that has the classes' rules. */
export function inlineSvg(drawing: Drawing, wording: Wording): string {
  const { id, title, description } = wording;
  return element(
    "svg",
    {
      viewBox: `0 0 ${round(drawing.width)} ${round(drawing.height)}`,
      role: "img",
      "aria-labelledby": `${id}-t ${id}-d`,
    },
    element("title", { id: `${id}-t` }, escapeText(title)),
    element("desc", { id: `${id}-d` }, escapeText(description)),
    drawing.shapes,
  );
}

const TITLE_HEIGHT = 30;
const MARGIN = 12;

/** A drawing as a separate file, on light ground, with its title above. */
export function standaloneSvg(drawing: Drawing, wording: Wording): string {
  const width = drawing.width + 2 * MARGIN;
  const height = drawing.height + TITLE_HEIGHT + 2 * MARGIN;
  const rules = figureRules((name) => {
    return typeof name === "number" ? LIGHT.series[name] : LIGHT[name];
  });
  const { title, description } = wording;
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${round(width)} ${round(height)}`,
      role: "img",
      "font-family": "Inter, system-ui, sans-serif",
    },
    element("title", {}, escapeText(title)),
    element("desc", {}, escapeText(description)),
    element("style", {}, rules),
    element("rect", { class: "ground", width, height }),
    element(
      "text",
      { x: MARGIN, y: MARGIN + 14, class: "ink strong", "font-size": 15 },
      escapeText(title),
    ),
    element(
      "g",
      { transform: `translate(${MARGIN} ${MARGIN + TITLE_HEIGHT})` },
      drawing.shapes,
    ),
  ) + "\n";
}
