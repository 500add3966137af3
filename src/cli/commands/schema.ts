/**
 * `fraudstream schema`: the keyspace and tables in Cassandra as CQL, to create
 * them beforehand or to see what the writer would create.
 */
import { ConfigError } from "../../base/error.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { schemaCql } from "../../store/cassandra/cassandra_schema.ts";
import {
  readSchemaFlags,
  SCHEMA_FLAGS,
  type SchemaOptions,
} from "../flags/cassandra_flags.ts";
import { shapeOf } from "../../definition/definition_shape.ts";
import { openDefinition } from "../../definition/read_definition.ts";
import { DEFINITION_FLAGS } from "../flags/definition_flags.ts";
import {
  FEATURE_COLUMN_FLAGS,
  type FeatureOptions,
} from "../flags/feature_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { featuresOfDefined } from "../flags/payment_flags.ts";
import { STREAM_FLAGS } from "../flags/stream_flags.ts";
import { requireFlag } from "../flags/flag_value.ts";
import { writeResult } from "../output/terminal.ts";

const EXAMPLES = `
Examples:
  ./fraudstream schema --local-dc=datacenter1 | cqlsh
  ./fraudstream schema --local-dc=dc1 --store-replication=3 --keyspace=shop
  ./fraudstream schema --local-dc=dc1 --definition=stream.yaml
  ./fraudstream schema --local-dc=dc1 --labels=stream
`;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    definition: DEFINITION_FLAGS.flags.definition,
    labels: STREAM_FLAGS.flags.labels,
  },
} as const satisfies FlagGroup;

/** The command. */
export const SCHEMA_COMMAND: CommandDeclaration = defineCommand({
  name: "schema",
  summary: "print the CQL of the keyspace and tables in Cassandra",
  description:
    "Prints the CQL that creates the keyspace and tables in Cassandra. The " +
    "writer creates missing tables itself if it has the right, and adds " +
    "the columns of the features to an existing table of payments.",
  flags: [SCHEMA_FLAGS, FLAGS, FEATURE_COLUMN_FLAGS],
  environment: true,
  examples: EXAMPLES,
  run: schema,
});

function schema(
  { definition: named, labels, ...options }:
    & SchemaOptions
    & FlagValues<typeof FLAGS>
    & Omit<FeatureOptions, "labels">,
): void {
  const example = "schema --local-dc=datacenter1";
  const localDc = requireFlag("--local-dc", options.localDc, example);
  const settings = readSchemaFlags(options, localDc);
  if (named !== undefined && labels !== undefined) {
    throw new ConfigError(
      "--labels cannot be given with --definition, which says it itself; " +
        "leave one of them out",
    );
  }
  // The handbook's payments whose labels arrive later have a definition too.
  const given = labels === "stream" ? "live" : named;
  const definition = given === undefined ? undefined : openDefinition(given);
  const features = featuresOfDefined(definition, options);
  writeResult(schemaCql(settings, features, shapeOf(definition)));
}
