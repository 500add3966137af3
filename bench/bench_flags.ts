/** The flags of the benchmarks: `--name=value`, read once, refused if unknown. */
import { parseArgs } from "node:util";

/** What a flag can be, and what it is if it is not given. */
type FlagValue = string | number | boolean;

const EXIT_WRONG_USE = 2;

/**
 * The flags of this program's command line, whose defaults say which there are
 * and whether each is text, a number, or true where it stands. A flag that is
 * unknown or no number ends the program with exit code 2.
 */
export function readFlags<T extends Readonly<Record<string, FlagValue>>>(
  defaults: T,
): { [K in keyof T]: Widened<T[K]> } {
  try {
    return flagsOf(Deno.args, defaults);
  } catch (error) {
    const known = Object.keys(defaults).map((name) => `--${name}`).join(", ");
    const line = `${(error as Error).message} (there are ${known})\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(line));
    Deno.exit(EXIT_WRONG_USE);
  }
}

/** The type of a value, not the value itself. */
type Widened<V> = V extends string ? string
  : V extends number ? number
  : boolean;

function flagsOf<T extends Readonly<Record<string, FlagValue>>>(
  args: string[],
  defaults: T,
): { [K in keyof T]: Widened<T[K]> } {
  const kinds = Object.entries(defaults).map(([name, value]) => {
    const type = typeof value === "boolean" ? "boolean" : "string";
    return [name, { type } as const] as const;
  });
  const { values } = parseArgs({ args, options: Object.fromEntries(kinds) });
  const flags = Object.entries(defaults).map(([name, value]) => {
    const given = values[name];
    if (given === undefined) return [name, value];
    if (typeof value !== "number") return [name, given];
    const number = given === "" ? NaN : Number(given);
    if (number >= 0) return [name, number];
    throw new Error(`--${name} must be a number, not '${given}'`);
  });
  return Object.fromEntries(flags);
}
