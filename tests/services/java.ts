/**
 * Finds Java and Maven and starts their programs. All go through `sh`, which
 * knows PATH and JAVA_HOME: the permission to start `sh` is all that is needed,
 * and a server's output goes into a file without passing through Deno.
 */

/** Cassandra 5 and Kafka 4 both run on it; Kafka alone needs no newer one. */
const JAVA_MAJOR_MIN = 17;

/** Begins a script of `sh` that starts programs of Java. */
export const WITH_JAVA_HOME =
  '[ -z "${JAVA_HOME:-}" ] || PATH="$JAVA_HOME/bin:$PATH"; ';

/** What keeps the servers from being started, in one line; undefined if nothing does. */
export const javaProblem: string | undefined = findProblem();

/** Whether Java 17 or newer and Maven are there and may be started. */
export const hasJava: boolean = javaProblem === undefined;

/** What came of a program that ran to its end. */
export interface ToolOutcome {
  /** Whether it exited with 0. */
  readonly success: boolean;
  /** What it wrote to stdout and stderr. */
  readonly output: string;
}

/** Runs a program of Java or Maven to its end: java, keytool, mvn. */
export async function runTool(
  name: string,
  args: readonly string[],
): Promise<ToolOutcome> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-c", `${WITH_JAVA_HOME}exec "$@" 2>&1`, "sh", name, ...args],
    stdin: "null",
    stderr: "null",
  }).output();
  return { success, output: new TextDecoder().decode(stdout).trim() };
}

/** Starts Java, its output appended to a file; the process is Java's own. */
export function spawnJava(
  args: readonly string[],
  logFile: string,
): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: [
      "-c",
      `${WITH_JAVA_HOME}exec java "$@" >>"$0" 2>&1`,
      logFile,
      ...args,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

function findProblem(): string | undefined {
  const run = { name: "run", command: "sh" } as const;
  if (Deno.permissions.querySync(run).state !== "granted") {
    return "needs --allow-run";
  }
  if (Deno.build.os === "windows") return "needs Linux or macOS";
  const script =
    'java -version 2>&1 && command -v mvn >/dev/null && echo "maven: yes"';
  const { stdout } = new Deno.Command("sh", {
    args: ["-c", WITH_JAVA_HOME + script],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  const output = new TextDecoder().decode(stdout);
  const major = Number(/version "(\d+)/.exec(output)?.[1] ?? 0);
  if (major < JAVA_MAJOR_MIN) return `needs Java ${JAVA_MAJOR_MIN} or newer`;
  return output.includes("maven: yes") ? undefined : "needs Maven (mvn)";
}
