/**
 * A disk in a file: ext4 on a loop device, whose file holds at any moment what
 * the file system has handed to the disk. A copy of the file, taken while the
 * writing process is stopped, is the disk after a power cut.
 */
import { join } from "node:path";
import { canRun, canWrite } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** A mounted disk. */
export interface LoopDisk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Copies the disk as a power cut at this moment would leave it. */
  cut(copy: string): Promise<void>;
}

/** Makes a disk of that many MiB in the folder, or mounts a copy of one, until it is disposed of. */
export async function mountDisk(
  folder: string,
  image: string,
  sizeMiB?: number,
): Promise<LoopDisk> {
  if (sizeMiB !== undefined) {
    await call("truncate", "-s", `${sizeMiB}M`, image);
    await call("mkfs.ext4", "-q", "-F", image);
  }
  const path = await Deno.makeTempDir({ dir: folder, prefix: "disk-" });
  await call("mount", "-o", "loop", image, path);
  return {
    path,
    cut: (copy) => copyWhole(image, copy),
    // Also if something is still open on it: that must not hide why a test failed.
    [Symbol.asyncDispose]: () => call("umount", "--lazy", path),
  };
}

/** Copies a file that the kernel may still be writing to: again until two readings agree. */
async function copyWhole(from: string, to: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    await call("cp", "--sparse=always", from, to);
    if (await succeeds("cmp", "-s", from, to)) return;
  }
  throw new Error(`${from} did not come to rest`);
}

async function call(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args })
    .output();
  if (success) return;
  throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  return (await new Deno.Command(program, { args }).output()).success;
}

/** Why no disk can be mounted here; undefined if one can. */
export async function noDiskReason(): Promise<string | undefined> {
  if (!canWrite || !canRun) return "needs --allow-write --allow-run";
  if (Deno.build.os !== "linux") return "needs Linux";
  await using folder = temporaryFolder();
  try {
    const image = join(folder.path, "disk.img");
    await using _ = await mountDisk(folder.path, image, 16);
    return undefined;
  } catch {
    return "needs root, ext4 and loop devices";
  }
}
