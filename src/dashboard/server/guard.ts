/**
 * Who may ask for what: headers that keep a browser from running or leaking
 * anything, names under which the page answers (DNS rebinding), the token,
 * and writes from the page itself only (cross-site request forgery).
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler, Next } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { INLINE } from "./assets.ts";
import { isLoopback } from "../../base/address.ts";
import type { PageToken } from "./exposure.ts";

/** Bytes of the largest body that is read. */
export const BODY_MAX = 64 * 1024;

/**
 * Puts the headers on an answer that keep a browser from running or leaking
 * anything, errors included.
 *
 * @internal (deno doc --lint would want hono documented)
 */
export function securing(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", INLINE.script],
      styleSrc: ["'self'", INLINE.style],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      workerSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
      requireTrustedTypesFor: ["'script'"],
      // The one that names the worker's file.
      trustedTypes: ["fraudstream"],
    },
    xFrameOptions: "DENY",
    // With no-referrer a browser sends 'Origin: null' with the forms of the page.
    referrerPolicy: "same-origin",
    permissionsPolicy: { camera: [], geolocation: [], microphone: [] },
    // The proxy that speaks TLS decides about it.
    strictTransportSecurity: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
}

/**
 * Keeps answers out of every cache, unless they say how long they can be kept.
 *
 * @internal
 */
export async function noStore(c: Context, next: Next): Promise<void> {
  await next();
  if (c.res.headers.has("cache-control")) return;
  c.res.headers.set("cache-control", "no-store");
}

/** Where a request comes from, as far as that is known. */
export interface Visit {
  /** What it says of itself. */
  readonly headers: Headers;
  /** The address that wrong tokens are counted for. */
  readonly address: string;
  /** Whether the browser speaks TLS, to a proxy that is trusted. */
  readonly secure: boolean;
  /** The path that a trusted proxy has taken away, "/fraud"; empty for none. */
  readonly prefix: string;
}

/**
 * A request's visit. Behind a trusted proxy the address and the scheme are
 * those that the proxy has added last; anybody could have written the rest.
 */
export function visitOf(
  headers: Headers,
  address: string,
  behindProxy: boolean,
): Visit {
  if (!behindProxy) return { headers, address, secure: false, prefix: "" };
  const last = (name: string) => headers.get(name)?.split(",").pop()?.trim();
  // Some proxies add the port.
  const client = last("x-forwarded-for")?.replace(/^\[(.*)\](:\d+)?$/, "$1")
    .replace(/^([\d.]+):\d+$/, "$1");
  return {
    headers,
    address: client || address,
    secure: last("x-forwarded-proto")?.toLowerCase() === "https",
    prefix: prefixOf(last("x-forwarded-prefix") ?? ""),
  };
}

/** A path that can stand in a cookie; empty for anything else. */
function prefixOf(text: string): string {
  const path = text.replace(/\/+$/, "");
  return /^(?:\/[\w.~-]+){1,10}$/.test(path) && path.length <= 200 ? path : "";
}

/** Why a request gets no answer. */
export interface Refusal {
  /** HTTP status. */
  readonly status: 403 | 421;
  /** One sentence. */
  readonly error: string;
}

/**
 * Refuses what comes under a foreign name, where the page is open; and what
 * would change something and does not come from the page. hono's csrf() is not
 * as strict: it looks at forms only and not at JSON, lets a write pass if either
 * Origin or Sec-Fetch-Site is right, and knows nothing of the token.
 */
export function refusalOf(
  method: string,
  visit: Visit,
  isOpen: boolean,
): Refusal | undefined {
  const { headers } = visit;
  const host = headers.get("host") ?? "";
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  // With a token nobody gets an answer who does not know it.
  if (isOpen && !isLoopback(name)) {
    return { status: 421, error: "this page answers to 127.0.0.1 only" };
  }
  if (method === "GET" || method === "HEAD" || isSameOrigin(visit)) {
    return undefined;
  }
  const error = "a write must come from the page itself (Origin) or carry " +
    "the token (Authorization: Bearer)";
  return { status: 403, error };
}

