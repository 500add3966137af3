/**
 * `fraudstream schema`: the keyspace and tables in Cassandra as CQL, for those
 * who make them beforehand or want to see what the writer would make.
 */
import type { Command } from "commander";
import { schemaCql } from "../../store/cassandra/cassandra_schema.ts";
import {
  addSchemaFlags,
  readSchemaFlags,
  type SchemaOptions,
} from "../flags/cassandra_flags.ts";
import {
  processEnvironment,
  takeFromEnvironment,
} from "../flags/environment.ts";
import {
  addFeatureColumnFlags,
  type FeatureOptions,
  readFeatureFlags,
} from "../flags/feature_flags.ts";
import { requireFlag } from "../flags/flag_value.ts";
import { writeResult } from "../output/terminal.ts";

const EXAMPLES = `
Examples:
  fraudstream schema --local-dc=datacenter1 | cqlsh
  fraudstream schema --local-dc=dc1 --store-replication=3 --keyspace=shop
`;

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addSchemaCommand(program: Command): void {
  const command = program.command("schema")
    .summary("print the CQL that makes keyspace and tables in Cassandra")
    .description(
      "Prints the CQL that makes keyspace and tables in Cassandra. The " +
        "writer makes what is missing by itself, if it may; a table of " +
        "payments that is there gets the features' columns from it.",
    );
  addFeatureColumnFlags(addSchemaFlags(command));
  const { options } = command;
  command.hook("preAction", (_, action) => {
    takeFromEnvironment(action, options, processEnvironment);
  });
  command.addHelpText("after", EXAMPLES)
    .action((options: SchemaOptions & FeatureOptions) => schema(options));
}

function schema(options: SchemaOptions & FeatureOptions): void {
  const example = "schema --local-dc=datacenter1";
  const localDc = requireFlag("--local-dc", options.localDc, example);
  const settings = readSchemaFlags(options, localDc);
  writeResult(schemaCql(settings, readFeatureFlags(options)));
}
