/** The warnings of a command that only reads. */
import { openLogger, reportTo } from "../../base/logger.ts";
import type { LogReport } from "../../log/log.ts";

/** Returns a report that writes warnings to stderr. */
export function warnings(command: string): LogReport {
  const format = Deno.stderr.isTerminal() ? "text" : "json";
  return reportTo(openLogger(command, { format, level: "warning" }));
}
