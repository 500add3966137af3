/**
 * Files and folders that only their owner may read: payments, models and keys
 * of fields are nobody else's business. What is there already keeps its mode.
 */

/** Mode of folders that the program makes for its own data. */
export const PRIVATE_FOLDER = 0o700;
/** Mode of files that the program makes for its own data. */
export const PRIVATE_FILE = 0o600;

/**
 * Makes an empty file with mode 600 unless there is one, for SQLite, which
 * takes the umask's mode for a file that it makes, and for its journals the
 * mode of the file. Nothing happens where that cannot be done: SQLite then
 * says what is wrong.
 */
export function makePrivateFile(path: string): void {
  if (path === ":memory:" || isThere(path)) return;
  // Made beside and given its name as a whole: to close a file drops the locks
  // that another thread has taken on it meanwhile.
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
