/**
 * The page's server: what a browser asks for and what it may send, as an
 * application that takes a request and gives an answer. It listens nowhere
 * itself.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ConflictError, DataError } from "../../base/error.ts";
import { SUM } from "../index/day_sums.ts";
import { metricsOf } from "../views/metrics.ts";
import {
  NotThereError,
  type Page,
  type Question,
  type Router,
  type SessionView,
} from "../views/page_view.ts";
import { shownShape, type Snapshot, snapshotOf } from "../views/snapshot.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { VIEWS } from "../views/views.ts";
import { ASSETS, ASSETS_VERSION, loginPage, pageWith } from "./assets.ts";
import { EventStream } from "./event_stream.ts";
import type { PageToken } from "./exposure.ts";
import {
  BODY_MAX,
  Door,
  noStore,
  refusalOf,
  securing,
  type Visit,
  visitOf,
} from "./guard.ts";

/** Pages that may listen at once. */
const CLIENTS_MAX = 500;
/** Seconds after which a token of an address is looked at again. */
const RETRY_AFTER = "60";
const NO_KEY = "a write needs the key of a page session: reload the page " +
  "(a program gets one from /api/session, or sends the token)";
/** What the page shows, and who may see it. */
export interface PageServerOptions extends Omit<Page, "server"> {
  /** The tokens, one of which a visitor needs; none for a page that needs none. */
  readonly tokens: readonly PageToken[];
  /** Whether a proxy is before the page, whose X-Forwarded headers hold. */
  readonly behindProxy: boolean;
}

/** The page's server. */
export interface PageServer {
  /** Answers a request that came from an address. */
  readonly fetch: (
    request: Request,
    address: string,
  ) => Response | Promise<Response>;
  /** Tells all open pages the newest state. */
  readonly tick: () => void;
  /** Ends the streams to open pages. */
  readonly close: () => void;
}

/** What the gate adds to each request. */
type Served = { readonly Bindings: { readonly address: string } };

/** Makes the server. */
export function pageServer(options: PageServerOptions): PageServer {
  const { state, index, reader, tokens, latency, behindProxy } = options;
  const { currency, parameters } = options;
  const shape = shownShape(
    shapeOfStream(parameters),
    currency,
    parameters.definition !== undefined,
  );
  const start = crypto.randomUUID();
  const began = Date.now();
  const stream = new EventStream(CLIENTS_MAX);
  const door = new Door(tokens);
  const visit = (c: Context<Served>) =>
    visitOf(c.req.raw.headers, c.env.address, behindProxy);
  const snapshot = () =>
    snapshotOf({
      server: start,
      shape,
      state,
      index,
      status: reader.status,
      startSeconds: reader.startSeconds,
      latency: latency(),
      problem: reader.problem,
      reading: reader.reading,
    });
  const entrance: Entrance = { door, visit, stream };
  const app = new Hono<Served>();
  app.onError((error, c) => failed(error, c));
  app.notFound((c) => c.json({ error: "there is nothing here" }, 404));
  addSafeguards(app, entrance);
  addHealth(app, options);
  addFiles(app);
  addLogin(app, entrance);
  // From here on only for who has the token, where there is one.
  addAdmission(app, entrance);
  app.get("/", (c) => c.html(pageWith(snapshot())));
  addMetrics(app, options, stream);
  addStream(app, entrance, snapshot);
  const server = () => ({
    clients: stream.clients,
    skipped: stream.skipped,
    upSeconds: Math.round((Date.now() - began) / 1000),
    guarded: !door.open,
  });
  const router = routerOf(app, (c) => door.whoOf(visit(c)));
  for (const { serve } of VIEWS) serve?.(router, { ...options, server });
  return {
    fetch: (request, address) => app.fetch(request, { address }),
    tick: () => stream.send(() => JSON.stringify(snapshot())),
    close: () => stream.close(),
  };
}

/** What the routes need to know about visitors. */
interface Entrance {
  readonly door: Door;
  readonly visit: (c: Context<Served>) => Visit;
  readonly stream: EventStream;
}

/** Headers, origin checks and limits, for every request. */
function addSafeguards(
  app: Hono<Served>,
  { door, visit }: Entrance,
): void {
  app.use(securing(), noStore);
  app.use(async (c, next) => {
    const refusal = refusalOf(c.req.method, visit(c), door.open);
    if (!refusal) return await next();
    return c.json({ error: refusal.error }, refusal.status);
  });
  app.use(bodyLimit({
    maxSize: BODY_MAX,
    onError: (c) =>
      c.json({ error: `a body has at most ${BODY_MAX} bytes` }, 413),
  }));
}

function addHealth(
  app: Hono<Served>,
  { reader, lookUp }: PageServerOptions,
): void {
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const ready = reader.status !== undefined && reader.problem === undefined &&
      lookUp() !== undefined;
    return ready ? c.text("ready\n") : c.text("not ready\n", 503);
  });
}

function addFiles(app: Hono<Served>): void {
  app.get("/page/:version/:name", (c) => {
    const { version, name } = c.req.param();
    const asset = version === ASSETS_VERSION ? ASSETS.get(name) : undefined;
    if (!asset) return c.notFound();
    c.header("cache-control", "private, max-age=31536000, immutable");
    return c.body(asset.text, 200, { "content-type": asset.type });
  });
}

