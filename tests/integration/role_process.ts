/**
 * A role of a stream as a process of its own, as people start it: what it logs
 * can be read while it runs, and it can be paused, woken, stopped and killed.
 */
import { setTimeout as delay } from "node:timers/promises";
import configuration from "../../deno.json" with { type: "json" };
import { startProgram } from "../cli/program_runner.ts";
import { isLong } from "../long.ts";

/** A structured log line. */
export interface LogLine {
  /** Which thread wrote it: processor, writer-2, supervisor. */
  readonly role: string;
  /** The constant message. */
  readonly message: string;
  /** Its data. */
  readonly [field: string]: unknown;
}

/** How a process ended. */
export interface Ending {
  /** Exit code; of a signal that nobody took, 128 and its number. */
  readonly code: number;
  /** What it wrote to stderr that is no structured line. */
  readonly words: readonly string[];
  /** All of stdout. */
  readonly stdout: string;
}

/** The longest that anything may take on a busy machine; a long run has far more to do. */
export const DEADLINE_MS = isLong ? 1_800_000 : 240_000;

const TAIL_LINES = 12;

/** What the task start:cluster grants, which is what the README tells people to. */
const PERMISSIONS = configuration.tasks["start:cluster"].command.split(" ")
  .filter((word) => /^'?--(allow|ignore)-/.test(word))
  .map((flag) => flag.replaceAll("'", ""));

/** A running process of the program. */
export class RoleProcess implements AsyncDisposable {
  /** What a test calls it. */
  readonly name: string;
  /** All structured lines so far. */
  readonly lines: LogLine[] = [];
  /** How it ended, once it has. */
  readonly ending: Promise<Ending>;
  readonly #child: Deno.ChildProcess;
  readonly #words: string[] = [];
  #code: number | undefined;
  #mayEnd = false;

  /** Starts it. */
  constructor(name: string, args: readonly string[]) {
    this.name = name;
    this.#child = startProgram(args, { permissions: PERMISSIONS });
    this.ending = this.#watch();
  }

  async #watch(): Promise<Ending> {
    const child = this.#child;
    await child.stdin.close();
    const [stdout, { code }] = await Promise.all([
      new Response(child.stdout).text(),
      child.status,
      this.#readLines(),
    ]);
    this.#code = code;
    return { code, words: this.#words, stdout };
  }

  async #readLines(): Promise<void> {
    let rest = "";
    const texts = this.#child.stderr.pipeThrough(new TextDecoderStream());
    for await (const text of texts) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
    if (rest !== "") this.#take(rest);
  }

  #take(line: string): void {
    try {
      this.lines.push(JSON.parse(line));
    } catch {
      this.#words.push(line);
    }
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** The lines of a message. */
  said(message: string): LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }

  /** The exit code, if it has ended otherwise than a test wanted. */
  get unexpectedCode(): number | undefined {
    return this.#mayEnd || this.#code === 0 ? undefined : this.#code;
  }

  /** The partitions that a thread of it has of a group now, by its log; [] before the first. */
  assigned(group: string, role?: string): readonly number[] {
    const last = this.said("partitions assigned").findLast((line) =>
      line.group === group && (role === undefined || line.role === role)
    );
    return last ? last.partitions as number[] : [];
  }

  /** SIGSTOP: it does nothing, and nobody notices at first. */
  pause(): void {
    this.#signal("SIGSTOP");
  }

  /** SIGCONT: it goes on as if no time had passed. */
  resume(): void {
    this.#signal("SIGCONT");
  }

  /** SIGKILL, and waits for the end. */
  async kill(): Promise<void> {
    this.#mayEnd = true;
    this.#signal("SIGKILL");
    await this.ended();
  }

  /** Sends a signal, unless the process has ended by itself. */
  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** SIGTERM, as containers are stopped; gives how it ended and after how many milliseconds. */
  async stop(): Promise<Ending & { readonly tookMs: number }> {
    this.#mayEnd = true;
    const began = performance.now();
    this.#signal("SIGTERM");
    const ending = await this.ended();
    return { ...ending, tookMs: performance.now() - began };
  }

  /** Waits until it has ended by itself, in whatever way. */
  async ended(): Promise<Ending> {
    this.#mayEnd = true;
    const late = new AbortController();
    const deadline = delay(DEADLINE_MS, undefined, { signal: late.signal });
    try {
      const ending = await Promise.race([this.ending, deadline]);
      if (ending) return ending;
    } finally {
      deadline.catch(() => {});
      late.abort();
    }
    throw new Error(`it did not end; ${this.tail()}`);
  }

  /** Its last words, for whoever has to find out what went wrong. */
  tail(): string {
    const state = this.#code === undefined ? "runs" : `ended: ${this.#code}`;
    const lines = this.lines.slice(-TAIL_LINES).map((line) =>
      JSON.stringify(line)
    );
    return [`--- ${this.name} (${state})`, ...lines, ...this.#words].join("\n");
  }

  /** Nothing of it is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
