/**
 * Python with packages of other people: virtual environments in the cache
 * folder, made once from files that pin all versions.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./jar_cache.ts";
import { runTool } from "./java.ts";

/** A virtual environment. */
interface Environment {
  /** Files of requirements, beside this one. */
  readonly requirements: readonly string[];
  /** Modules that it has when it is complete. */
  readonly modules: readonly string[];
}

const CLIENTS: Environment = {
  requirements: ["python_clients.txt"],
  modules: ["cassandra", "kafka"],
};

const NOTEBOOK: Environment = {
  requirements: ["../../examples/requirements.txt", "python_readers.txt"],
  modules: [
    "nbclient",
    "skl2onnx",
    "sklearn",
    "matplotlib",
    "duckdb",
    "polars",
  ],
};

const SCHEMATHESIS: Environment = {
  requirements: ["python_schemathesis.txt"],
  modules: ["schemathesis"],
};

/** What keeps Python from being used, in one line; undefined if nothing does. */
export const pythonProblem: string | undefined = findProblem();

/** Python with clients of Kafka and Cassandra; what it needs is fetched if it is not there. */
export function pythonWithClients(): Promise<string> {
  return pythonOf(CLIENTS);
}

/** Python with all that the notebook of examples needs, and what else reads Parquet; fetched if it is not there. */
export function pythonWithNotebook(): Promise<string> {
  return pythonOf(NOTEBOOK);
}

/** Python with Schemathesis, which tests HTTP APIs by their description; fetched if it is not there. */
export function pythonWithSchemathesis(): Promise<string> {
  return pythonOf(SCHEMATHESIS);
}

async function pythonOf(
  { requirements, modules }: Environment,
): Promise<string> {
  const cache = cacheFolder();
  const paths = requirements.map((name) =>
    fileURLToPath(new URL(name, import.meta.url))
  );
  const hash = createHash("sha256");
  for (const path of paths) hash.update(await Deno.readTextFile(path));
  const name = hash.digest("hex").slice(0, 12);
  const folder = join(cache, `python-${name}`);
  await Deno.mkdir(cache, { recursive: true });
  using turn = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await turn.lock(true);
  const python = join(folder, "bin", "python");
  const { success } = await runTool(python, ["-c", `import ${modules.join()}`]);
  if (success) return python;
  const partial = await Deno.makeTempDir({ dir: cache, prefix: "python" });
  try {
    await run("python3", ["-m", "venv", partial]);
    const pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:"];
    const inside = join(partial, "bin", "python");
    const pinned = paths.flatMap((path) => ["-r", path]);
    await run(inside, [...pip, "--no-deps", ...pinned]);
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
