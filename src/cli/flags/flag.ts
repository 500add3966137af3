/**
 * Flags as data: each is declared once, with its help, its reader, its default
 * and what it needs. From the declarations come the parser's options, the
 * reading of environment variables, the types of what was given, the check
 * "has no effect without", and docs/FLAGS.md.
 */
import { ConfigError } from "../../base/error.ts";

/**
 * Reads the text given with a flag, whose name is for messages; `before` is
 * what a repeated flag gave before. Throws ConfigError.
 */
export type FlagReader<T> = (text: string, flag: string, before?: T) => T;

/** A flag. Its name is its key in the group: localDc is --local-dc. */
export interface Flag {
  /** The placeholder of its value in the help, such as <n>; a flag without one is a switch. */
  readonly value?: string;
  /** Its help, without its default. */
  readonly help: string;
  /** Reads its value, which is the text itself otherwise. */
  readonly read?: (text: string, flag: string, before?: never) => unknown;
  /** Its default, as text for the help. */
  readonly default?: string;
  /** The value that a command gets without it; `default` is its text. */
  readonly fallback?: unknown;
  /** Whether it switches off what its key names: labels is --no-labels. */
  readonly off?: true;
  /** The flag without which it has no effect: --log, or --log=kafka. */
  readonly needs?: string;
  /** An environment variable that may hold the content of the file that the flag names. */
  readonly instead?: string;
  /** Key of a flag that, given on the command line, makes this one's variable unnecessary. */
  readonly alternative?: string;
}

/** Flags that belong together. */
export interface FlagGroup {
  /** Title in the help; a group without one is among the options. */
  readonly title?: string;
  /** What its flags have no effect without. */
  readonly needs?: string;
  /** Whether every command that takes them reads their variables. */
  readonly environment?: true;
  /** The flags by their keys. */
  readonly flags: Readonly<Record<string, Flag>>;
}

/** What a flag gives. */
export type FlagValue<F> = F extends { read: (...given: never[]) => infer T }
  ? T
  : F extends { value: string } ? string
  : boolean;

/** The keys of flags that have a fallback. */
export type KeysWithFallback<F> = {
  [K in keyof F]: F[K] extends { fallback: unknown } ? K : never;
}[keyof F];

/** The values of a group's flags, by key; flags that were not given and have no fallback are absent. */
export type FlagValues<G extends FlagGroup> =
  & {
    readonly [K in Exclude<keyof G["flags"], KeysWithFallback<G["flags"]>>]?:
      FlagValue<G["flags"][K]>;
  }
  & {
    readonly [K in KeysWithFallback<G["flags"]>]: FlagValue<G["flags"][K]>;
  };

/** The flag of a key: --local-dc of localDc, --no-labels of labels. */
export function flagName(key: string, { off }: Flag = { help: "" }): string {
  const words = key.replaceAll(/[A-Z]/g, (letter) => {
    return `-${letter.toLowerCase()}`;
  });
  return `--${off ? "no-" : ""}${words}`;
}

/** The variable of a flag: FRAUDSTREAM_LOCAL_DC of --local-dc. */
export function variableOf(flag: string): string {
  const words = flag.replace(/^--/, "").replaceAll("-", "_");
  return `FRAUDSTREAM_${words.toUpperCase()}`;
}

/** The flags of a group that were given, by name: only those that differ from their default. */
export function givenFlags(group: FlagGroup, options: object): string[] {
  const values: Readonly<Record<string, unknown>> = { ...options };
  return Object.entries(group.flags)
    .filter(([key, flag]) => isGiven(values[key], flag))
    .map(([key, flag]) => flagName(key, flag));
}

function isGiven(value: unknown, { off, fallback }: Flag): boolean {
  // A --no-labels that was not given has true, or what --labels gave.
  if (off) return value === false;
  return value !== undefined && value !== fallback;
}

/** Throws ConfigError if a flag was given without the flag that it, or its group, needs. */
export function checkNeeds(group: FlagGroup, options: object): void {
  for (const [key, flag] of Object.entries(group.flags)) {
    for (const needs of [group.needs, flag.needs]) {
      if (needs === undefined || isMet(needs, options)) continue;
      refuseGiven({ ...group, flags: { [key]: flag } }, options, needs);
    }
  }
}

function isMet(needs: string, options: object): boolean {
  const [flag, value] = needs.split("=", 2);
  const key = flag.slice(2).replaceAll(/-(.)/g, (_, letter) => {
    return letter.toUpperCase();
  });
  const values: Readonly<Record<string, unknown>> = { ...options };
  return value === undefined
    ? values[key] !== undefined
    : values[key] === value;
}

/** Throws ConfigError if a flag of a group was given, which has no effect without something else. */
export function refuseGiven(
  group: FlagGroup,
  options: object,
  needs: string,
  advice = "add that",
): void {
  const [flag] = givenFlags(group, options);
  if (flag === undefined) return;
  const named = group.environment ? `${flag} (or ${variableOf(flag)})` : flag;
  throw new ConfigError(
    `${named} has no effect without ${needs}; ${advice} or leave ${flag} out`,
  );
}

/** A flag's help, with its default and its variable where it has them. */
export function flagHelp({ help, default: shown, instead }: Flag): string {
  return [
    help,
    ...instead === undefined ? [] : [`(or ${instead})`],
    ...shown === undefined ? [] : [`(default: ${shown})`],
  ].join(" ");
}
