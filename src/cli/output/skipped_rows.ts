/** What --skip-bad-rows left out, for people. */
import type { DayReader } from "../../files/day_reader.ts";
import { counted, thousands } from "./terminal.ts";

/** Lines with the number of rows left out, the reasons, and the first ones with their places; "" if there are none. */
export function skippedRows(
  { skippedRows, firstSkipped }: Pick<
    DayReader,
    "skippedRows" | "firstSkipped"
  >,
): string {
  let skipped = 0;
  for (const count of skippedRows.values()) skipped += count;
  if (skipped === 0) return "";
  const reasons = [...skippedRows].map(([reason, count]) => {
    return `${reason}: ${thousands(count)}`;
  });
  const rest = skipped - firstSkipped.length;
  const lines = [
    `skipped ${counted(skipped, "bad row")}; ${reasons.join(", ")}`,
    ...firstSkipped.map((row) => `  ${row}`),
    ...rest > 0 ? [`  and ${thousands(rest)} more`] : [],
  ];
  return lines.join("\n") + "\n";
}
