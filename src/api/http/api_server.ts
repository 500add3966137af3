/**
 * The HTTP application of the API: takes a request and gives an answer. It
 * listens nowhere itself.
 */
import type { Context, Next, TypedResponse } from "hono";
import { cors } from "hono/cors";
import { OpenAPIHono } from "@hono/zod-openapi";
import { LogError, StoreError } from "../../base/error.ts";
import type { Logger } from "../../base/logger.ts";
import { Problem } from "../problem.ts";
import type { StreamApi, VersionedAnswer } from "../stream_api.ts";
import { Admission } from "./admission.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";
import type { Scope } from "./api_tokens.ts";
import { HttpMetrics } from "./http_metrics.ts";
import { openApiDocument } from "./open_api_document.ts";
import { type Operations, operationsOf } from "./operations.ts";
import { problemResponse } from "./problem_document.ts";
import { REFERENCE_POLICY, referencePage } from "./reference_page.ts";
import { bodyText, mediaTypeOf } from "./request_body.ts";

/** The HTTP application. */
export interface ApiServer {
  /** Answers a request that came from an address. */
  readonly fetch: (request: Request, address: string) => Promise<Response>;
}

/** What a request carries through the application. */
interface Visit {
  readonly address: string;
  /** The path with the names of its parameters, for metrics. */
  route: string;
  /** Who makes it: the name of the token. */
  who: string;
}

type Served = { readonly Bindings: Visit };
type App = OpenAPIHono<Served>;

/** What the routes are made from. */
interface Parts {
  readonly app: App;
  readonly api: StreamApi;
  readonly settings: ApiSettings;
  readonly operations: Operations;
  readonly enter: (
    scope: Scope,
  ) => (c: Context<Served>, next: Next) => Promise<void>;
}

/**
 * Makes the application of a stream. Errors that are no Problem go to `logger`;
 * `now` is a clock in milliseconds. Throws ConfigError for a bad file of tokens.
 */
export function apiServer(
  api: StreamApi,
  settings: ApiSettings,
  { logger, now = () => performance.now() }: {
    readonly logger: Logger;
    readonly now?: () => number;
  },
): ApiServer {
  const admission = new Admission(settings, logger, now);
  const metrics = new HttpMetrics();
  const app: App = new OpenAPIHono<Served>({
    defaultHook: (result) => {
      if (!result.success) throw badRequest(result.target, result.error.issues);
    },
  });
  const operations = operationsOf(api, settings);
  const enter = (scope: Scope) => async (c: Context<Served>, next: Next) => {
    c.env.route = c.req.routePath;
    c.env.who = await admission.enter(c.req.raw, c.env.address, scope);
    await next();
  };
  const parts = { app, api, settings, operations, enter };
  app.onError((error, c) => problemResponse(problemOf(error, c, logger)));
  app.notFound((c) => problemResponse(...missing(app, c)));
  app.use(async (c, next) => {
    admission.checkSource(c.req.raw);
    await next();
  });
  addCors(app, settings);
  addDecisions(parts);
  addReading(parts);
  addRules(parts);
  addLists(parts);
  addHealth(parts, metrics);
  addDescription(parts, now);
  return {
    async fetch(request, address) {
      const visit: Visit = { address, route: "none", who: "" };
      const began = performance.now();
      metrics.begin();
      let status = 500;
      try {
        // Hono would say of HEAD that the body has no bytes; the server says how
        // many it has, and leaves them out.
        const asked = request.method === "HEAD"
          ? new Request(request.url, { headers: request.headers })
          : request;
        const response = await app.fetch(asked, visit);
        ({ status } = response);
        return response;
      } finally {
        const seconds = (performance.now() - began) / 1000;
        metrics.end(visit.route, request.method, status, seconds);
      }
    },
  };
}

/** An answer of any route: the application sends texts as the stream gives them. */
type Answer = Response & TypedResponse<never, never, never>;

/** Headers of answers that no cache may keep. */
const JSON_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

function json(
  text: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return new Response(text, {
    status,
    headers: { ...JSON_HEADERS, ...headers },
  }) as Answer;
}

function addCors(app: App, { allowOrigins }: ApiSettings): void {
  if (allowOrigins.length === 0) return;
  app.use(cors({
    origin: [...allowOrigins],
    allowMethods: ["GET", "HEAD", "POST", "PUT"],
    allowHeaders: [
      "Authorization",
      "Content-Type",
      "If-Match",
      "If-None-Match",
    ],
    exposeHeaders: ["ETag", "Retry-After", "Server-Timing"],
    maxAge: 600,
  }));
}

