/** Numbers, dates and choices from flags, with messages that name the flag. */
import { ConfigError } from "../../base/error.ts";
import { formatDuration, parseDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { FlagReader } from "./flag.ts";

/** Reads a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): FlagReader<number> {
  return (text, flag) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new ConfigError(
      `${flag} must be a whole number from ${min} to ${max}, not ${show(text)}`,
    );
  };
}

/** Reads a number greater than 0 and at most `max`. */
export function positiveNumber(max: number): FlagReader<number> {
  return (text, flag) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
      ? Number(text)
      : NaN;
    if (value > 0 && value <= max) return value;
    throw new ConfigError(
      `${flag} must be a number greater than 0 and at most ${max}, not ` +
        show(text),
    );
  };
}

/** Reads a date 'YYYY-MM-DD' as its midnight in seconds since 1970. */
export function readDate(text: string, flag: string): number {
  const seconds = parseDate(text);
  if (seconds !== undefined) return seconds;
  throw new ConfigError(
    `${flag} must be a date like 2018-04-01, from year 0001 on, not ` +
      show(text),
  );
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: DAY_SECONDS,
};

/** Longest duration, so that sums of times stay below 2^31. */
const DURATION_MAX = 3650 * DAY_SECONDS;

/** Reads a time like 90s, 30m, 1h or 7d as seconds, at least `min`. */
export function duration(min = 0): FlagReader<number> {
  return (text, flag) => {
    const match = /^(\d{1,9})([smhd])$/.exec(text);
    const seconds = match ? Number(match[1]) * UNITS[match[2]] : NaN;
    if (seconds >= min && seconds <= DURATION_MAX) return seconds;
    const from = min > 0 ? `from ${formatDuration(min)} ` : "";
    throw new ConfigError(
      `${flag} must be a time like 90s, 30m, 1h or 7d, ${from}up to 3650d, ` +
        `not ${show(text)}`,
    );
  };
}

/** Reads a comma list of servers, host:port, or host alone where the port is optional. */
export function serverList(
  port: "needed" | "optional",
): FlagReader<string[]> {
  const form = port === "needed" ? "host:port" : "host or host:port";
  return (text, flag) => {
    const servers = text.split(",").map((server) => server.trim());
    const wrong = servers.find((server) => !isServer(server, port));
    if (wrong === undefined) return servers;
    const advice = wrong.includes("[") || wrong.split(":").length > 2
      ? " (IPv6 addresses are not taken: give a name)"
      : "";
    throw new ConfigError(
      `${flag} must be a comma list of ${form}, not ${show(wrong)}${advice}`,
    );
  };
}

function isServer(text: string, port: "needed" | "optional"): boolean {
  const match = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})(?::(\d{1,5}))?$/.exec(
    text,
  );
  if (!match) return false;
  const number = match[2];
  if (number === undefined) return port === "optional";
  return Number(number) >= 1 && Number(number) <= 65_535;
}

/** Reads one of some words. */
export function oneOf<const T extends string>(
  words: readonly T[],
): FlagReader<T> {
  return (text, flag) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new ConfigError(
      `${flag} must be ${list(words)}, not ${show(text)}`,
    );
  };
}

/** Reads a comma list of some words, each once, in the order of `words`. */
export function someOf<const T extends string>(
  words: readonly T[],
): FlagReader<T[]> {
  return (text, flag) => {
    const given = text.split(",").map((word) => word.trim());
    const wrong = given.find((word) => !words.some((known) => known === word));
    if (wrong === undefined) {
      return words.filter((word) => given.includes(word));
    }
    throw new ConfigError(
      `${flag} must be a comma list of ${list(words)}, not ${show(wrong)}`,
    );
  };
}

/**
 * The value of a flag that a command can't do without; `example` completes "for
 * example: fraudstream …". Checked here and not by commander, which would
 * report it before a mistyped flag, so that the mistyped flag goes unmentioned.
 */
export function requireFlag(
  flag: string,
  value: string | undefined,
  example: string,
): string {
  if (value !== undefined && value !== "") return value;
  throw new ConfigError(
    `${flag} is needed; for example: ./fraudstream ${example}`,
  );
}

function list(words: readonly string[]): string {
  if (words.length === 1) return words[0];
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

function show(text: string): string {
  return `'${text.length > 60 ? text.slice(0, 57) + "…" : text}'`;
}
