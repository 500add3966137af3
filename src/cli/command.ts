/**
 * Commands as data: name, texts, flags, and what it does. The parser's command,
 * its help and its environment variables are derived from that:
 * --local-dc is also FRAUDSTREAM_LOCAL_DC, and the flag wins.
 */
import { Command, Option } from "commander";
import { ConfigError } from "../base/error.ts";
import { type Environment, processEnvironment } from "./flags/environment.ts";
import {
  type Flag,
  type FlagGroup,
  flagHelp,
  flagName,
  type FlagValues,
  variableOf,
} from "./flags/flag.ts";

/** Where the value of an option came from: the command line or the environment. */
export type Source = "flag" | "variable";

/** A command of the program. `Options` is what its flags give. */
export interface CommandDeclaration<Options extends object = object> {
  /** Its name. */
  readonly name: string;
  /** One line about it, for the list of commands. */
  readonly summary: string;
  /** The description in its help. */
  readonly description: string;
  /** Its flags; the help has them in this order. */
  readonly flags: readonly FlagGroup[];
  /** The words that may follow the name, in their order: the key of each value among the options, and its help. */
  readonly operands?: readonly {
    readonly key: string;
    readonly help: string;
  }[];
  /** Whether the variables of all flags are read, not only of the groups that say so. */
  readonly environment?: true;
  /** Examples and other text at the end of the help. */
  readonly examples: string;
  /** Runs it. `sourceOf` returns where a value came from, by its key. */
  readonly run: (
    options: Options,
    sourceOf: (key: string) => Source | undefined,
  ) => void | Promise<void>;
}

/** The values of several groups together. */
export type GroupsValues<Groups extends readonly FlagGroup[]> = Groups extends
  readonly [
    infer First extends FlagGroup,
    ...infer Rest extends readonly FlagGroup[],
  ] ? FlagValues<First> & GroupsValues<Rest>
  : unknown;

/** Declares a command; `run` gets the values of its flags. */
export function defineCommand<const Groups extends readonly FlagGroup[]>(
  { run, ...command }:
    & Omit<CommandDeclaration, "run" | "flags">
    & { readonly flags: Groups }
    & Pick<CommandDeclaration<GroupsValues<Groups> & object>, "run">,
): CommandDeclaration {
  return {
    ...command,
    run: (options, sourceOf) =>
      run(options as GroupsValues<Groups> & object, sourceOf),
  };
}

/** The end of the help of commands that read variables. */
const ENVIRONMENT_HELP = `
Flags that say where the stream is, and all flags of run, may stand in the
environment instead: --log as FRAUDSTREAM_LOG, --local-dc as
FRAUDSTREAM_LOCAL_DC and so on; the flag wins.
`;

/**
 * Creates the parser's command for a declaration; the caller sets its parent.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function parserOf(
  declaration: CommandDeclaration,
  command: Command = new Command(declaration.name),
  environment: Environment = processEnvironment,
): Command {
  const { summary, description, flags, examples, run } = declaration;
  const { operands = [] } = declaration;
  command.summary(summary).description(description);
  for (const { key, help } of operands) command.argument(`[${key}]`, help);
  for (const group of flags) {
    if (group.title !== undefined) command.optionsGroup(`${group.title}:`);
    for (const [key, flag] of Object.entries(group.flags)) {
      command.addOption(optionOf(key, flag));
    }
  }
  const readsStream = flags.some((group) => group.environment);
  command.addHelpText("after", (readsStream ? ENVIRONMENT_HELP : "") + examples)
    .action(() => {
      for (const group of flags) {
        if (!group.environment && !declaration.environment) continue;
        takeFromEnvironment(command, group, environment);
      }
      const words = operands.slice(0, command.args.length)
        .map(({ key }, at) => [key, command.args[at]]);
      const given = Object.fromEntries(words);
      return run({ ...command.opts(), ...given }, (key) => {
        const source = command.getOptionValueSource(key);
        if (source === "cli") return "flag";
        return source === "env" ? "variable" : undefined;
      });
    });
  return command;
}

function optionOf(key: string, flag: Flag): Option {
  const { value, fallback, default: shown } = flag;
  const name = flagName(key, flag);
  const hasFallback = fallback !== undefined;
  const option = new Option(
    value === undefined ? name : `${name} ${value}`,
    hasFallback ? flag.help : flagHelp(flag),
  );
  // Of --no-x commander makes the opposite of --x, also where nobody means that.
  option.negate = flag.off ?? false;
  const { read } = flag;
  if (read) {
    // The value from an earlier call of the reader has its type.
    option.argParser((text, before) => read(text, name, before as never));
  }
  if (hasFallback) option.default(fallback, shown);
  return option;
}

/** Sets the options that were not given as flags from their variables. Throws ConfigError for a value that the flag would refuse too. */
function takeFromEnvironment(
  command: Command,
  { flags }: FlagGroup,
  environment: Environment,
): void {
  const given = (key: string) => command.getOptionValueSource(key) === "cli";
  for (const [key, flag] of Object.entries(flags)) {
    const { alternative } = flag;
    if (given(key) || alternative !== undefined && given(alternative)) continue;
    const name = flagName(key, flag);
    const text = environment(variableOf(name));
    const value = text && valueOf(flag, name, text);
    if (value === undefined || value === "") continue;
    command.setOptionValueWithSource(key, value, "env");
  }
}

/** The value that the text of its variable gives a flag; undefined for a switch that is off. */
function valueOf(flag: Flag, name: string, text: string): unknown {
  const variable = variableOf(name);
  if (flag.value === undefined) {
    return isOn(text, variable) ? !flag.off : undefined;
  }
  if (!flag.read) return text;
  try {
    return flag.read(text, name);
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
