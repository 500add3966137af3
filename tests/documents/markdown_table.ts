/** Tables in generated pages. */

/** A table whose columns line up, with a newline at its end. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = [head, ...rows].map((row) =>
    row.map((text) => text.replaceAll("|", "\\|"))
  );
  const widths = head.map((_, at) =>
    Math.max(3, ...cells.map((row) => row[at].length))
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((text, at) => text.padEnd(widths[at])).join(" | ")} |\n`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  const [first, ...others] = cells;
  return line(first) + rule + others.map(line).join("");
}
