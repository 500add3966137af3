/** Reads whole files of a known and bounded size. */
import { DataError } from "./error.ts";
import { fileError } from "./file_error.ts";

/**
 * The bytes of a file of at most `bytesMax`. Throws DataError where it cannot
 * be read, is larger, or is not a regular file: a device or a pipe may never
 * end.
 */
export function readWholeFile(path: string, bytesMax: number): Uint8Array {
  const refuse = (reason: string) => {
    return new DataError(`cannot read ${path}: ${reason}`);
  };
  try {
    const { isFile, isDirectory, size } = Deno.statSync(path);
    if (isDirectory) throw refuse("it is a folder; name a file");
    if (!isFile) {
      throw refuse("it is not a regular file; copy its content into a file");
    }
    if (size > bytesMax) {
      throw refuse(
        `it has ${size} bytes and may have at most ${bytesMax}; check the path`,
      );
    }
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(size + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = file.readSync(bytes.subarray(length));
      if (count === null) return bytes.subarray(0, length);
      length += count;
    }
    throw refuse("it grows while it is read; wait until it is written");
  } catch (error) {
    throw fileError(error, "read", path);
  }
}
