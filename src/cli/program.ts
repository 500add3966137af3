/**
 * The command line: which commands there are, how errors are printed, and the
 * exit code. 0: done; 1: failed; 2: wrong use. Nothing else prints errors.
 */
import { Command, CommanderError } from "commander";
import {
  ConfigError,
  DataError,
  LogError,
  ModelError,
  StoreError,
} from "../base/error.ts";
import { type CommandDeclaration, parserOf } from "./command.ts";
import { OutputClosedError } from "../base/output_file.ts";
import { AUDIT_COMMAND } from "./commands/audit.ts";
import { SHADOW_COMMAND } from "./commands/shadow.ts";
import { BACKTEST_COMMAND } from "./commands/backtest.ts";
import { BACKUP_COMMAND } from "./commands/backup.ts";
import { CHECK_COMMAND } from "./commands/check.ts";
import { DEAD_LETTERS_COMMAND } from "./commands/dead_letters.ts";
import { DIFF_COMMAND } from "./commands/diff.ts";
import { EVALUATE_COMMAND } from "./commands/evaluate.ts";
import { EXPORT_COMMAND } from "./commands/export.ts";
import { FEATURES_COMMAND } from "./commands/features.ts";
import { GENERATE_COMMAND } from "./commands/generate.ts";
import { IMPORT_COMMAND } from "./commands/import.ts";
import { INIT_COMMAND } from "./commands/init.ts";
import { MODELS_COMMAND } from "./commands/models.ts";
import { REBUILD_COMMAND } from "./commands/rebuild.ts";
import { REPORT_COMMAND } from "./commands/report.ts";
import { RUN_COMMAND } from "./commands/run.ts";
import { SCHEMA_COMMAND } from "./commands/schema.ts";
import { SCORE_COMMAND } from "./commands/score.ts";
import { SELECT_COMMAND } from "./commands/select.ts";
import { StoppedError } from "./signals.ts";
import { STATUS_COMMAND } from "./commands/status.ts";
import { CONNECTION_FLAGS } from "./flags/connection_flags.ts";
import { processEnvironment } from "./flags/environment.ts";
import { type Flag, flagName } from "./flags/flag.ts";
import {
  setTypedCommands,
  shellWord,
  type TypedCommands,
} from "../base/terminal_text.ts";
import { asTyped, writeError, writeResult } from "./output/terminal.ts";
import { versionText } from "./version.ts";
import { READY_COMMAND } from "./commands/ready.ts";
import { TOKEN_COMMAND } from "./commands/token.ts";
import { TOPICS_COMMAND } from "./commands/topics.ts";
import { LABEL_COMMAND } from "./commands/label.ts";
import { VERDICTS_COMMAND } from "./commands/verdicts.ts";
import { TRAIN_COMMAND } from "./commands/train.ts";

/** All commands, as the help lists them. */
export const COMMANDS: readonly CommandDeclaration[] = [
  RUN_COMMAND,
  STATUS_COMMAND,
  MODELS_COMMAND,
  EXPORT_COMMAND,
  DIFF_COMMAND,
  BACKUP_COMMAND,
  REBUILD_COMMAND,
  TOPICS_COMMAND,
  SCHEMA_COMMAND,
  DEAD_LETTERS_COMMAND,
  VERDICTS_COMMAND,
  LABEL_COMMAND,
  TOKEN_COMMAND,
  READY_COMMAND,
  INIT_COMMAND,
  CHECK_COMMAND,
  IMPORT_COMMAND,
  GENERATE_COMMAND,
  FEATURES_COMMAND,
  SCORE_COMMAND,
  EVALUATE_COMMAND,
  TRAIN_COMMAND,
  SELECT_COMMAND,
  REPORT_COMMAND,
  BACKTEST_COMMAND,
  SHADOW_COMMAND,
  AUDIT_COMMAND,
];

const HELP_COLUMNS = 80;

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const EXIT_WRONG_USE = 2;

/** The command if none is named. */
const DEFAULT_COMMAND = "run";

const DEBUG_FLAG = "--debug";

/** Runs the program with the arguments after its name; returns the exit code. Never throws. */
export async function runProgram(args: string[]): Promise<number> {
  const program = buildProgram();
  try {
    const asked = withoutHelpOfNothing(program, args);
    const known = withoutUnknownValues(program, withCommand(program, asked));
    setTypedCommands(typedCommands(known));
    await program.parseAsync(known, { from: "user" });
    return EXIT_DONE;
  } catch (error) {
    return tell(error, args.includes(DEBUG_FLAG));
  }
}

/** How the next commands for the stream of these arguments are typed: by the same program, with the given flags that say where the stream is. */
function typedCommands(args: readonly string[]): TypedCommands {
  const places = new Map(
    CONNECTION_FLAGS.flatMap(({ flags }) => flagsByName(flags)),
  );
  const given = args.flatMap((arg, at) => {
    const [name] = arg.split("=", 1);
    const flag = places.get(name);
    if (flag === undefined) return [];
    if (flag.value === undefined) return [{ name, text: name }];
    const value = arg === name ? args[at + 1] : arg.slice(name.length + 1);
    return [{ name, text: `${name}=${shellWord(value ?? "")}` }];
  });
  return {
    program: Deno.build.standalone
      ? "fraudstream"
      : processEnvironment("FRAUDSTREAM_COMMAND") ?? "./fraudstream",
    flagsOf: (command) => {
      const groups = COMMANDS.find(({ name }) => name === command)?.flags ?? [];
      const known = new Map(groups.flatMap(({ flags }) => flagsByName(flags)));
      return given.filter(({ name }) => known.has(name))
        .map(({ text }) => text);
    },
  };
}

