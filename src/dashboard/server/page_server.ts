/**
 * The page's server: what a browser asks for and what it may send, as an
 * application that takes a request and gives an answer. It listens nowhere
 * itself.
 */
import { Buffer } from "node:buffer";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { DataError } from "../../base/error.ts";
import type { Log } from "../../log/log.ts";
import type { Control, StreamParameters } from "../../stream/control.ts";
import {
  type DeadLetter,
  letterId,
  readDeadLetters,
} from "../../stream/dead_letters.ts";
import { requeue, whyNotEditable } from "../../stream/requeue.ts";
import type { LookUp, TimeRange } from "../../store/look_up.ts";
import type { Verdict } from "../../payment/label_json.ts";
import type { ModelMetric } from "../../store/tables.ts";
import type { LatencySummary } from "../../base/latency.ts";
import { parseDatetime } from "../../payment/calendar.ts";
import { readFingerprint } from "../../simulator/fingerprint.ts";
import { ASSETS, loginPage, pageWith } from "./assets.ts";
import {
  checkVerdict,
  keepVerdict,
  type QueueFilter,
  queueOf,
  readCase,
} from "../views/cases.ts";
import { EventStream } from "./event_stream.ts";
import { BODY_MAX, Door, refusalOf, secure, visitOf } from "./guard.ts";
import type { LiveReader } from "./live_reader.ts";
import type { LiveState, Place } from "../views/live_state.ts";
import { metricsOf } from "../views/metrics.ts";
import { modelViewOf, promote, rollBack } from "../views/model_view.ts";
import { snapshotOf } from "../views/snapshot.ts";
import { readLogView } from "../views/system.ts";

/** Pages that may listen at once. */
const CLIENTS_MAX = 500;
/** Dead letters that one answer has. */
const LETTERS_MAX = 200;
/** Characters of a dead letter's value that are shown. */
const RAW_MAX = 20_000;
/** Seconds after which a token of an address is looked at again. */
const RETRY_AFTER = "60";
const NO_KEY = "a write needs the key of a page session: reload the page " +
  "(a program gets one from /api/session, or sends the token)";
/** An answer that many pages ask for is made once in so long. */
const SHARED_MS = 1000;

