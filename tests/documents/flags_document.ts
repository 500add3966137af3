/** docs/FLAGS.md, from the declarations of the commands. */
import type { CommandDeclaration } from "../../src/cli/command.ts";
import {
  type FlagGroup,
  flagName,
  variableOf,
} from "../../src/cli/flags/flag.ts";
import { COMMANDS } from "../../src/cli/program.ts";
import { markdownTable } from "./markdown_table.ts";

const INTRODUCTION = `# Flags

\`deno task docs\` writes this page from the declarations in src/cli; a test
compares them.

A value follows its flag, as \`--flag=value\` or \`--flag value\`. Without a command
the flags are those of \`run\`. Every command also takes \`--help\`, and \`--debug\`,
which adds the stack trace to an error; \`--version\` prints the version. Exit
codes: 0 done, 1 failed, 2 wrong use.

Where a table names a variable, the environment may hold the flag's value; the
flag wins. A switch is \`true\` or \`false\` there. Variables are read only if Deno
grants them: \`--allow-env=FRAUDSTREAM_*\`.
`;

/** The text of docs/FLAGS.md. */
export function flagsDocument(): string {
  const rows = COMMANDS.map(({ name, summary }) => {
    return [`[\`${name}\`](#${name})`, summary];
  });
  return [
    INTRODUCTION,
    "## Commands\n",
    markdownTable(["command", "what it does"], rows),
    ...COMMANDS.flatMap(commandSection),
    ...sharedGroups().flatMap(groupSection),
  ].join("\n");
}

/** What only one command takes, and which shared flags it takes too. */
function commandSection(command: CommandDeclaration): string[] {
  const own = command.flags.filter(({ title }) => title === undefined);
  const shared = command.flags.flatMap(({ title }) => {
    return title === undefined ? [] : [`[${title}](#${anchorOf(title)})`];
  });
  const variables = own.some((group) => readsVariables(command, group));
  return [
    `## ${command.name}\n`,
    ...own.length > 0 ? [flagTable(own, variables)] : [],
    ...shared.length > 0 ? [`It also takes: ${shared.join(", ")}.\n`] : [],
  ];
}

/** The groups with a title, once each, in the order of the commands. */
function sharedGroups(): FlagGroup[] {
  const groups = COMMANDS.flatMap(({ flags }) => flags);
  return [...new Set(groups.filter(({ title }) => title !== undefined))];
}

function groupSection(group: FlagGroup): string[] {
  const takers = COMMANDS.filter(({ flags }) => flags.includes(group));
  const readers = takers.filter((command) => readsVariables(command, group));
  const names = (commands: readonly CommandDeclaration[]) =>
    commands.map(({ name }) => `\`${name}\``).join(", ");
  const { title = "", needs } = group;
  const facts = [
    `Taken by ${names(takers)}.`,
    ...needs === undefined ? [] : [`No effect without ${codeOf(needs)}.`],
    ...readers.length > 0 && readers.length < takers.length
      ? [`Variables are read by ${names(readers)}.`]
      : [],
  ];
  return [
    `## ${title}\n`,
    `${facts.join(" ")}\n`,
    flagTable([group], readers.length > 0),
  ];
}

function readsVariables(
  { environment }: CommandDeclaration,
  group: FlagGroup,
): boolean {
  return environment === true || group.environment === true;
}

function flagTable(groups: readonly FlagGroup[], variables: boolean): string {
  const rows = groups.flatMap(({ flags }) => Object.entries(flags))
    .map(([key, flag]) => {
      const name = flagName(key, flag);
      const { value, help, default: shown = "", needs, instead } = flag;
      const meaning = [
        help,
        ...instead === undefined ? [] : [`(or in \`${instead}\`)`],
        ...needs === undefined ? [] : [`(no effect without ${codeOf(needs)})`],
      ].join(" ");
      return [
        `\`${value === undefined ? name : `${name} ${value}`}\``,
        shown,
        ...variables ? [`\`${variableOf(name)}\``] : [],
        meaning.trim(),
      ];
    });
  return markdownTable(
    ["flag", "default", ...variables ? ["variable"] : [], "meaning"],
    rows,
  );
}

/** Flags in a text as code. */
function codeOf(text: string): string {
  return text.replaceAll(/--[a-z][a-z-]*(?:=[a-z]+)?/g, "`$&`");
}

/** The anchor that a heading gets. */
function anchorOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}