function flagsByName(
  flags: Readonly<Record<string, Flag>>,
): (readonly [string, Flag])[] {
  return Object.entries(flags)
    .map(([key, flag]) => [flagName(key, flag), flag] as const);
}

/**
 * The program with all its commands.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function buildProgram(): Command {
  const program = new Command("fraudstream");
  // All settings come before the commands, which inherit them.
  program
    .description(
      "Simulates card payments, streams them, turns them into features over " +
        "sliding windows, exactly, and stores them.",
    )
    .version(versionText(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .option(DEBUG_FLAG, "print the stack trace of an error")
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => writeResult(asTyped(text)),
      writeErr: writeError,
      outputError: (message) => writeError(errorLine(withHint(message))),
      // Otherwise read from process.env, which needs a permission.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => HELP_COLUMNS,
      getErrHelpWidth: () => HELP_COLUMNS,
    })
    .addHelpText(
      "after",
      "\nWithout a command, run is used: ./fraudstream --role=producer is\n" +
        "./fraudstream run --role=producer.\n" +
        "More on a command: ./fraudstream help generate",
    );
  // The default command needs no isDefault, see withCommand().
  for (const declaration of COMMANDS) {
    parserOf(declaration, program.command(declaration.name));
  }
  return program;
}

/**
 * The arguments with the default command inserted if none is named. Commander's
 * isDefault would do it too, but it treats a mistyped command as an argument of
 * the default one, and so could not suggest the right one.
 */
function withCommand(program: Command, args: readonly string[]): string[] {
  const first = args.find((arg) => arg !== DEBUG_FLAG);
  const isProgramsOwn = first !== undefined &&
    (!first.startsWith("-") || ["-h", "--help", "--version"].includes(first));
  const hasDefault = program.commands.some((command) => {
    return command.name() === DEFAULT_COMMAND;
  });
  return isProgramsOwn || !hasDefault ? [...args] : [DEFAULT_COMMAND, ...args];
}

/**
 * The arguments, without "help" before an unknown command: commander would
 * print the program's own help without a reason.
 */
function withoutHelpOfNothing(program: Command, args: string[]): string[] {
  const [help, name = "help"] = args;
  const isKnown = name.startsWith("-") || name === "help" ||
    program.commands.some((command) => command.name() === name);
  return help === "help" && !isKnown ? args.slice(1) : args;
}

/**
 * The arguments, with --flag for --flag=value where no command has that flag:
 * commander refuses it either way, but compares the whole argument with the
 * flags that it could suggest.
 */
function withoutUnknownValues(program: Command, args: string[]): string[] {
  const flags = new Set(
    [program, ...program.commands].flatMap(({ options }) =>
      options.map(({ long }) => long)
    ),
  );
  return args.map((arg) => {
    const [flag] = arg.split("=", 1);
    return flag.startsWith("--") && !flags.has(flag) ? flag : arg;
  });
}

/** The parser's message, with what to do where it suggests nothing. */
function withHint(message: string): string {
  const text = message.trim();
  const surplus =
    /many arguments for '(.*)'\. Expected (\d) .*? but got \d+: (.*)\.$/
      .exec(text);
  if (surplus) {
    const [, command, expected, given] = surplus;
    const words = ["flags only", "one word and flags", "two words and flags"]
      .at(Number(expected));
    return `${command} takes ${words}, not ${given}; --help lists them`;
  }
  const [, what, name] =
    /^error: unknown (command|option) '(.*?)'/.exec(text) ?? [];
  if (what === undefined || text.endsWith("?)")) return text;
  if (name === "version") return `${text} (Did you mean --version?)`;
  return what === "command"
    ? `${text}; './fraudstream help' lists the commands`
    : `${text}; --help lists the flags`;
}

/** Prints an error; returns the exit code. */
function tell(error: unknown, debug: boolean): number {
  if (error instanceof OutputClosedError) return EXIT_DONE;
  if (error instanceof CommanderError) {
    // Commander has printed the error, or the requested help.
    return error.exitCode === 0 ? EXIT_DONE : EXIT_WRONG_USE;
  }
  const failure = error instanceof Error ? error : new Error(String(error));
  if (isExpected(failure)) {
    writeError(errorLine(failure.message));
  } else {
    const hint = debug
      ? ""
      : ` (run again with ${DEBUG_FLAG} for the stack trace)`;
    writeError(errorLine(`unexpected error: ${failure.message}${hint}`));
  }
  if (debug) writeError(stackTrace(failure));
  return failure instanceof ConfigError ? EXIT_WRONG_USE : EXIT_FAILED;
}

function isExpected(error: Error): boolean {
  return [
    ConfigError,
    DataError,
    LogError,
    ModelError,
    StoreError,
    StoppedError,
  ].some((kind) => error instanceof kind);
}

/** A message as one line of stderr. */
function errorLine(message: string): string {
  const line = message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  return `fraudstream: ${line.trim()}\n`;
}

function stackTrace(error: Error): string {
  const causes: string[] = [];
  for (
    let current: unknown = error;
    current instanceof Error && causes.length < 10;
    current = current.cause
  ) causes.push(current.stack ?? String(current));
  return causes.join("\ncaused by ") + "\n";
}
