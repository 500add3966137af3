/**
 * The servers' jars: fetched once by Maven into a cache folder, and compared
 * with the SHA-256 of jars.json on every use. Neither a changed registry nor a
 * half-written cache can bring other code than what was committed.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import lock from "./jars.json" with { type: "json" };
import { runTool } from "./java.ts";

/** What is locked: the two servers, and Kafka Streams for the benchmark beside it. */
export type Product = "kafka" | "cassandra" | "streams";

/** What one product consists of. */
export interface JarLock {
  /** Names the folder in the cache. */
  readonly version: string;
  /** What Maven is asked for, "group:artifact:version". */
  readonly artifacts: readonly string[];
  /** SHA-256 of every jar, in hexadecimal digits, by its name. */
  readonly jars: Readonly<Record<string, string>>;
}

const LOCKS: Readonly<Record<Product, JarLock>> = lock;

const LOCK_FILE = fileURLToPath(new URL("jars.json", import.meta.url));
const COPY =
  "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const TRIES = 3;

/** Where jars are kept: FRAUDSTREAM_CACHE, or `fraudstream` in the user's cache folder. */
export function cacheFolder(): string {
  const own = Deno.env.get("FRAUDSTREAM_CACHE");
  if (own) return own;
  const caches = Deno.env.get("XDG_CACHE_HOME");
  if (caches) return join(caches, "fraudstream");
  const home = Deno.env.get("HOME");
  if (home) return join(home, ".cache", "fraudstream");
  throw new Error("no folder for the servers' jars: set FRAUDSTREAM_CACHE");
}

/** Folder with the verified jars of a product, which are fetched if they are not there. */
export async function jarsOf(
  product: Product,
  cache: string = cacheFolder(),
): Promise<string> {
  const locked = LOCKS[product];
  const folder = join(cache, `${product}-${locked.version}`);
  if (!await exists(folder)) await fetchOnce(product, cache, folder);
  await verifyJars(folder, locked.jars);
  return folder;
}

/** Throws in one line what is missing, extra or different in a folder of jars. */
export async function verifyJars(
  folder: string,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const found = await sumsOf(folder);
  const names = Object.keys(expected);
  const wrong = {
    missing: names.filter((name) => !found.has(name)),
    extra: [...found.keys()].filter((name) => !(name in expected)),
    different: names.filter((name) =>
      found.has(name) && found.get(name) !== expected[name]
    ),
  };
  const said = Object.entries(wrong).filter(([, jars]) => jars.length > 0)
    .map(([what, jars]) => `${what}: ${shorten(jars)}`);
  if (said.length === 0) return;
  throw new Error(
    `${folder} is not what tests/services/jars.json says (${
      said.join("; ")
    });` +
      " delete the folder to have it fetched again",
  );
}

/** Fetches all products as jars.json names them and writes what came into it. */
export async function lockJars(): Promise<void> {
  const locks: Record<string, JarLock> = {};
  for (const [product, { version, artifacts }] of Object.entries(LOCKS)) {
    const folder = await Deno.makeTempDir({ prefix: "fraudstream-jars-" });
    try {
      await fetchJars(artifacts, folder);
      const jars = Object.fromEntries(await sumsOf(folder));
      locks[product] = { version, artifacts, jars };
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  await Deno.writeTextFile(LOCK_FILE, JSON.stringify(locks, null, 2) + "\n");
}

/** One process fetches, others wait; what is under the final name is whole. */
async function fetchOnce(
  product: Product,
  cache: string,
  folder: string,
): Promise<void> {
  await Deno.mkdir(cache, { recursive: true });
  using turn = await Deno.open(`${folder}.lock`, { create: true, write: true });
  await turn.lock(true);
  if (await exists(folder)) return;
  const partial = await Deno.makeTempDir({ dir: cache, prefix: product });
  try {
    await fetchJars(LOCKS[product].artifacts, partial);
    await verifyJars(partial, LOCKS[product].jars);
    await Deno.rename(partial, folder);
  } catch (error) {
    await Deno.remove(partial, { recursive: true });
    throw error;
  }
}

async function fetchJars(
  artifacts: readonly string[],
  folder: string,
): Promise<void> {
  const pom = await Deno.makeTempFile({ suffix: "-pom.xml" });
  try {
    await Deno.writeTextFile(pom, pomOf(artifacts));
    const flags = ["-B", "-q", "-Dstyle.color=never", "-f", pom];
    const wanted = ["-DincludeScope=runtime", `-DoutputDirectory=${folder}`];
    let output = "";
    for (let tries = 0; tries < TRIES; tries++) {
      const outcome = await runTool("mvn", [...flags, COPY, ...wanted]);
      if (outcome.success) return;
      output = outcome.output;
    }
    const reason = output.split("\n").find((line) => line.includes("ERROR"));
    throw new Error(
      `mvn could not fetch ${
        artifacts.join(", ")
      } in ${TRIES} tries: ${reason}`,
    );
  } finally {
    await Deno.remove(pom);
  }
}

function pomOf(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(":");
    return `<dependency><groupId>${group}</groupId>` +
      `<artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion>
<groupId>fraudstream</groupId><artifactId>services</artifactId>
<version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("\n")}</dependencies></project>`;
}

/** SHA-256 of the files in a folder by name, in the order of the names. */
async function sumsOf(folder: string): Promise<Map<string, string>> {
  const names = (await Array.fromAsync(Deno.readDir(folder)))
    .map(({ name }) => name).sort();
  const sums = new Map<string, string>();
  for (const name of names) {
    const bytes = await Deno.readFile(join(folder, name));
    sums.set(name, createHash("sha256").update(bytes).digest("hex"));
  }
  return sums;
}

function shorten(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