function isSameOrigin({ headers, secure }: Visit): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = headers.get("origin");
  // Browsers add the token to no request by themselves.
  if (origin === null) return bearer(headers) !== undefined;
  try {
    const { host, protocol } = new URL(origin);
    return host === headers.get("host") && (!secure || protocol === "https:");
  } catch {
    return false; // "null", from a sandboxed page
  }
}

function bearer(headers: Headers): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** The header that carries a page session's key with every write. */
export const KEY_HEADER = "x-fraudstream-key";

const COOKIE = "fraudstream_session";
const SESSION_MS = 12 * 3600 * 1000;
const SESSIONS_MAX = 1000;
/** How many wrong tokens of one address are checked in a period. */
const WRONG_MAX = 20;
const WRONG_MS = 60_000;
/** How many addresses that have sent wrong tokens are remembered. */
const ADDRESSES_MAX = 1000;

/** What a token comes to: let in, not let in, or not looked at. */
export type Admission = "yes" | "no" | "too often";

/** A token as it is kept. */
interface DigestedToken {
  readonly name: string | undefined;
  readonly digest: Uint8Array;
}

/** A session: until when, milliseconds of the clock, and whose. */
interface Session {
  readonly end: number;
  readonly name: string | undefined;
}

/** A page session that has begun, or goes on. */
export interface PageSession {
  /** What every write of the page must carry. */
  readonly key: string;
  /** The cookie to set; undefined for a session that goes on. */
  readonly cookie: string | undefined;
}

/**
 * Knows the token and the sessions of pages. Without a token everybody on this
 * machine may look; to write takes a session all the same, whose key no other
 * site can read.
 */
export class Door {
  readonly #tokens: readonly DigestedToken[];
  /** Sessions by their ids' digests. */
  readonly #sessions = new Map<string, Session>();
  readonly #wrong: WrongTokens;
  readonly #now: () => number;
  readonly #secret = randomBytes(32);