function addDecisions({ app, api, settings, operations, enter }: Parts): void {
  const { bodies } = settings;
  app.openapi(
    { ...operations.score, middleware: enter("score") },
    async (c) => {
      mediaTypeOf(c.req.raw, ["application/json"]);
      const body = await bodyText(c.req.raw, bodies.score);
      const { features } = c.req.valid("query");
      const answer = await api.score(body, features === "true");
      return json(answer.json, 200, {
        "server-timing": `append;dur=${milliseconds(answer.waitedMs)}, ` +
          `decide;dur=${milliseconds(answer.decidedMs)}`,
      });
    },
  );
  app.openapi(
    { ...operations.addPayments, middleware: enter("payments") },
    async (c) => {
      const format = FORMATS[mediaTypeOf(c.req.raw, PAYMENT_TYPES)];
      const body = await bodyText(c.req.raw, bodies.payments);
      return json(await api.addPayments(body, format), 202);
    },
  );
  app.openapi(
    { ...operations.addLabels, middleware: enter("labels") },
    async (c) => {
      const format = FORMATS[mediaTypeOf(c.req.raw, LABEL_TYPES)];
      const body = await bodyText(c.req.raw, bodies.labels);
      return json(await api.addLabels(body, format), 202);
    },
  );
}

const FORMATS = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "text/csv": "csv",
} as const;

const PAYMENT_TYPES = ["application/json", "application/x-ndjson"] as const;
const LABEL_TYPES = [...PAYMENT_TYPES, "text/csv"] as const;