/** What the page shows, and what it may do. */
export interface PageServerOptions {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** What the roles agreed on. */
  readonly parameters: StreamParameters;
  /** What is followed. */
  readonly reader: LiveReader;
  /** What that fills. */
  readonly state: LiveState;
  /** The store; undefined as long as it cannot be reached. */
  readonly lookUp: () => LookUp | undefined;
  /** From published to stored, where that is measured. */
  readonly latency: () => LatencySummary | undefined;
  /** What the trainer has stored of the models. */
  readonly metrics: () => Promise<readonly ModelMetric[]>;
  /** The registry's folder; undefined where there is none. */
  readonly models: string | undefined;
  /** What whoever looks has to know; undefined for nothing. */
  readonly token: string | undefined;
  /** Whether a proxy is before the page, whose X-Forwarded headers hold. */
  readonly behindProxy: boolean;
  /** What runs in this process, for people. */
  readonly process: {
    /** Threads by name. */
    readonly threads: readonly string[];
    /** Where the log is. */
    readonly log: string;
    /** Where the store is. */
    readonly store: string;
  };
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

/** What hono hands on with each request. */
type Served = { readonly Bindings: { readonly address: string } };

type Fields = Readonly<Record<string, unknown>>;

/** Makes the server. */
export function pageServer(options: PageServerOptions): PageServer {
  const { state, reader, token, latency } = options;
  const server = crypto.randomUUID();
  const began = Date.now();
  const stream = new EventStream(CLIENTS_MAX);
  const door = new Door(token);
  const snapshot = () =>
    snapshotOf({
      server,
      state,
      status: reader.status,
      latency: latency(),
      problem: reader.problem,
      caughtUp: reader.caughtUp,
    });
  const snapshotJson = () => JSON.stringify(snapshot());
  const metrics = metricsOf(() => ({
    status: reader.status,
    totals: state.totals,
    openAlerts: state.open().alerts,
    latency: latency(),
    clients: stream.clients,
    skipped: stream.skipped,
    memoryBytes: Deno.memoryUsage().rss,
  }));

  const visit = (c: Context<Served>) =>
    visitOf(c.req.raw.headers, c.env.address, options.behindProxy);

  const app = new Hono<Served>();
  app.use(async (c, next) => {
    const refusal = refusalOf(c.req.method, visit(c), token);
    if (refusal) c.res = c.json({ error: refusal.error }, refusal.status);
    else await next();
    secure(c.res.headers);
  });
  app.onError((error, c) => failed(error, c));
  app.notFound((c) => c.json({ error: "there is nothing here" }, 404));

  app.use(bodyLimit({
    maxSize: BODY_MAX,
    onError: (c) =>
      c.json({ error: `a body has at most ${BODY_MAX} bytes` }, 413),
  }));

  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const ready = reader.status !== undefined && reader.problem === undefined &&
      options.lookUp() !== undefined;
    return ready ? c.text("ready\n") : c.text("not ready\n", 503);
  });
  app.get("/page/:name", (c) => {
    const asset = ASSETS.get(c.req.param("name"));
    if (!asset) return c.notFound();
    return c.body(asset.text, 200, { "content-type": asset.type });
  });
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
    return c.redirect("/", 303);
  });
  app.post("/logout", (c) => {
    c.header("set-cookie", door.leave(visit(c)));
    stream.endUnwelcome();
    return c.redirect("/login", 303);
  });

  // From here on only for who has the token, where there is one.
  app.use(async (c, next) => {
    const admission = door.admits(visit(c));
    if (admission === "yes") return await next();
    if (admission === "too often") {
      c.header("retry-after", RETRY_AFTER);
      return c.json({ error: "too many wrong tokens; wait a minute" }, 429);
    }
    if (c.req.path === "/") return c.redirect("/login", 303);
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
    return c.json({ key: session.key });
  });
  app.get("/", (c) => c.html(pageWith(snapshot())));
  app.get(
    "/metrics",
    async (c) =>
      c.text(await metrics.text(), 200, {
        "content-type": metrics.contentType,
      }),
  );
  app.get("/api/live", (c) => {
    const listener = visit(c);
    const mayListen = () => door.stillAdmits(listener);
    const body = stream.open(snapshotJson(), mayListen);
    if (!body) return c.json({ error: "too many pages are open" }, 503);
    return c.body(body, 200, { "content-type": "text/event-stream" });
  });
  addCases(app, options);
  addPlaces(app, options);
  addModel(app, options);
  addDeadLetters(app, options);
  const logView = shared(() => readLogView(options.log));
  app.get("/api/system", async (c) => {
    const { rss, heapUsed } = Deno.memoryUsage();
    return c.json({
      ...await logView(),
      ...options.process,
      memory: { residentBytes: rss, pageHeapBytes: heapUsed },
      page: {
        clients: stream.clients,
        skipped: stream.skipped,
        upSeconds: Math.round((Date.now() - began) / 1000),
        guarded: !door.open,
      },
    });
  });
  return {
    fetch: (request, address) => app.fetch(request, { address }),
    tick: () => stream.send(snapshotJson),
    close: () => stream.close(),
  };
}

/** An error as an answer: what a person did wrong, or what cannot be reached. */
function failed(error: Error, c: Context): Response {
  if (error instanceof DataError) return c.json({ error: error.message }, 422);
  const known = ["LogError", "StoreError", "ConfigError", "ModelError"];
  const message = known.includes(error.name)
    ? error.message
    : `unexpected error: ${error.message}`;
  return c.json({ error: message }, 503);
}

