/**
 * SVG as text: elements, escaping, and figures, in a page that has the rules of
 * their classes or as separate files.
 */
import {
  chartRules,
  coloursOf,
  FONT_SIZE,
  LIGHT,
} from "../dashboard/page/palette.js";
import {
  type Attributes,
  type Drawing,
  round,
  type Shape,
  textLines,
} from "../dashboard/page/shape.js";

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

/** Shapes as markup. */
export function markupOf(shapes: readonly Shape[]): string {
  return shapes.map(({ name, attributes, children }) => {
    return element(
      name,
      attributes,
      ...children.map((child) => {
        return typeof child === "string"
          ? escapeText(child)
          : markupOf([child]);
      }),
    );
  }).join("");
}

/** What a figure says in words. */
export interface Wording {
  /** Unique in its page; letters, digits, - and _. */
  readonly id: string;
  /** A short title. */
  readonly title: string;
  /** The name in the data of what is shown, where the title is not it. */
  readonly name?: string | undefined;
  /** What is seen, in sentences. */
  readonly description: string;
  /** What is not drawn, or not complete, in sentences. */
  readonly leftOut?: string | undefined;
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
    markupOf(drawing.shapes),
  );
}

const MARGIN = 12;
const TITLE_SIZE = 15;
const TITLE_LINE = 20;
const NOTE_LINE = 16;

/** Sentences are narrower than textWidth() says, which is made for short texts with capitals. */
const SENTENCE_SHARE = 1.1;

/** Lines of text, the first of which stands at `y`. */
function textBlock(
  lines: readonly string[],
  y: number,
  line: number,
  attributes: Attributes,
): string {
  return lines.map((text, at) => {
    const place = { x: MARGIN, y: y + at * line };
    return element("text", { ...place, ...attributes }, escapeText(text));
  }).join("");
}

/**
 * A drawing as a separate file, on light ground, complete on its own: its title
 * above, and below it what is left out and `source`, where the data are from.
 */
export function standaloneSvg(
  drawing: Drawing,
  wording: Wording,
  source: string,
): string {
  const { title, name, description, leftOut = "" } = wording;
  const titles = textLines(title, drawing.width * FONT_SIZE / TITLE_SIZE);
  const notes = [leftOut, `Source: ${source}`].flatMap((text) => {
    return textLines(text, drawing.width * SENTENCE_SHARE);
  });
  const names = textLines(name ?? "", drawing.width);
  const namesAt = MARGIN + 14 + (titles.length - 1) * TITLE_LINE + 18;
  const top = namesAt - 4 + names.length * NOTE_LINE;
  const notesAt = top + drawing.height + 18;
  const width = drawing.width + 2 * MARGIN;
  const height = notesAt + (notes.length - 1) * NOTE_LINE + MARGIN;
  const colours = coloursOf(LIGHT);
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
    element("desc", {}, escapeText(`${description} ${leftOut}`.trim())),
    element("style", {}, chartRules("", (name) => colours[name])),
    element("rect", { class: "ground", width, height }),
    textBlock(titles, MARGIN + 14, TITLE_LINE, {
      class: "ink strong",
      // The rule of the class would win over an attribute.
      style: `font-size:${TITLE_SIZE}px`,
    }),
    textBlock(names, namesAt, NOTE_LINE, {}),
    element(
      "g",
      { transform: `translate(${MARGIN} ${round(top)})` },
      markupOf(drawing.shapes),
    ),
    textBlock(notes, notesAt, NOTE_LINE, {}),
  ) + "\n";
}
