/**
 * `fraudstream init`: writes a definition with comments to a file, to be edited
 * for the columns of one's own data; or the JSON Schema for editors.
 */
import { ConfigError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import { BUILT_IN_DEFINITIONS } from "../../definition/built_in.ts";
import { DEFINITION_SCHEMA } from "../../definition/read_definition.ts";
import { RULES_SCHEMA } from "../../scoring/rule_file.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { TEMPLATES } from "../flags/definition_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { oneOf } from "../flags/flag_value.ts";
import { shellWord, writeError, writeResult } from "../output/terminal.ts";

const EXAMPLES = `
Examples:
  ./fraudstream init --template=sparkov
  ./fraudstream init --template=tabformer --out=cards.yaml
  ./fraudstream init --json-schema > stream.schema.json
  ./fraudstream init --rules-schema > rules.schema.json
`;

const OUT_DEFAULT = "stream.yaml";

const FLAGS = {
  flags: {
    template: {
      value: "<name>",
      help: `the definition to start from: ${TEMPLATES.join(", ")}`,
      read: oneOf(TEMPLATES),
      fallback: "handbook",
      default: "handbook",
    },
    out: {
      value: "<file>",
      help: "the file to write, which must not exist",
      fallback: OUT_DEFAULT,
      default: OUT_DEFAULT,
    },
    jsonSchema: {
      help: "print the JSON Schema of definitions instead, for editors",
    },
    rulesSchema: {
      help: "print the JSON Schema of files of rules instead, for editors",
    },
  },
} as const satisfies FlagGroup;

/** The command. */
export const INIT_COMMAND: CommandDeclaration = defineCommand({
  name: "init",
  summary: "write a stream definition to start from",
  description:
    "Writes a stream definition with comments: which columns of your data " +
    "hold the payment, when labels count, which features there are. " +
    "docs/YOUR_DATA.md describes its keys. To get a suggestion for your own " +
    "data, use './fraudstream check --sample=DATA'.",
  flags: [FLAGS],
  examples: EXAMPLES,
  run: init,
});

function init(
  { template, out, jsonSchema, rulesSchema }: FlagValues<typeof FLAGS>,
): void {
  if (jsonSchema || rulesSchema) {
    const schema = rulesSchema ? RULES_SCHEMA : DEFINITION_SCHEMA;
    writeResult(JSON.stringify(schema, null, 2) + "\n");
    return;
  }
  try {
    Deno.writeTextFileSync(out, BUILT_IN_DEFINITIONS[template], {
      createNew: true,
    });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new ConfigError(
        `${out} exists and is not replaced; choose another name with --out`,
      );
    }
    throw fileError(error, "write", out);
  }
  writeError(
    `wrote ${out}; edit it, then: ./fraudstream check ${
      shellWord(out)
    } --sample=DATA\n`,
  );
}
