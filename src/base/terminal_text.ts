/**
 * Text on its way to a terminal. Ids, reasons, names of files and messages
 * come from other people's data, and a terminal obeys the control characters
 * in them: they could retitle the window, erase or reorder what is shown, or
 * fake a line of this program. Everything that is written to stdout or stderr
 * as text goes through here, which tests/tidy/terminal_test.ts checks.
 */
import { writeAll } from "./durable_file.ts";

/**
 * Control characters, line and paragraph separators, and characters that are
 * invisible or change the order of others (bidirectional marks and overrides,
 * zero-width characters, tags).
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** The same, but for the line breaks and tabs of a text that is laid out already. */
const UNSAFE_IN_LINES =
  /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** What starts the program from its sources, in every text of ours. */
const SOURCES_PROGRAM = "./fraudstream";

/** Text from data on one line, what a terminal would obey written as `\u001b`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/**
 * Lines with everything but line breaks and tabs written as `\u001b`. JSON
 * keeps its meaning: these characters stand in its strings only.
 */
export function visibleLines(text: string): string {
  return text.replace(UNSAFE_IN_LINES, escaped);
}

/** JSON's escape, with both surrogates of a character that has two. */
function escaped(character: string): string {
  let text = "";
  for (let i = 0; i < character.length; i++) {
    text += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  }
  return text;
}

/** How the commands of this program are typed where it runs. */
export interface TypedCommands {
  /** What starts the program, with its first words. */
  readonly program: string;
  /** The flags that a command needs for the stream of the command that runs, as `--data=shop`. */
  readonly flagsOf: (command: string) => readonly string[];
}

let typed: TypedCommands = {
  program: Deno.build.standalone ? "fraudstream" : SOURCES_PROGRAM,
  flagsOf: () => [],
};

/** Says how commands are typed from now on. */
export function setTypedCommands(commands: TypedCommands): void {
  typed = commands;
}

/**
 * Words of this program, with its commands as they are typed where it runs:
 * `./fraudstream` starts the sources; an executable, as in the Docker image,
 * has the name alone. A command in quotes, such as './fraudstream status', gets
 * the flags of the stream that it lacks, so that it runs as it is shown.
 */
export function asTyped(
  text: string,
  { program, flagsOf }: TypedCommands = typed,
): string {
  return text
    .replaceAll(QUOTED_COMMAND, (hint, command: string, rest: string) => {
      const missing = flagsOf(command).filter((flag) => {
        return !`${rest} `.includes(` ${flag.split("=")[0]}`);
      });
      return missing.length === 0
        ? hint
        : `'${[`${SOURCES_PROGRAM} ${command}${rest}`, ...missing].join(" ")}'`;
    })
    .replaceAll(SOURCES_COMMAND, (_, anywhere: string | undefined) => {
      // Only the sources have this word; an executable may use every file.
      const isMissing = anywhere !== undefined && program.includes("/") &&
        !program.endsWith(anywhere);
      return isMissing ? program + anywhere : program;
    });
}

/** A command in quotes: its name, and the words behind it. */
const QUOTED_COMMAND = /'\.\/fraudstream ([a-z][a-z-]*)([^'\n]*)'/g;

/** `./fraudstream`, but no path that begins with it. */
const SOURCES_COMMAND = /(?<![\w./])\.\/fraudstream( --anywhere)?(?![\w./-])/g;

/** A word of a command as a shell takes it, in double quotes where it must be. */
export function shellWord(word: string): string {
  if (/^[\w./:@%+=,~-]+$/.test(word)) return word;
  return `"${word.replaceAll(/["$`\\]/g, "\\$&")}"`;
}

/** Writes text to stderr, at once; a closed stderr is not a failure. */
export function writeError(text: string): void {
  try {
    writeText(Deno.stderr, visibleLines(asTyped(text)));
  } catch {
    // There is nowhere left to report it.
  }
}

/** Writes text to stdout or stderr as it is, at once. Throws what Deno throws. */
export function writeText(stream: typeof Deno.stderr, text: string): void {
  writeAll(stream, new TextEncoder().encode(text));
}
