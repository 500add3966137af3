/** Where a command that only looks says what is not as it should be. */
import { openLogger, reportTo } from "../../base/logger.ts";
import type { LogReport } from "../../log/log.ts";

/** Gives what tells of outages: warnings on stderr. */
export function warnings(command: string): LogReport {
  const format = Deno.stderr.isTerminal() ? "text" : "json";
  return reportTo(openLogger(command, { format, level: "warning" }));
}