function addCases(app: Hono<Served>, options: PageServerOptions): void {
  const { state, parameters, log, control } = options;
  const { features } = parameters;
  const inTurn = turns();
  let lastMs = 0;
  app.get("/api/alerts", (c) => c.json(queueOf(state, filterOf(c))));
  app.get("/api/cases/:id", async (c) => {
    const id = wholeOf(c.req.param("id"), "the case");
    const lookUp = stored(options);
    const found = await readCase(id, { state, lookUp, features });
    if (!found) return c.json({ error: `there is no payment ${id}` }, 404);
    const { customer, terminal } = found.payment;
    return c.json({
      ...found,
      card: placeOf(state, state.customers.get(customer)),
      terminal: placeOf(state, state.terminals.get(terminal)),
      reach: reachOf(state, state.customers.get(customer), radiusOf(control)),
      radius: radiusOf(control),
    });
  });
  app.post("/api/cases/:id/verdicts", async (c) => {
    const id = wholeOf(c.req.param("id"), "the case");
    const decided = checkVerdict(await bodyOf(c));
    const lookUp = stored(options);
    return await inTurn(async () => {
      const payment = state.payment(id) ?? state.alerts.get(id) ??
        (await lookUp.payment(id))?.payment;
      if (!payment) return c.json({ error: `there is no payment ${id}` }, 404);
      // The time tells a payment's verdicts apart.
      lastMs = Math.max(Date.now(), lastMs + 1);
      const decidedAt = new Date(lastMs).toISOString();
      const verdict: Verdict = { transactionId: id, decidedAt, ...decided };
      const timestampMs = (parseDatetime(payment.datetime) ?? 0) * 1000;
      await keepVerdict(verdict, { log, lookUp, timestampMs });
      state.addVerdict(verdict);
      return c.json({ verdict, verdicts: await lookUp.verdicts(id) }, 201);
    });
  });
}

function filterOf(c: Context): QueueFilter {
  const { sort, state, score, scenario, card, terminal, day } = c.req.query();
  const number = (text: string | undefined, what: string) =>
    text ? wholeOf(text, what) : undefined;
  const scoreMin = score ? Number(score) : undefined;
  if (Number.isNaN(scoreMin)) throw new DataError("score must be a number");
  return {
    sort: sort === "score" ? "score" : "newest",
    state: state === "open" || state === "confirmed" || state === "cleared"
      ? state
      : undefined,
    scoreMin,
    scenario: number(scenario, "scenario"),
    card: number(card, "card"),
    terminal: number(terminal, "terminal"),
    day: number(day, "day"),
  };
}

function addPlaces(app: Hono<Served>, options: PageServerOptions): void {
  const { state, control } = options;
  const plane = shared(() => Promise.resolve(planeOf(state)));
  app.get("/api/map", async (c) => c.json(await plane()));
  app.get("/api/cards/:id", async (c) => {
    const id = wholeOf(c.req.param("id"), "the card");
    const card = state.customers.get(id);
    if (!card) return c.json({ error: `there is no card ${id}` }, 404);
    const radius = radiusOf(control);
    return c.json({
      card: placeOf(state, card),
      radius,
      reach: reachOf(state, card, radius),
      payments: await stored(options).ofCustomer(id, NEWEST),
    });
  });
  app.get("/api/terminals/:id", async (c) => {
    const id = wholeOf(c.req.param("id"), "the terminal");
    const terminal = state.terminals.get(id);
    if (!terminal) return c.json({ error: `there is no terminal ${id}` }, 404);
    return c.json({
      terminal: placeOf(state, terminal),
      payments: await stored(options).ofTerminal(id, NEWEST),
    });
  });
}

/** The newest payments of a card or a terminal, as far back as a page needs. */
const NEWEST: TimeRange = { fromSeconds: 0, toSeconds: 2 ** 31 - 1, limit: 50 };

/** All terminals and cards with their places: columns, which are short. */
function planeOf(state: LiveState): Record<string, unknown> {
  const columns = (places: Iterable<Place>) => {
    const known = [...places].filter(({ x }) => !Number.isNaN(x));
    return {
      id: known.map(({ id }) => id),
      x: known.map(({ x }) => round(x)),
      y: known.map(({ y }) => round(y)),
      payments: known.map(({ payments }) => payments),
      frauds: known.map(({ frauds }) => frauds),
      risk: known.map(({ risk }) => round(risk)),
      compromised: known.map((place) => state.isCompromised(place) ? 1 : 0),
    };
  };
  return {
    terminals: columns(state.terminals.values()),
    cards: columns(state.customers.values()),
  };
}

/** A place as the page has it. */
function placeOf(
  state: LiveState,
  place: Place | undefined,
): Record<string, unknown> | undefined {
  if (!place) return undefined;
  const { id, x, y, payments, frauds, risk } = place;
  return {
    id,
    x: Number.isNaN(x) ? null : x,
    y: Number.isNaN(y) ? null : y,
    payments,
    frauds,
    risk,
    compromised: state.isCompromised(place),
  };
}

