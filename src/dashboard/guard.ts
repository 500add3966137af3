/**
 * Who may ask for what: headers that keep a browser from running or leaking
 * anything, names under which the page answers (DNS rebinding), the token,
 * and writes from the page itself only (cross-site request forgery).
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { isLoopback } from "./exposure.ts";

/** Bytes of the largest body that is read. */
export const BODY_MAX = 64 * 1024;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  // The one that names the worker's file.
  "trusted-types fraudstream",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cache-control": "no-store",
};

/** Puts the headers on an answer, errors included. */
export function secure(headers: Headers): void {
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
}

/** Why a request gets no answer. */
export interface Refusal {
  /** HTTP status. */
  readonly status: 403 | 413 | 421;
  /** One sentence. */
  readonly error: string;
}

/**
 * Refuses what comes under a foreign name, where there is no token; and what
 * would change something and does not come from the page, or is too long.
 */
export function refusalOf(
  { method, headers }: Request,
  token: string | undefined,
): Refusal | undefined {
  const host = headers.get("host") ?? "";
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  // With a token nobody gets an answer who does not know it.
  if (token === undefined && !isLoopback(name)) {
    return { status: 421, error: "this page answers to 127.0.0.1 only" };
  }
  if (method === "GET" || method === "HEAD") return undefined;
  if (!isSameOrigin(headers)) {
    const error = "a write must come from the page itself (Origin) or carry " +
      "the token (Authorization: Bearer)";
    return { status: 403, error };
  }
  // A browser always says how much it sends.
  const length = Number(headers.get("content-length") ?? NaN);
  if (length <= BODY_MAX) return undefined;
  return { status: 413, error: `a body has at most ${BODY_MAX} bytes` };
}

function isSameOrigin(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = headers.get("origin");
  // Browsers add the token to no request by themselves.
  if (origin === null) return bearer(headers) !== undefined;
  try {
    return new URL(origin).host === headers.get("host");
  } catch {
    return false; // "null", from a sandboxed page
  }
}

function bearer(headers: Headers): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

const COOKIE = "fraudstream_session";
const SESSION_MS = 12 * 3600 * 1000;
const SESSIONS_MAX = 1000;
/** So many wrong tokens are looked at in a while. */
const WRONG_MAX = 20;
const WRONG_MS = 60_000;

/** Knows the token, and who has shown it. */
export class Door {
  readonly #token: Uint8Array | undefined;
  /** Ends of sessions by their ids' digests. */
  readonly #sessions = new Map<string, number>();
  readonly #now: () => number;
  #wrong = 0;
  #wrongSince = 0;

  /** Lets everybody in without a token; `now` is a clock in milliseconds. */
  constructor(token: string | undefined, now: () => number = Date.now) {
    this.#token = token === undefined ? undefined : digest(token);
    this.#now = now;
  }

  /** Whether everybody may come in. */
  get open(): boolean {
    return this.#token === undefined;
  }

  /** Whether a request may be answered. */
  admits(headers: Headers): boolean {
    if (this.#token === undefined) return true;
    const shown = bearer(headers);
    if (shown !== undefined) return this.#isToken(shown);
    const id = sessionOf(headers);
    const end = id && this.#sessions.get(keyOf(id));
    return typeof end === "number" && this.#now() < end;
  }

  /** The cookie of a new session for who shows the token. */
  enter(token: string): { cookie: string } | "wrong" | "too often" {
    const now = this.#now();
    if (now - this.#wrongSince > WRONG_MS) this.#wrong = 0;
    if (this.#wrong >= WRONG_MAX) return "too often";
    if (!this.#isToken(token)) {
      if (this.#wrong++ === 0) this.#wrongSince = now;
      return "wrong";
    }
    const id = randomBytes(32).toString("hex");
    if (this.#sessions.size >= SESSIONS_MAX) {
      for (const oldest of this.#sessions.keys()) {
        this.#sessions.delete(oldest);
        break;
      }
    }
    this.#sessions.set(keyOf(id), now + SESSION_MS);
    return {
      cookie: `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Strict; ` +
        `Max-Age=${SESSION_MS / 1000}`,
    };
  }

  /** Ends a session; gives the cookie that takes it from the browser. */
  leave(headers: Headers): string {
    const id = sessionOf(headers);
    if (id) this.#sessions.delete(keyOf(id));
    return `${COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`;
  }

  #isToken(shown: string): boolean {
    return this.#token !== undefined &&
      timingSafeEqual(digest(shown), this.#token);
  }
}

function sessionOf(headers: Headers): string | undefined {
  const cookies = headers.get("cookie") ?? "";
  return new RegExp(`(?:^|; )${COOKIE}=([0-9a-f]{64})(?:;|$)`).exec(cookies)
    ?.[1];
}

/** Digests have one length, so that comparing them takes one time. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function keyOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}
