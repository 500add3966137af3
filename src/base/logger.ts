/**
 * Structured logs on stderr: a constant message, the data in fields. A pipe
 * gets one JSON object per line, a terminal gets readable text.
 */
import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";
import { asTyped, visible, visibleLines, writeError } from "./terminal_text.ts";

/** The log of a role. */
export interface Logger {
  /** Something worth knowing happened. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** Something is wrong; the work continues. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** The work cannot continue. */
  error(message: string, fields?: Record<string, unknown>): void;
}

/** How the logs are written. */
export interface LoggerOptions {
  /** One JSON object per line, or readable text. */
  readonly format: "json" | "text";
  /** Lowest level that is written. */
  readonly level: "info" | "warning";
  /** Writes a line, its newline included; by default to stderr. */
  readonly write?: (line: string) => void;
}

/** A callback that turns reports into log lines, for code without a logger. */
export function reportTo(
  logger: Logger,
): (
  level: "info" | "warning",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void {
  return (level, message, fields) => {
    if (level === "warning") logger.warn(message, fields);
    else logger.info(message, fields);
  };
}

/** Sets up this thread's logs and gives the logger of a role. */
export function openLogger(role: string, options: LoggerOptions): Logger {
  const formatted = options.format === "json" ? jsonLine : textLine;
  const { write = writeError } = options;
  configureSync({
    reset: true,
    sinks: { stderr: (record) => write(formatted(record)) },
    loggers: [
      {
        category: "fraudstream",
        lowestLevel: options.level,
        sinks: ["stderr"],
      },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger(["fraudstream", role]);
  return {
    info: (message, fields = {}) => logger.info(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}

function jsonLine(record: LogRecord): string {
  const json = JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    role: record.category[1],
    message: record.rawMessage,
    ...asTypedFields(record.properties),
  });
  return visibleLines(json) + "\n";
}

/** The fields, with commands as they are typed: quotes in them are escaped with the field's. */
function asTypedFields(
  fields: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === "string" ? asTyped(value) : value,
    ]),
  );
}

function textLine(record: LogRecord): string {
  const fields = Object.entries(record.properties).map(([key, value]) =>
    ` ${key}=${typeof value === "object" ? JSON.stringify(value) : value}`
  );
  const line = `${record.level} ${record.category[1]}: ${record.rawMessage}` +
    fields.join("");
  return visible(line) + "\n";
}
