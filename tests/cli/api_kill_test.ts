/**
 * SIGKILL at random moments while clients pay by HTTP and repeat what is not
 * answered: every payment is decided exactly once, and every answer stays true.
 * An independent checker compares what the clients saw with log and store
 * (tests/oracle/check_history.py). `deno task test:long` kills 50 times.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { chance, isLong, seeds } from "../long.ts";
import {
  assertHistory,
  checkerProblem,
  writeHistoryFile,
} from "../oracle/history.ts";
import { freePort } from "../services/free_port.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { waitFor } from "./data_folder.ts";
import { PayingClients, writeTopics } from "./paying_clients.ts";
import { outcomeOf, runMain, startProgram } from "./program_runner.ts";

const KILLS = isLong ? 50 : 6;
const [SEED] = seeds(1, 1);
const CLIENTS = 8;
const READY_MS = 60_000;
const POLL_MS = 25;
/** A kill comes within this time after everything is ready again. */
const KILL_WITHIN_MS = 1200;
/** Every so many kills come without waiting until everything is ready. */
const HASTY = 4;
/** Exit code of a program that a SIGKILL ends. */
const KILLED = 137;
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-net=127.0.0.1",
];

/** Programs on one folder that are killed and started again. */
class Programs {
  readonly #flags: readonly string[];
  readonly #kinds: readonly (readonly string[])[];
  readonly #port: number;
  readonly #running = new Map<
    readonly string[],
    { child: Deno.ChildProcess; outcome: ReturnType<typeof outcomeOf> }
  >();

  /** Programs with some flags in common, the flags of each, and the port of the API. */
  constructor(
    flags: readonly string[],
    kinds: readonly (readonly string[])[],
    port: number,
  ) {
    this.#flags = flags;
    this.#kinds = kinds;
    this.#port = port;
  }

  /** Starts what does not run. */
  async start(): Promise<void> {
    for (const kind of this.#kinds) {
      if (this.#running.has(kind)) continue;
      const args = ["run", ...this.#flags, ...kind];
      const child = startProgram(args, { permissions: PERMISSIONS });
      this.#running.set(kind, { child, outcome: outcomeOf(child) });
      await child.stdin.close();
    }
  }

  /** Waits until the API is ready. Fails with the last words of a program that has ended. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    let hasEnded = false;
    for (const { child } of this.#running.values()) {
      child.status.then(() => hasEnded = true);
    }
    while (performance.now() < deadline && !hasEnded) {
      try {
        const url = `http://127.0.0.1:${this.#port}/readyz`;
        const response = await fetch(url);
        await response.body?.cancel();
        if (response.ok) return;
      } catch {
        // It does not listen yet.
      }
      await delay(POLL_MS);
    }
    assert.fail(`not ready in time: ${await this.#lastWords()}`);
  }

  /** Kills one of the programs, or all. */
  async kill(random: () => number): Promise<void> {
    const kinds = [...this.#running.keys()];
    const one = Math.floor(random() * (kinds.length + 1));
    for (const kind of one < kinds.length ? [kinds[one]] : kinds) {
      const { code, stderr } = await this.#end(kind, "SIGKILL");
      assert.equal(code, KILLED, stderr);
    }
  }

  /** Stops all in order. */
  async stop(): Promise<void> {
    for (const kind of [...this.#running.keys()]) {
      const { code, stderr } = await this.#end(kind, "SIGTERM");
      assert.equal(code, 0, stderr);
    }
  }

  async #end(kind: readonly string[], signal: Deno.Signal) {
    const running = this.#running.get(kind);
    assert.ok(running);
    this.#running.delete(kind);
    try {
      running.child.kill(signal);
    } catch {
      // It has ended by itself; its last words say why.
    }
    return await running.outcome;
  }

  async #lastWords(): Promise<string> {
    const words: string[] = [];
    for (const kind of [...this.#running.keys()]) {
      words.push((await this.#end(kind, "SIGKILL")).stderr);
    }
    return words.join("\n");
  }

  /** Kills what still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastWords();
  }
}

/** Asserts that clients see every payment decided exactly once, whatever is killed. */
async function assertKillsChangeNothing(
  kindsOf: (apiPort: string) => readonly (readonly string[])[],
): Promise<void> {
  await using folder = temporaryFolder();
  const random = chance(SEED);
  const data = join(folder.path, "data");
  const port = freePort();
  const flags = ["--definition=live", `--data=${data}`];
  const kinds = kindsOf(`--api-port=${port}`);
  await using programs = new Programs(flags, kinds, port);
  await programs.start();
  await programs.ready();
  const clients = new PayingClients(port, CLIENTS, chance(SEED + 1));
  for (let kill = 1; kill <= KILLS; kill++) {
    if (kill % HASTY !== 0) await programs.ready();
    await delay(random() * KILL_WITHIN_MS);
    await programs.kill(random);
    await programs.start();
  }
  await programs.ready();
  const history = await clients.finish();
  await waitFor(data, ({ stages }) => stages.every(({ lag }) => lag === 0));
  await programs.stop();
  await writeHistoryFile(folder.path, "history", history);
  await using log = new EmbeddedLog({
    path: join(data, "log.db"),
    durable: false,
  });
  await writeTopics(folder.path, log);
  const exported = async (...args: string[]) => {
    const { code, stderr } = await runMain(
      ["export", `--data=${data}`, ...args],
    );
    assert.equal(code, 0, stderr);
  };
  const out = (name: string) => `--out=${join(folder.path, name)}.jsonl`;
  await exported(out("stored"), "--with=payment,prediction");
  await exported(out("scored"), "--table=predictions");
  const counts = await assertHistory(folder.path);
  const [, unanswered, decided] =
    /(\d+) unanswered, (\d+) payments decided/.exec(counts) ?? [];
  assert.ok(Number(unanswered) >= KILLS, counts);
  assert.ok(Number(decided) >= 20 * KILLS, counts);
}

function test(name: string, check: () => Promise<void>): void {
  Deno.test({
    name: checkerProblem === undefined ? name : `${name} (${checkerProblem})`,
    ignore: checkerProblem !== undefined,
    fn: check,
  });
}

const MODEL = "--model=built-in";

test(`${KILLS} SIGKILLs of a program with an API: each payment is decided once (seed ${SEED})`, () =>
  assertKillsChangeNothing((apiPort) => [[apiPort, MODEL]]));

test(`${KILLS} SIGKILLs of an API and of the stages behind it: each payment is decided once (seed ${SEED})`, () =>
  assertKillsChangeNothing((apiPort) => [
    ["--role=api", apiPort],
    ["--role=processor,scorer,writer,labels", MODEL],
  ]));
