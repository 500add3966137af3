/** Whether payments were imported, and how they are read then. */
import { basename, dirname, join } from "node:path";
import { ConfigError, DataError } from "../base/error.ts";
import { readIfThere } from "../base/durable_file.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import { dayFileDefinition } from "../definition/day_file_definition.ts";
import { openDefinition } from "../definition/read_definition.ts";
import {
  definitionHash,
  type StreamDefinition,
} from "../definition/stream_definition.ts";
import { IMPORT_FILES } from "./data_set.ts";

/** What `format` of a manifest says. */
export const IMPORT_FORMAT = "fraudstream-import";

/** The version of the manifests that are written. */
export const IMPORT_VERSION = 1;

/**
 * How the payments at `path`, a file or a folder, are read for a stream of
 * `definition`: by it, or, if an import has written them, as day files. Throws
 * ConfigError if the import had another definition, and DataError if its
 * manifest cannot be read.
 */
export function readingDefinition(
  path: string,
  definition: StreamDefinition,
): StreamDefinition {
  const folder = folderOf(path);
  const manifest = folder && join(folder, IMPORT_FILES.manifest);
  const bytes = manifest && readIfThere(manifest);
  if (!folder || !bytes) return definition;
  const hash = importHash(new TextDecoder().decode(bytes));
  if (hash === undefined) {
    throw new DataError(
      `${manifest}: not the manifest of an import of this version; run the ` +
        "import again with --force",
    );
  }
  if (hash === definitionHash(definition)) return dayFileDefinition(definition);
  throw new ConfigError(
    `${folder} was imported by another definition, with the SHA-256 ` +
      `${hash.slice(0, 12)}…; use ${join(folder, IMPORT_FILES.definition)}, ` +
      "or import the payments again",
  );
}

/** The definition that the payments at `path` were imported by; undefined where they were not imported, or are the handbook's. Throws DataError if it cannot be read. */
export function importedDefinition(
  path: string,
): StreamDefinition | undefined {
  const folder = folderOf(path);
  if (!folder || !readIfThere(join(folder, IMPORT_FILES.manifest))) {
    return undefined;
  }
  const definition = openDefinition(join(folder, IMPORT_FILES.definition));
  const handbook = definitionHash(openDefinition("handbook"));
  return definitionHash(definition) === handbook ? undefined : definition;
}

/** The folder of day files that a path names, or in which it names one. */
function folderOf(path: string): string | undefined {
  if (path === STANDARD_STREAM) return undefined;
  if (/^\d{4}-\d{2}-\d{2}\./.test(basename(path))) return dirname(path);
  try {
    return Deno.statSync(path).isDirectory ? path : undefined;
  } catch {
    return undefined; // opening it reports the problem
  }
}

/** The hash of the definition in a manifest. */
function importHash(text: string): string | undefined {
  try {
    const { format, formatVersion, definitionSha256 } = JSON.parse(text);
    const isKnown = format === IMPORT_FORMAT &&
      formatVersion === IMPORT_VERSION && typeof definitionSha256 === "string";
    return isKnown ? definitionSha256 : undefined;
  } catch {
    return undefined;
  }
}
