/** The rows that were left out because they cannot be used, as text. */
import type { SkippedRows } from "../../files/payment_source.ts";
import { counted, thousands } from "./terminal.ts";

/** Lines with the number of rows left out, the reasons, and the first ones with their places; "" if there are none. */
export function skippedRows(
  { byReason, first, isByDefinition }: SkippedRows,
): string {
  let skipped = 0;
  for (const count of byReason.values()) skipped += count;
  if (skipped === 0) return "";
  const reasons = [...byReason].map(([reason, count]) => {
    return `${reason}: ${thousands(count)}`;
  });
  const rest = skipped - first.length;
  const lines = [
    (isByDefinition
      ? `rejected ${counted(skipped, "row")}`
      : `skipped ${counted(skipped, "bad row")}`) + `; ${reasons.join(", ")}`,
    ...first.map((row) => `  ${row}`),
    ...rest > 0 ? [`  and ${thousands(rest)} more`] : [],
  ];
  return lines.join("\n") + "\n";
}
