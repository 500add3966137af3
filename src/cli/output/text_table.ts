/** Tables for the terminal: words to the left, figures to the right. */
import { visible } from "./terminal.ts";

/** What a figure begins with, or a dash where there is none. */
const FIGURE = /^[-–+]?\d|^[-–]?$/;

/** The lines of a table, with a heading; a cell that is absent is empty. */
export function textTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [heading, ...rows].map((cells) => cells.map(visible));
  const widths = heading.map((_, column) => {
    return Math.max(...lines.map((cells) => (cells[column] ?? "").length));
  });
  const isWords = heading.map((_, column) =>
    column === 0 || rows.some((cells) => !FIGURE.test(cells[column] ?? ""))
  );
  return lines.map((cells) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return isWords[column] ? cell.padEnd(width) : cell.padStart(width);
    });
    return padded.join("  ").trimEnd() + "\n";
  }).join("");
}

/** A number with so many decimals, or a dash where there is none. */
export function decimals(value: number, digits = 3): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