function addLogin(app: Hono<Served>, { door, visit, stream }: Entrance): void {
  app.get("/login", (c) => c.html(loginPage(undefined)));
  app.post("/login", async (c) => {
    const form = await c.req.formData().catch(() => undefined);
    const token = String(form?.get("token") ?? "");
    const entered = door.enter(token, visit(c));
    if (entered === "no") {
      return c.html(loginPage("That is not the token."), 401);
    }
    if (entered === "too often") {
      c.header("retry-after", RETRY_AFTER);
      return c.html(loginPage("Too many wrong tokens; wait a minute."), 429);
    }
    c.header("set-cookie", entered.cookie);
    return c.redirect("./", 303);
  });
  app.post("/logout", (c) => {
    c.header("set-cookie", door.leave(visit(c)));
    stream.endUnwelcome();
    return c.redirect("login", 303);
  });
}

/** Stops requests without the token, and writes without the token or a session's key. */
function addAdmission(app: Hono<Served>, { door, visit }: Entrance): void {
  app.use(async (c, next) => {
    const admission = door.admits(visit(c));
    if (admission === "yes") return await next();
    if (admission === "too often") {
      c.header("retry-after", RETRY_AFTER);
      return c.json({ error: "too many wrong tokens; wait a minute" }, 429);
    }
    if (c.req.path === "/") return c.redirect("login", 303);
    return c.json({ error: "the token is missing or wrong" }, 401);
  });
  app.use(async (c, next) => {
    const reads = c.req.method === "GET" || c.req.method === "HEAD";
    if (reads || door.mayWrite(visit(c))) return await next();
    return c.json({ error: NO_KEY }, 403);
  });
  app.get("/api/session", (c) => {
    const site = c.req.header("sec-fetch-site") ?? "same-origin";
    const session = site === "same-origin" ? door.session(visit(c)) : undefined;
    if (!session) return c.json({ error: "sessions are the page's own" }, 403);
    if (session.cookie) c.header("set-cookie", session.cookie);
    const who = door.whoOf(visit(c));
    const view: SessionView = {
      key: session.key,
      ...who !== undefined && { who },
    };
    return c.json(view);
  });
}

function addMetrics(
  app: Hono<Served>,
  { reader, index, latency }: PageServerOptions,
  stream: EventStream,
): void {
  const metrics = metricsOf(() => ({
    status: reader.status,
    totals: index.known(),
    openAlerts: index.sums.total[SUM.undecided] -
      index.queries.snoozed().alerts,
    latency: latency(),
    clients: stream.clients,
    skipped: stream.skipped,
    memoryBytes: Deno.memoryUsage().rss,
  }));
  app.get("/metrics", async (c) => {
    const headers = { "content-type": metrics.contentType };
    return c.text(await metrics.text(), 200, headers);
  });
}

/** The stream of snapshots; it ends when the session of its listener ends. */
function addStream(
  app: Hono<Served>,
  { door, visit, stream }: Entrance,
  snapshot: () => Snapshot,
): void {
  app.get("/api/live", (c) => {
    const listener = visit(c);
    const mayListen = () => door.stillAdmits(listener);
    const body = stream.open(JSON.stringify(snapshot()), mayListen);
    if (!body) return c.json({ error: "too many pages are open" }, 503);
    return c.body(body, 200, { "content-type": "text/event-stream" });
  });
}

/** An error as an answer: what a person did wrong, or what cannot be reached. */
function failed(error: Error, c: Context): Response {
  if (error instanceof DataError) return c.json({ error: error.message }, 422);
  if (error instanceof NotThereError) {
    return c.json({ error: error.message }, 404);
  }
  if (error instanceof ConflictError) {
    return c.json({ error: error.message, ...error.now }, 409);
  }
  const known = ["LogError", "StoreError", "ConfigError", "ModelError"];
  const message = known.includes(error.name)
    ? error.message
    : `unexpected error: ${error.message}`;
  return c.json({ error: message }, 503);
}

/** Adds the views' routes to the application. */
function routerOf(
  app: Hono<Served>,
  whoOf: (c: Context<Served>) => string | undefined,
): Router {
  const question = (c: Context<Served>) => questionOf(c, whoOf(c));
  return () => ({
    get: (path, make) => {
      app.get(path, async (c) => c.json(await make(question(c))));
    },
    post: (path, make) => {
      app.post(path, async (c) => c.json(await make(question(c)), 201));
    },
  });
}

function questionOf(c: Context, who: string | undefined): Question {
  return {
    part: (name) => c.req.param(name) ?? "",
    who,
    query: () => c.req.query(),
    body: async () => {
      const type = c.req.header("content-type") ?? "";
      const body: unknown = /^application\/json\b/.test(type)
        ? await c.req.json().catch(() => undefined)
        : undefined;
      const isObject = typeof body === "object" && body !== null;
      if (isObject && !Array.isArray(body)) {
        return body as Record<string, unknown>;
      }
      throw new DataError("the body must be a JSON object (application/json)");
    },
  };
}
