/** Numbers, dates and choices from flags, with messages that name the flag. */
import { ConfigError } from "../error/error.ts";
import { parseDate } from "../transaction/calendar.ts";

/** A reader of a flag's value, as commander wants one. Throws ConfigError. */
export type FlagReader<T> = (text: string) => T;

/** Reads a whole number from `min` to `max`. */
export function wholeNumber(
  flag: string,
  min: number,
  max: number,
): FlagReader<number> {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new ConfigError(
      `${flag} must be a whole number from ${min} to ${max}, not ${show(text)}`,
    );
  };
}

/** Reads a number greater than 0 and at most `max`. */
export function positiveNumber(flag: string, max: number): FlagReader<number> {
  return (text) => {
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
export function dateFlag(flag: string): FlagReader<number> {
  return (text) => {
    const seconds = parseDate(text);
    if (seconds !== undefined) return seconds;
    throw new ConfigError(
      `${flag} must be a date like 2018-04-01, from year 0001 on, not ` +
        show(text),
    );
  };
}

/** Reads one of some words. */
export function oneOf<T extends string>(
  flag: string,
  words: readonly T[],
): FlagReader<T> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new ConfigError(
      `${flag} must be ${list(words)}, not ${show(text)}`,
    );
  };
}

/**
 * The value of a flag that a command can't do without; `example` completes
 * "for example: fraudstream …". Checked here and not by commander, which would
 * tell it before a mistyped flag, so that the mistyped flag goes unmentioned.
 */
export function requireFlag(
  flag: string,
  value: string | undefined,
  example: string,
): string {
  if (value !== undefined && value !== "") return value;
  throw new ConfigError(
    `${flag} is needed; for example: fraudstream ${example}`,
  );
}

function list(words: readonly string[]): string {
  if (words.length === 1) return words[0];
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

function show(text: string): string {
  return `'${text.length > 60 ? text.slice(0, 57) + "…" : text}'`;
}
