/**
 * Flags by environment variables: --local-dc is also FRAUDSTREAM_LOCAL_DC, and
 * so on. The flag wins. Only variables with that beginning are looked at, and
 * only where Deno grants it: without --allow-env there are none.
 */
import type { Command, Option } from "commander";
import { ConfigError } from "../../base/error.ts";

/** What the environment gives, by variable. */
export type Environment = (variable: string) => string | undefined;

/** The process's environment; what may not be read or is empty is not there. */
export function processEnvironment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  if (state !== "granted") return undefined;
  return Deno.env.get(variable) || undefined;
}

/** The variable of a flag: FRAUDSTREAM_LOCAL_DC of --local-dc. */
export function variableOf(flag: string): string {
  const words = flag.replace(/^--/, "").replaceAll("-", "_");
  return `FRAUDSTREAM_${words.toUpperCase()}`;
}

/**
 * Sets the options of a command that were not given as flags from the
 * environment, `instead` naming those that a flag makes needless (a --speedup
 * that was given leaves no room for FRAUDSTREAM_RATE). Throws ConfigError for
 * a value that the flag would refuse too, naming the variable.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function takeFromEnvironment(
  command: Command,
  options: readonly Option[],
  environment: Environment,
  instead: Readonly<Record<string, string>> = {},
): void {
  const given = (option: string) =>
    command.getOptionValueSource(option) === "cli";
  for (const option of options) {
    const name = option.attributeName();
    const taken = command.getOptionValueSource(name) === "env";
    if (option.long === undefined || given(name) || taken) continue;
    if (name in instead && given(instead[name])) continue;
    const variable = variableOf(option.long);
    const text = environment(variable);
    if (text === undefined) continue;
    const value = valueOf(option, text, variable);
    if (value === undefined) continue;
    command.setOptionValueWithSource(name, value, "env");
  }
}

/** What the text sets the option to; undefined for a switch that is off. */
function valueOf(option: Option, text: string, variable: string): unknown {
  if (option.negate || option.isBoolean()) {
    const on = isOn(text, variable);
    return on ? !option.negate : undefined;
  }
  if (!option.parseArg) return text;
  try {
    return option.parseArg(text, undefined);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new ConfigError(`${variable}: ${cause.message}`, { cause });
  }
}

function isOn(text: string, variable: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new ConfigError(
    `${variable} must be true or false, not '${text.slice(0, 60)}'`,
  );
}