  /** Lets everybody look without a token; `now` is a clock in milliseconds. */
  constructor(tokens: readonly PageToken[], now: () => number = Date.now) {
    this.#tokens = tokens.map(({ name, token }) => {
      return { name, digest: digest(token) };
    });
    this.#now = now;
    this.#wrong = new WrongTokens(now);
  }

  /** Whether everybody may look. */
  get open(): boolean {
    return this.#tokens.length === 0;
  }

  /** The name of the token that a visitor has entered or sends; undefined where it has none. */
  whoOf(visit: Visit): string | undefined {
    return this.#sessionOf(visit)?.name ??
      this.#tokenOf(bearer(visit.headers))?.name;
  }

  /** Whether a request may be answered. */
  admits(visit: Visit): Admission {
    if (this.open || this.#sessionOf(visit)) return "yes";
    const shown = bearer(visit.headers);
    return shown === undefined ? "no" : this.#look(shown, visit.address);
  }

  /** Whether what was let in still is: for streams, which last. */
  stillAdmits(visit: Visit): boolean {
    return this.open || this.#sessionOf(visit) !== undefined ||
      this.#tokenOf(bearer(visit.headers)) !== undefined;
  }

  /** Whether a request that was let in may change something. */
  mayWrite(visit: Visit): boolean {
    if (this.#tokenOf(bearer(visit.headers))) return true;
    const id = sessionOf(visit);
    const key = visit.headers.get(KEY_HEADER);
    if (id === undefined || key === null || !this.#sessionOf(visit)) {
      return false;
    }
    return timingSafeEqual(digest(key), digest(this.#keyOf(id)));
  }

  /** The cookie of a new session for who shows the token. */
  enter(
    token: string,
    visit: Visit,
  ): { cookie: string } | Exclude<Admission, "yes"> {
    const admission = this.#look(token, visit.address);
    return admission === "yes"
      ? {
        cookie: cookieOf(
          this.#begin(this.#tokenOf(token)?.name),
          SESSION_MS,
          visit,
        ),
      }
      : admission;
  }

  /** The session of a page that was let in; begins one where everybody may look. */
  session(visit: Visit): PageSession | undefined {
    const id = sessionOf(visit);
    if (id !== undefined && this.#sessionOf(visit)) {
      return { key: this.#keyOf(id), cookie: undefined };
    }
    if (!this.open) return undefined;
    const begun = this.#begin(undefined);
    const cookie = cookieOf(begun, SESSION_MS, visit);
    return { key: this.#keyOf(begun), cookie };
  }

  /** Ends a session; gives the cookie that takes it from the browser. */
  leave(visit: Visit): string {
    const id = sessionOf(visit);
    if (id) this.#sessions.delete(nameOf(id));
    return cookieOf("", 0, visit);
  }

  #begin(name: string | undefined): string {
    const id = randomBytes(32).toString("hex");
    if (this.#sessions.size >= SESSIONS_MAX) deleteFirst(this.#sessions);
    this.#sessions.set(nameOf(id), { end: this.#now() + SESSION_MS, name });
    return id;
  }

  #sessionOf(visit: Visit): Session | undefined {
    const id = sessionOf(visit);
    const found = id === undefined ? undefined : this.#sessions.get(nameOf(id));
    return found && this.#now() < found.end ? found : undefined;
  }

  #look(token: string, address: string): Admission {
    if (this.#wrong.tooMany(address)) return "too often";
    if (this.#tokenOf(token)) return "yes";
    this.#wrong.count(address);
    return "no";
  }

  /** The token that was shown. All of them are compared, so that the time says nothing. */
  #tokenOf(shown: string | undefined): DigestedToken | undefined {
    if (shown === undefined) return undefined;
    const own = digest(shown);
    let found: DigestedToken | undefined;
    for (const token of this.#tokens) {
      if (timingSafeEqual(own, token.digest)) found = token;
    }
    return found;
  }

  #keyOf(id: string): string {
    // An id has a fixed length, so that no HMAC is needed.
    return createHash("sha256").update(this.#secret).update(id).digest("hex");
  }
}

/** Wrong tokens by address, so that a stranger's do not keep others out. */
class WrongTokens {
  /** Oldest first. */
  readonly #counts = new Map<string, { since: number; wrong: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether no more tokens of an address are looked at for now. */
  tooMany(address: string): boolean {
    const found = this.#counts.get(networkOf(address));
    return found !== undefined && found.wrong >= WRONG_MAX &&
      this.#now() - found.since <= WRONG_MS;
  }

  count(address: string): void {
    const network = networkOf(address);
    const found = this.#counts.get(network);
    if (found && this.#now() - found.since <= WRONG_MS) {
      found.wrong++;
      return;
    }
    this.#counts.delete(network);
    if (this.#counts.size >= ADDRESSES_MAX) deleteFirst(this.#counts);
    this.#counts.set(network, { since: this.#now(), wrong: 1 });
  }
}

/** What one person has at least: an IPv4 address, or 64 bits of an IPv6 one. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!plain.includes(":")) return plain.slice(0, 60);
  try {
    const { hostname } = new URL(`http://[${plain.replace(/%.*$/, "")}]`);
    const [head, tail] = hostname.slice(1, -1).split("::");
    const first = head === "" ? [] : head.split(":");
    const last = tail ? tail.split(":") : [];
    const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
    return [...first, ...Array(zeros).fill("0"), ...last].slice(0, 4).join(":");
  } catch {
    return plain.slice(0, 60);
  }
}

/** Behind TLS the name itself keeps plain HTTP from setting it, and other hosts too where it is for all paths. */
function cookieName({ secure, prefix }: Visit): string {
  if (!secure) return COOKIE;
  return prefix === "" ? `__Host-${COOKIE}` : `__Secure-${COOKIE}`;
}

function cookieOf(id: string, ageMs: number, visit: Visit): string {
  return `${
    cookieName(visit)
  }=${id}; Path=${visit.prefix}/; HttpOnly; SameSite=Strict; ` +
    `Max-Age=${ageMs / 1000}${visit.secure ? "; Secure" : ""}`;
}

function sessionOf(visit: Visit): string | undefined {
  const cookies = visit.headers.get("cookie") ?? "";
  const name = cookieName(visit);
  return new RegExp(`(?:^|; )${name}=([0-9a-f]{64})(?:;|$)`).exec(cookies)
    ?.[1];
}

/** Digests have one length, so that comparing them takes one time. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function nameOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}

function deleteFirst(map: Map<string, unknown>): void {
  for (const first of map.keys()) {
    map.delete(first);
    return;
  }
}
