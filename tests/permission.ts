/**
 * Which tests may run: those that read, write or start programs are ignored,
 * not failed, where Deno was started without the permission.
 */

type Body = () => void | Promise<void>;

/** Whether a permission is granted, without asking. */
function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** The folder of temporary files, all that the fast tests may write to. */
function temporaryRoot(): string {
  const variable = "TMPDIR";
  const set = granted({ name: "env", variable }) ? Deno.env.get(variable) : "";
  return set || "/tmp";
}

/** Whether files may be read. */
export const canRead: boolean = granted({ name: "read" });

/** Whether files may be read, and written in the folder of temporary files. */
export const canWrite: boolean = canRead &&
  granted({ name: "write", path: temporaryRoot() });

/** Whether programs may be started. */
export const canRun: boolean = granted({ name: "run" });

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
