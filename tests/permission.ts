/**
 * Which tests may run: those that read, write or start programs are ignored,
 * not failed, where Deno was started without the permission.
 */

type Body = () => void | Promise<void>;

/** Whether a whole-system permission is granted, without asking. */
function granted(name: "read" | "write" | "run"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}

/** Whether files may be read. */
export const canRead: boolean = granted("read");

/** Whether files may be read and written. */
export const canWrite: boolean = canRead && granted("write");

/** Whether programs may be started. */
export const canRun: boolean = granted("run");

/** Defines a test that is ignored, and says why, without --allow-read. */
export function testReading(name: string, body: Body): void {
  define(name, "--allow-read", canRead, body);
}

/** Defines a test that is ignored, and says why, without --allow-read and --allow-write. */
export function testWriting(name: string, body: Body): void {
  define(name, "--allow-read --allow-write", canWrite, body);
}

function define(
  name: string,
  flags: string,
  allowed: boolean,
  fn: Body,
): void {
  const shown = allowed ? name : `${name} (needs ${flags})`;
  Deno.test({ name: shown, ignore: !allowed, fn });
}
