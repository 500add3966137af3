/** Tables for the terminal: words to the left, numbers to the right. */
import { visible } from "./terminal_text.ts";

/** What a number begins with, or a dash where there is none. */
const NUMBER = /^[-–+]?\d|^[-–]?$/;

/**
 * The lines of a table, with a heading; a cell that is absent is empty. A
 * column of numbers is one where every cell is a number or a dash, or that
 * `numbers` names whatever stands in it; the first column is words.
 */
export function textTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const isNumbers = (column: number) =>
    numbers.includes(column) ||
    column > 0 && rows.every((cells) => NUMBER.test(cells[column] ?? ""));
  const columns = [...heading.keys()].filter(isNumbers);
  return textLines([heading, ...rows], columns)
    .map((line) => `${line}\n`).join("");
}

/** Rows as lines whose columns line up: those that `numbers` names to the right, the others to the left. */
export function textLines(
  rows: readonly (readonly string[])[],
  numbers: readonly number[],
): string[] {
  const lines = rows.map((cells) => cells.map(visible));
  const columns = Math.max(0, ...lines.map((cells) => cells.length));
  const widths = Array.from({ length: columns }, (_, column) => {
    return Math.max(...lines.map((cells) => (cells[column] ?? "").length));
  });
  return lines.map((cells) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return numbers.includes(column)
        ? cell.padStart(width)
        : cell.padEnd(width);
    });
    return padded.join("  ").trimEnd();
  });
}

/** A number with this many decimals, or a dash for NaN. */
export function decimals(value: number, digits = 3): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
