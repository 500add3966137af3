/** Small file systems in memory, for tests of full and read-only disks: they need root. */
import assert from "node:assert/strict";
import { canRun, canWrite } from "../permission.ts";

function command(name: string, ...args: string[]): Deno.CommandOutput {
  return new Deno.Command(name, { args, stderr: "null" }).outputSync();
}

/** Whether a file system may be mounted here: not without root, nor in most containers. */
export const canMount: boolean = mayMount();

function mayMount(): boolean {
  if (!canRun || !canWrite || Deno.build.os !== "linux") return false;
  const folder = Deno.makeTempDirSync({ prefix: "fraudstream-test-" });
  try {
    mountMemory(folder, "64k")[Symbol.dispose]();
    return true;
  } catch {
    return false;
  } finally {
    Deno.removeSync(folder);
  }
}

/** Mounts a file system of that size at a folder, which is made if it is missing, until it is disposed of. */
export function mountMemory(folder: string, size: string): Disposable {
  Deno.mkdirSync(folder, { recursive: true });
  const options = `size=${size},mode=700`;
  const args = ["-t", "tmpfs", "-o", options, "tmpfs", folder];
  if (!command("mount", ...args).success) throw new Error("cannot mount");
  return {
    [Symbol.dispose]() {
      if (!command("umount", folder).success) throw new Error("busy");
    },
  };
}

/** Changes an option of a mounted file system: "ro", "rw", "size=20m". */
export function remount(folder: string, option: string): void {
  assert.ok(command("mount", "-o", `remount,${option}`, folder).success);
}
