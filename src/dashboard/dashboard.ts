/**
 * The page of a run, from the thread that starts it: where it can be looked
 * at, and how long it is there.
 */
import { ConfigError, LogError } from "../base/error.ts";
import type { RunSettings } from "../roles/role.ts";
import type { LatencySummary } from "../base/latency.ts";
import type { FromPage, ToPage } from "./server/dashboard_worker.ts";
import { SERVER_HOST } from "./server/gate.ts";
import {
  checkExposure,
  DEFAULT_PORT,
  type PageSettings,
} from "./server/exposure.ts";

/** The page ends in so long or is ended. */
const STOP_MS = 3000;
/** How often the page is told the latency. */
const LATENCY_MS = 1000;

/** What a page is made from. */
export interface DashboardOptions {
  /** The stream, its log and its store. */
  readonly settings: RunSettings;
  /** Where it is served and to whom. */
  readonly page: PageSettings;
  /** What runs in this process, for people. */
  readonly process: (ToPage & { kind: "run" })["process"];
  /** How its log is written. */
  readonly log: (ToPage & { kind: "run" })["log"];
  /** How long payments take at this moment, for the page to show. */
  readonly latency: () => LatencySummary | undefined;
}

/** A page that is served. */
export interface Dashboard extends AsyncDisposable {
  /** Where: http://127.0.0.1:8080. */
  readonly address: string;
  /** Resolves when it has ended, by itself only with an error. */
  readonly ended: Promise<Error | undefined>;
}

/** Whether Deno lets a page be served there; never asks. */
export function mayListen(
  { host, port = DEFAULT_PORT }: PageSettings,
): boolean {
  const place = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  // The server itself listens at any free port of this machine.
  return [place, SERVER_HOST].every((host) =>
    Deno.permissions.querySync({ name: "net", host }).state === "granted"
  );
}

/**
 * Serves the page from a thread of its own; resolves once it listens. Throws
 * ConfigError if it may or can not.
 */
export async function openDashboard(
  options: DashboardOptions,
): Promise<Dashboard> {
  checkExposure(options.page);
  const worker = new Worker(
    new URL("./server/dashboard_worker.ts", import.meta.url),
    {
      type: "module",
      name: "dashboard",
    },
  );
  const send = (message: ToPage) => worker.postMessage(message);
  const listening = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<Error | undefined>();
  worker.onmessage = ({ data }: MessageEvent<FromPage>) => {
    if (data.kind === "listening") listening.resolve(data.address);
    else end(data.error && errorOf(data.error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(new Error(`the page: ${event.message}`));
  };
  const end = (error: Error | undefined) => {
    worker.terminate();
    listening.reject(error ?? new Error("the page ended before it was there"));
    ended.resolve(error);
  };
  const { settings, page, process, log } = options;
  send({ kind: "run", settings, page, process, log });
  const address = await listening.promise;
  const telling = setInterval(
    () => send({ kind: "latency", summary: options.latency() }),
    LATENCY_MS,
  );
  return {
    address,
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      clearInterval(telling);
      send({ kind: "stop" });
      const patience = setTimeout(() => end(undefined), STOP_MS);
      await ended.promise;
      clearTimeout(patience);
    },
  };
}

function errorOf({ name, message }: { name: string; message: string }): Error {
  if (name === "ConfigError") return new ConfigError(message);
  return name === "LogError" ? new LogError(message) : new Error(message);
}
