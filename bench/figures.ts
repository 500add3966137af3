/** How the benchmarks print what they have measured. */

/** Prints a line on stdout. */
export function print(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

/** Says on stderr what is being done, so that stdout holds results alone. */
export function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
}

/** The one in the middle, the upper of two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** The least and the greatest, as 'min–max'; a single one as it is. */
export function range(
  values: readonly number[],
  format: (value: number) => string,
): string {
  const [min, max] = [Math.min(...values), Math.max(...values)].map(format);
  return min === max ? min : `${min}–${max}`;
}

/** A number with `digits` decimals and commas between the thousands. */
export function figure(value: number, digits: number = 0): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** Rows of cells, the first of which are the heads, as a Markdown table. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  const [head, ...body] = rows;
  return [head, rule, ...body].map(line).join("\n");
}
