/** The rows that were left out because they cannot be used, and the keys that most payments lack, as text. */
import { keyName } from "../../features/declared_features.ts";
import type { MissingKey } from "../../features/missing_keys.ts";
import type { SkippedRows } from "../../files/payment_source.ts";
import { counted, thousands } from "../../base/counted.ts";

/** Lines with the number of rows left out, the reasons, and the first ones with their places, then the keys of features that most payments lack; "" if there are none. */
export function skippedRows(
  { byReason, first, isByDefinition, missingKeys = [] }: SkippedRows,
): string {
  let skipped = 0;
  for (const count of byReason.values()) skipped += count;
  if (skipped === 0) return missingKeysText(missingKeys);
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
  return lines.join("\n") + "\n" + missingKeysText(missingKeys);
}

/** A line for each key that most payments lack; "" for none. */
export function missingKeysText(keys: readonly MissingKey[]): string {
  return keys.map(({ feature, by, place, missing, payments }) =>
    (place ? `${place.file}:${place.line}:${place.column}: ` : "") +
    `${feature}: ${keyName(by)} has no value in ${thousands(missing)} of ` +
    `${counted(payments, "payment")}, which features of that key do not ` +
    "count; choose another key\n"
  ).join("");
}