/** Ids of the terminals that a card reaches. */
function reachOf(
  state: LiveState,
  card: Place | undefined,
  radius: number | undefined,
): number[] {
  if (!card || radius === undefined) return [];
  const reach: number[] = [];
  for (const { id, x, y } of state.terminals.values()) {
    if (Math.hypot(x - card.x, y - card.y) < radius) reach.push(id);
  }
  return reach;
}

/** The radius that the producer's data have; undefined for a stream of others. */
function radiusOf(control: Control): number | undefined {
  const recorded = control.origin?.fingerprint;
  return recorded && readFingerprint(recorded)?.parameters.radius || undefined;
}

function addModel(app: Hono<Served>, options: PageServerOptions): void {
  const { state, models, parameters, control } = options;
  const { delayDays } = parameters.features;
  const inTurn = turns();
  const folder = () => {
    if (models !== undefined) return models;
    throw new DataError("the scorer has no registry of models to change");
  };
  const view = shared(async () => {
    const metrics = await options.metrics();
    await control.refresh();
    const threshold = control.alertThreshold;
    return modelViewOf(state, { delayDays, models, metrics, threshold });
  });
  app.get("/api/model", async (c) => c.json(await view()));
  app.post("/api/model/threshold", async (c) => {
    const { threshold } = await bodyOf(c);
    if (typeof threshold !== "number" || !(threshold >= 0 && threshold <= 1)) {
      throw new DataError("the threshold must be a number from 0 to 1");
    }
    await inTurn(() => control.applyThreshold(threshold));
    return c.json({ threshold }, 201);
  });
  app.post("/api/model/promote", async (c) => {
    const { version } = await bodyOf(c);
    return c.json(
      await inTurn(() => promote(folder(), String(version))),
      201,
    );
  });
  app.post("/api/model/roll-back", async (c) => {
    await bodyOf(c);
    return c.json(await inTurn(() => rollBack(folder())), 201);
  });
}

function addDeadLetters(app: Hono<Served>, options: PageServerOptions): void {
  const { log, control, parameters } = options;
  const inTurn = turns();
  app.get("/api/dead-letters", async (c) => {
    await control.refresh();
    const newest: DeadLetter[] = [];
    let total = 0;
    for await (const letter of readDeadLetters(log)) {
      total++;
      newest.push(letter);
      if (newest.length > LETTERS_MAX) newest.shift();
    }
    const letters = newest.reverse().map((letter) => {
      const id = letterId(letter);
      const text = Buffer.from(letter.value, "base64").toString("utf8");
      return {
        id,
        reason: letter.reason,
        message: letter.message,
        raw: text.slice(0, RAW_MAX),
        fixed: whyNotEditable(letter),
        requeued: control.requeued(id),
      };
    });
    return c.json({ total, letters });
  });
  app.post("/api/dead-letters/requeue", async (c) => {
    const { id, json, again } = await bodyOf(c);
    if (typeof id !== "string" || typeof json !== "string") {
      throw new DataError("id and json must be text");
    }
    return await inTurn(async () => {
      for await (const letter of readDeadLetters(log)) {
        if (letterId(letter) !== id) continue;
        const place = await requeue({
          log,
          control,
          parameters,
          letter,
          json,
          again: again === true ? "append" : "refuse",
        });
        return c.json(place, 201);
      }
      return c.json({ error: `there is no dead letter ${id}` }, 404);
    });
  });
}

function stored({ lookUp }: PageServerOptions): LookUp {
  const found = lookUp();
  if (found) return found;
  throw new DataError("the store has not been reached yet; try again");
}

/** A body that is a JSON object; throws DataError for anything else. */
async function bodyOf(c: Context): Promise<Fields> {
  const type = c.req.header("content-type") ?? "";
  const body = /^application\/json\b/.test(type)
    ? await c.req.json().catch(() => undefined)
    : undefined;
  if (typeof body === "object" && body !== null) return body as Fields;
  throw new DataError("the body must be a JSON object (application/json)");
}

function wholeOf(text: string, what: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new DataError(`${what} must be a whole number`);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** Lets what changes the log happen one after the other: a producer fences the one before. */
function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}

/** An answer that is made at most once in a while, however many ask. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  let until = -Infinity;
  return () => {
    const now = performance.now();
    if (!made || now > until) {
      made = make();
      until = now + SHARED_MS;
      made.catch(() => until = -Infinity);
    }
    return made;
  };
}
