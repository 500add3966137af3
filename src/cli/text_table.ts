/** Tables for the terminal: the first column to the left, the others to the right. */

/** The lines of a table, with a heading; a cell that is absent is empty. */
export function textTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [heading, ...rows];
  const widths = heading.map((_, column) => {
    return Math.max(...lines.map((cells) => (cells[column] ?? "").length));
  });
  return lines.map((cells) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return padded.join("  ").trimEnd() + "\n";
  }).join("");
}

/** A number with so many decimals, or a dash where there is none. */
export function decimals(value: number, digits = 3): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}
