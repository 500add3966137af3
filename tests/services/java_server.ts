/**
 * A real server as a plain Java process: started, paused, stopped, killed and
 * started again on the same folder and ports. A small watcher process ends the
 * server and removes its folder if this process goes away in whatever way, so
 * that neither Ctrl-C nor SIGKILL leaves a server behind.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { spawnJava } from "./java.ts";

/** A server that runs for as long as somebody needs it; use it with `await using`. */
export interface Server extends AsyncDisposable {
  /** What clients connect to: "127.0.0.1:port". */
  readonly address: string;
  /** Its data and logs; gone when the server is disposed of. */
  readonly folder: string;
  /** Process id of Java; throws while the server doesn't run. */
  readonly pid: number;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Starts again what was stopped or killed, and waits until it answers. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  pause(): void;
  /** SIGCONT: goes on after pause(). */
  resume(): void;
}

/** What is needed to start one. */
export interface ServerPlan {
  /** What clients connect to: "127.0.0.1:port". */
  readonly address: string;
  /** What Java is started with. */
  readonly javaArgs: readonly string[];
  /** Whether the server answers as it should by now. */
  readonly answers: () => Promise<boolean>;
}

const START_MS_MAX = 180_000;
const STOP_MS_MAX = 60_000;
const POLL_MS = 50;
const LOG_LINES_SHOWN = 15;

/**
 * Its stdin says which process runs; when that ends, so do both. It goes on in
 * the background since Deno may kill its own children when it ends.
 */
const WATCH = `
exec 3<&0
(
  trap '' INT TERM HUP QUIT
  while read -r line; do pid=$line; done
  if [ -n "$pid" ]; then kill -KILL "$pid"; sleep 1; fi
  rm -rf -- "$0"
) <&3 &
`;

/**
 * Makes a folder (in `parent`), has it filled and starts the server in it. Waits until it
 * answers; if it does not, or the folder can't be filled, nothing is left.
 */
export async function launch(
  name: string,
  prepare: (folder: string) => Promise<ServerPlan>,
  parent?: string,
): Promise<Server> {
  const prefix = `fraudstream-${name.toLowerCase()}-`;
  const dir = parent === undefined ? {} : { dir: parent };
  const watcher = new Watcher(await Deno.makeTempDir({ prefix, ...dir }));
  try {
    const server = new JavaServer(name, watcher, await prepare(watcher.folder));
    await server.start();
    return server;
  } catch (error) {
    await watcher.close();
    throw error;
  }
}

/** Ends a server and removes its folder when this process closes it, or ends. */
class Watcher {
  readonly folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  constructor(folder: string) {
    this.folder = folder;
    this.#child = new Deno.Command("sh", {
      args: ["-c", WATCH, folder],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
  }

  /** Tells which process runs now; undefined if none does. */
  async watch(pid: number | undefined): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${pid ?? ""}\n`));
  }

  async close(): Promise<void> {
    await this.#input.close().catch(() => {});
    // What is in the background holds the other end until it is done.
    await this.#child.stdout.pipeTo(new WritableStream());
  }
}

class JavaServer implements Server {
  readonly #name: string;
  readonly #watcher: Watcher;
  readonly #plan: ServerPlan;
  readonly #logFile: string;
  #child: Deno.ChildProcess | undefined;

  constructor(name: string, watcher: Watcher, plan: ServerPlan) {
    this.#name = name;
    this.#watcher = watcher;
    this.#plan = plan;
    this.#logFile = join(watcher.folder, "server.log");
  }

  get address(): string {
    return this.#plan.address;
  }

  get folder(): string {
    return this.#watcher.folder;
  }

  get pid(): number {
    return this.#running().pid;
  }

  async start(): Promise<void> {
    if (this.#child) throw new Error(`${this.#name} runs already`);
    // Native libraries are unpacked there, and stay after a SIGKILL.
    const temporary = `-Djava.io.tmpdir=${this.folder}`;
    const args = [temporary, ...this.#plan.javaArgs];
    const child = spawnJava(args, this.#logFile);
    this.#child = child;
    await this.#watcher.watch(child.pid);
    let ended = false;
    child.status.then(() => ended = true);
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      const answers = await this.#plan.answers();
      if (ended) {
        await this.#forget();
        throw new Error(this.#failure("ended before it answered"));
      }
      if (answers) return;
      if (performance.now() > deadline) {
        const reason = `did not answer within ${START_MS_MAX / 1000} s`;
        const message = this.#failure(reason);
        await this.kill();
        throw new Error(message);
      }
      await delay(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    if (!this.#child) return;
    const { status } = this.#child;
    this.#signal("SIGTERM");
    // One that is paused could not see the other.
    this.#signal("SIGCONT");
    using deadline = timer(STOP_MS_MAX);
    const inTime = await Promise.race([status, deadline.over]);
    if (!inTime) this.#signal("SIGKILL");
    await status;
    await this.#forget();
    if (!inTime) {
      const reason = `did not end within ${STOP_MS_MAX / 1000} s of SIGTERM`;
      throw new Error(this.#failure(reason));
    }
  }

  async kill(): Promise<void> {
    if (!this.#child) return;
    this.#signal("SIGKILL");
    await this.#child.status;
    await this.#forget();
  }

  pause(): void {
    this.#running().kill("SIGSTOP");
  }

  resume(): void {
    this.#running().kill("SIGCONT");
  }

  /** Ends at once: what a slow end would save is removed anyway. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#watcher.close();
  }

  #running(): Deno.ChildProcess {
    if (!this.#child) throw new Error(`${this.#name} does not run`);
    return this.#child;
  }

  /** Sends a signal, unless the process has ended by itself. */
  #signal(signal: Deno.Signal): void {
    try {
      this.#child?.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async #forget(): Promise<void> {
    this.#child = undefined;
    await this.#watcher.watch(undefined);
  }

  #failure(reason: string): string {
    let log = "";
    try {
      log = Deno.readTextFileSync(this.#logFile).trimEnd();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const last = log.split("\n").slice(-LOG_LINES_SHOWN).join("\n");
    return `${this.#name} ${reason}; its last words:\n${last}`;
  }
}

/** Resolves to undefined when the time is over; does not keep a program waiting. */
function timer(ms: number): Disposable & { over: Promise<undefined> } {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const id = setTimeout(() => resolve(undefined), ms);
  return { over, [Symbol.dispose]: () => clearTimeout(id) };
}
