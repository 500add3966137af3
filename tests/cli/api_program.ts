/** Runs the program with an API, ready for requests. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../services/free_port.ts";
import { type Outcome, outcomeOf, startProgram } from "./program_runner.ts";

const READY_MS = 60_000;
const POLL_MS = 25;

/** Permissions of a program with an API. */
export const API_PERMISSIONS: readonly string[] = [
  "--allow-read",
  "--allow-write",
  "--allow-net=127.0.0.1",
];

/** A status and a body that is JSON. */
export interface ApiAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** A program that serves an API. */
export interface ApiProgram extends AsyncDisposable {
  /** The address, without a slash at the end. */
  readonly url: string;
  /** Asks for a decision. */
  score(payment: unknown, wantsFeatures?: boolean): Promise<ApiAnswer>;
  /** Waits until the store has a payment and its prediction. */
  untilStored(id: unknown): Promise<void>;
  /** Sends SIGTERM, and returns what the program has printed when it has ended. */
  stop(): Promise<Outcome>;
}

/** Starts `run` with an API at a free port, and waits until it can decide. */
export async function startApi(
  args: readonly string[],
): Promise<ApiProgram> {
  const port = freePort();
  const child = startProgram(["run", `--api-port=${port}`, ...args], {
    permissions: API_PERMISSIONS,
  });
  const outcome = outcomeOf(child);
  await child.stdin.close();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  const url = `http://127.0.0.1:${port}`;
  const end = async (signal: Deno.Signal) => {
    if (!hasEnded) child.kill(signal);
    return await outcome;
  };
  const deadline = performance.now() + READY_MS;
  while (!await isReady(url)) {
    if (hasEnded || performance.now() > deadline) {
      assert.fail((await end("SIGKILL")).stderr);
    }
    await delay(POLL_MS);
  }
  return {
    url,
    score: async (payment, wantsFeatures = false) => {
      const query = wantsFeatures ? "?features=true" : "";
      const response = await fetch(`${url}/v1/score${query}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(payment),
      });
      return { status: response.status, body: await response.json() };
    },
    untilStored: async (id) => {
      const deadline = performance.now() + READY_MS;
      for (;;) {
        const response = await fetch(`${url}/v1/payments/${id}`);
        const { PREDICTION = null } = await response.json();
        if (PREDICTION !== null) return;
        assert.ok(performance.now() < deadline, `${id} is not stored`);
        await delay(POLL_MS);
      }
    },
    stop: () => end("SIGTERM"),
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // It does not listen yet.
  }
}
