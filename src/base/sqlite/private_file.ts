/**
 * Files and folders that only their owner may read: payments and models are
 * private. Existing files keep their mode.
 */

/** Mode of folders that the program makes for its own data. */
export const PRIVATE_FOLDER = 0o700;
/** Mode of files that the program makes for its own data. */
export const PRIVATE_FILE = 0o600;

/**
 * Creates an empty file with mode 600 unless it exists. SQLite itself would use
 * the umask for a new file, and it gives its journals the mode of the file.
 * Does nothing on failure: SQLite then reports the problem.
 */
export function makePrivateFile(path: string): void {
  if (path === ":memory:" || isThere(path)) return;
  // Created under another name and renamed, because closing a file drops the
  // locks that another thread has taken on it meanwhile.
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}.new`;
  try {
    const options = { write: true, createNew: true, mode: PRIVATE_FILE };
    Deno.openSync(beside, options).close();
    Deno.linkSync(beside, path);
  } catch {
    // Another thread or process was first, or the folder cannot be written.
  }
  try {
    Deno.removeSync(beside);
  } catch {
    // It was not made.
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