/** Milliseconds with as many digits as a header needs. */
function milliseconds(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function addReading({ app, api, operations, enter }: Parts): void {
  const middleware = enter("read");
  app.openapi(
    { ...operations.payment, middleware },
    async (c) => json(await api.payment(c.req.valid("param").id)),
  );
  app.openapi(
    { ...operations.customer, middleware },
    async (c) => json(await api.customer(c.req.valid("param").id)),
  );
  app.openapi(
    { ...operations.terminal, middleware },
    async (c) => json(await api.terminal(c.req.valid("param").id)),
  );
}

function addRules({ app, api, settings, operations, enter }: Parts): void {
  const middleware = enter("rules");
  app.openapi(
    { ...operations.rules, middleware },
    async (c) => versioned(await api.rules(), c.req.header("if-none-match")),
  );
  app.openapi({ ...operations.replaceRules, middleware }, async (c) => {
    mediaTypeOf(c.req.raw, ["application/yaml"]);
    const yaml = await bodyText(c.req.raw, settings.bodies.rules);
    const version = await replacedVersion(
      c.req.valid("header"),
      () => api.rules(),
    );
    const answer = await api.replaceRules(yaml, version, c.env.who);
    return replaced(answer, version);
  });
}

function addLists({ app, api, settings, operations, enter }: Parts): void {
  const middleware = enter("rules");
  app.openapi(
    { ...operations.lists, middleware },
    async () => json(await api.lists()),
  );
  app.openapi({ ...operations.list, middleware }, async (c) => {
    const { name } = c.req.valid("param");
    return versioned(await api.list(name), c.req.header("if-none-match"));
  });
  app.openapi({ ...operations.replaceList, middleware }, async (c) => {
    mediaTypeOf(c.req.raw, ["text/csv"]);
    const { name } = c.req.valid("param");
    const csv = await bodyText(c.req.raw, settings.bodies.list);
    const version = await replacedVersion(
      c.req.valid("header"),
      () => api.list(name),
    );
    const answer = await api.replaceList(name, csv, version, c.env.who);
    return replaced(answer, version);
  });
}

/** A resource with its version as ETag, or 304 where the client has that version. */
function versioned(
  { json: text, version }: VersionedAnswer,
  known: string | undefined,
): Answer {
  if (version === null) return json(text);
  const headers = { etag: `"${version}"`, "cache-control": "no-cache" };
  const tags = (known ?? "").split(",").map((tag) => {
    return tag.trim().replace(/^W\//, "");
  });
  return tags.includes(headers.etag) || tags.includes("*")
    ? new Response(null, { status: 304, headers }) as Answer
    : json(text, 200, headers);
}

function replaced(
  { json: text, version, status }: VersionedAnswer,
  before: string | null,
): Answer {
  const etag = version === null ? {} : { etag: `"${version}"` };
  if (status === "proposed") return json(text, 202, etag);
  return json(text, before === null ? 201 : 200, etag);
}

/** The version that a replacement names; null for none. Throws Problem. */
async function replacedVersion(
  { "If-Match": match, "If-None-Match": none }: {
    readonly "If-Match"?: string | undefined;
    readonly "If-None-Match"?: string | undefined;
  },
  current: () => Promise<VersionedAnswer>,
): Promise<string | null> {
  if (match !== undefined && none !== undefined) {
    throw new Problem(
      "bad-request",
      "If-Match and If-None-Match exclude each other; send one of the two",
    );
  }
  if (none !== undefined) return null;
  if (match === undefined) {
    throw new Problem(
      "precondition-required",
      "say which version is replaced: If-Match with the ETag of GET, or " +
        "If-None-Match: * where there is none yet",
    );
  }
  if (match !== "*") return match.slice(1, -1);
  const { version } = await current();
  if (version !== null) return version;
  throw new Problem(
    "outdated",
    "there is no version yet that If-Match: * names",
  );
}

function addHealth(
  { app, api, operations, enter }: Parts,
  metrics: HttpMetrics,
): void {
  app.openapi(operations.healthz, (c) => {
    c.env.route = c.req.routePath;
    return text("ok\n");
  });
  app.openapi(operations.readyz, async (c) => {
    c.env.route = c.req.routePath;
    const notReady = await api.notReady();
    if (notReady === undefined) return text("ready\n");
    throw new Problem("unavailable", notReady, { retryAfter: 1 });
  });
  app.openapi(
    { ...operations.metrics, middleware: enter("metrics") },
    async () =>
      text(await metrics.text(await api.metrics()), metrics.contentType),
  );
}

function text(body: string, type = "text/plain; charset=utf-8"): Answer {
  return json(body, 200, { "content-type": type });
}

function addDescription(
  { app, api, settings, operations }: Parts,
  now: () => number,
): void {
  const document = openApiDocument(api, settings, now);
  app.openapi(operations.openApi, (c) => {
    c.env.route = c.req.routePath;
    return json(JSON.stringify(document()));
  });
  app.openapi(operations.docs, (c) => {
    c.env.route = c.req.routePath;
    const { origin } = new URL(c.req.url);
    return json(referencePage(document(), originOf(origin, settings)), 200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": REFERENCE_POLICY,
      "referrer-policy": "no-referrer",
    });
  });
}

/** Where a client has reached the API: the gate speaks TLS and the server behind it does not. */
function originOf(origin: string, { tls }: ApiSettings): string {
  return tls === undefined ? origin : origin.replace(/^http:/, "https:");
}

/** What validates a part of a request, as people call it. */
const TARGETS: Readonly<Record<string, string>> = {
  query: "query parameter",
  param: "path parameter",
  header: "header",
};

function badRequest(
  target: string,
  issues: readonly {
    readonly path: readonly PropertyKey[];
    readonly message: string;
  }[],
): Problem {
  const [{ path, message }] = issues;
  const name = path.length > 0 ? ` ${path.map(String).join(".")}` : "s";
  return new Problem(
    "bad-request",
    `${TARGETS[target] ?? target}${name}: ${message}`,
  );
}

/** The problem that an error is. Its text stays in the log where it may say something internal. */
function problemOf(error: Error, c: Context<Served>, logger: Logger): Problem {
  if (error instanceof Problem) return error;
  const { route } = c.env;
  if (error instanceof LogError || error instanceof StoreError) {
    logger.warn("a request failed", { route, error: error.message });
    return new Problem(
      "unavailable",
      "the log or the store of the stream does not answer; try again",
      { retryAfter: 1 },
    );
  }
  logger.error("a request failed", {
    route,
    error: error.stack ?? String(error),
  });
  return new Problem(
    "internal",
    "an error of this program; its log has the details",
  );
}

/** 404, or 405 with the methods that the path has. */
function missing(
  app: App,
  c: Context<Served>,
): [Problem, Record<string, string>] {
  const { path, method } = c.req;
  const allowed = app.routes
    .filter((route) => route.method !== "ALL" && matches(route.path, path))
    .flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : [method]);
  const methods = [...new Set(allowed)].sort().join(", ");
  if (methods === "") {
    return [
      new Problem("not-found", "there is no such path; /docs lists them"),
      {},
    ];
  }
  const detail =
    `the path does not have the method ${method}; it has ${methods}`;
  return [new Problem("method-not-allowed", detail), { allow: methods }];
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const parts = path.split("/");
  return wanted.length === parts.length &&
    wanted.every((part, at) =>
      part === parts[at] || part.startsWith(":") && parts[at] !== ""
    );
}
