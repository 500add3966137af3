/**
 * Drawings as data, for the page and the report: elements of SVG, which the
 * page makes nodes of and the report text. Shapes name classes only; the
 * colours are in palette.js. Widths of text are estimated, without a font.
 */
import { FONT_SIZE } from "./palette.js";

/** @typedef {Readonly<Record<string, string | number | undefined>>} Attributes */

/**
 * An element of SVG; attributes that are undefined are left out.
 * @typedef {{
 *   readonly name: string,
 *   readonly attributes: Attributes,
 *   readonly children: readonly (Shape | string)[],
 * }} Shape
 */

/**
 * What is drawn, and how big, in drawing units: CSS pixels where the text has
 * FONT_SIZE of them.
 * @typedef {{
 *   readonly width: number,
 *   readonly height: number,
 *   readonly shapes: readonly Shape[],
 * }} Drawing
 */

/**
 * An element.
 * @param {string} name
 * @param {Attributes} attributes
 * @param {...(Shape | string)} children
 * @returns {Shape}
 */
export function shape(name, attributes, ...children) {
  return { name, attributes, children };
}

/**
 * A text; `className` may name several classes.
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} [className]
 * @param {"start" | "middle" | "end"} [anchor]
 */
export function label(text, x, y, className = "", anchor = "start") {
  return shape("text", {
    x,
    y,
    class: className || undefined,
    "text-anchor": anchor === "start" ? undefined : anchor,
  }, text);
}

/** A number of drawing units with at most 2 decimals. @param {number} value */
export function round(value) {
  const rounded = Math.round(value * 100) / 100;
  return String(Object.is(rounded, -0) ? 0 : rounded);
}

/** About how wide a text is, rather more than less. @param {string} text */
export function textWidth(text) {
  let width = 0;
  for (const char of text) {
    if (char > "\u2e7f") width += 1.05; // East Asian letters and emoji
    else if (/[ijl.,:;'|!()/ ]/.test(char)) width += 0.32;
    else if (/[mwMW%@—…+−÷×]/.test(char)) width += 0.93;
    else if (/[A-Z_]/.test(char)) width += 0.68;
    else width += 0.64;
  }
  return width * FONT_SIZE;
}

/**
 * Lines of text no wider than `width`, broken between words.
 * @param {string} text
 * @param {number} width
 */
export function textLines(text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) {
      lines[lines.length - 1] = longer;
    } else lines.push(word);
  }
  return lines;
}

/**
 * A drawing that says why there is nothing to draw.
 * @param {number} width
 * @param {string} reason
 * @returns {Drawing}
 */
export function emptyDrawing(width, reason) {
  const lines = textLines(reason, width - 16);
  return {
    width,
    height: 46 + 18 * lines.length,
    shapes: lines.map((line, at) => {
      return label(line, width / 2, 36 + 18 * at, "", "middle");
    }),
  };
}
