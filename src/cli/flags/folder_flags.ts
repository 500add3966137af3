/** The flags of a command that writes a folder of day files. */
import { ConfigError } from "../../base/error.ts";
import { listFolder } from "../../files/data_set.ts";
import { TABLE_FORMATS, type TableFormat } from "../../files/table_encoder.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";
import { oneOf, requireFlag } from "./flag_value.ts";

/** The flags. */
export const FOLDER_FLAGS = {
  flags: {
    out: {
      value: "<folder>",
      help: "required: folder to write to; created if missing",
    },
    format: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "csv",
      fallback: "csv",
    },
    force: { help: "replace the existing data set in the folder" },
  },
} as const satisfies FlagGroup;

/** A folder to write. */
export interface OutFolder {
  /** Its path. */
  readonly folder: string;
  /** The format of its files. */
  readonly format: TableFormat;
}

/** The folder that the flags name; `use` is a right call of the command. Throws ConfigError for none, and for one with files unless they may be replaced. */
export async function readFolderFlags(
  { out, format, force }: FlagValues<typeof FOLDER_FLAGS>,
  use: string,
): Promise<OutFolder> {
  const folder = requireFlag("--out", out, use);
  const present = await listFolder(folder);
  if (present.length === 0 || force) return { folder, format };
  throw new ConfigError(
    `--out=${folder} is not empty; choose another folder, or replace the ` +
      "data set in it with --force",
  );
}
