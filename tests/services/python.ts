/**
 * Python with the clients of other people's programs: a virtual environment in
 * the cache folder, made once from python_clients.txt, which pins all versions.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./jar_cache.ts";
import { runTool } from "./java.ts";

const REQUIREMENTS = fileURLToPath(
  new URL("python_clients.txt", import.meta.url),
);

/** What keeps Python from being used, in one line; undefined if nothing does. */
export const pythonProblem: string | undefined = findProblem();

/** The environment's Python; what it needs is fetched if it is not there. */
export async function pythonWithClients(): Promise<string> {
  const cache = cacheFolder();
  const pinned = await Deno.readTextFile(REQUIREMENTS);
  const name = createHash("sha256").update(pinned).digest("hex").slice(0, 12);
  const folder = join(cache, `python-${name}`);
  await Deno.mkdir(cache, { recursive: true });
  using turn = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await turn.lock(true);
  const python = join(folder, "bin", "python");
  const { success } = await runTool(python, ["-c", "import cassandra, kafka"]);
  if (success) return python;
  const partial = await Deno.makeTempDir({ dir: cache, prefix: "python" });
  try {
    await run("python3", ["-m", "venv", partial]);
    const pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:"];
    const inside = join(partial, "bin", "python");
    await run(inside, [...pip, "--no-deps", "-r", REQUIREMENTS]);
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.rename(partial, folder);
  } catch (error) {
    await Deno.remove(partial, { recursive: true });
    throw error;
  }
  return python;
}

async function run(name: string, args: readonly string[]): Promise<void> {
  const { success, output } = await runTool(name, args);
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${output}`);
}

function findProblem(): string | undefined {
  const permission = { name: "run", command: "sh" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") {
    return "needs --allow-run";
  }
  if (Deno.build.os === "windows") return "needs Linux or macOS";
  const { success } = new Deno.Command("sh", {
    args: ["-c", "python3 -m venv --help && python3 -m pip --version"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? undefined : "needs python3 with venv and pip";
}
