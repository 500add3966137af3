/**
 * The page of a run, from the thread that starts it: where it can be looked
 * at, and how long it is there.
 */
import { Thread } from "../base/thread.ts";
import type {
  PageAddress,
  PageNews,
  PageWork,
} from "./server/dashboard_worker.ts";
import { SERVER_HOST } from "../base/gate.ts";
import {
  checkExposure,
  DEFAULT_PORT,
  type PageSettings,
} from "./server/exposure.ts";

/** The page ends in so long or is ended. */
const STOP_MS = 3000;
/** How often the page gets the latency, in milliseconds. */
const LATENCY_MS = 1000;

/** What a page is made from. */
export interface DashboardOptions extends PageWork {
  /** How long payments take at this moment, for the page to show. */
  readonly latency: () => PageNews;
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
 * Serves the page from its own thread; resolves once it listens. Throws
 * ConfigError if it may or can not.
 */
export async function openDashboard(
  { latency, ...work }: DashboardOptions,
): Promise<Dashboard> {
  checkExposure(work.page);
  const listening = Promise.withResolvers<PageAddress>();
  const thread = new Thread<PageWork, PageNews, PageAddress>({
    module: new URL("./server/dashboard_worker.ts", import.meta.url),
    name: "dashboard",
    work,
    received: listening.resolve,
  });
  thread.ended.then(
    () => listening.reject(new Error("the page ended before it started")),
    listening.reject,
  );
  const address = await listening.promise;
  const telling = setInterval(() => thread.send(latency()), LATENCY_MS);
  return {
    address,
    ended: thread.ended.then(() => undefined, (error) => error),
    async [Symbol.asyncDispose]() {
      clearInterval(telling);
      await thread.stop(STOP_MS);
    },
  };
}
