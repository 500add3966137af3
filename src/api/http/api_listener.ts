/** Where the API listens: a gate with plain HTTP or TLS before its application. */
import { addressOf, writtenHost } from "../../base/address.ts";
import { ConfigError } from "../../base/error.ts";
import { Gate, SERVER_HOST } from "../../base/gate.ts";
import type { AddressedListener } from "../../base/tls_listener.ts";
import type { ApiServer } from "./api_server.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";

/** Connections at once, and those of one address. */
const CONNECTIONS_MAX = 1000;
const PER_ADDRESS_MAX = 500;
/** Longer than any answer takes to begin. Answers say it in whole seconds. */
const QUIET_MS = 60_000;

/** An API that listens until it is disposed of. */
export interface ApiListener extends AsyncDisposable {
  /** Where: http://127.0.0.1:8090. */
  readonly address: string;
  /** Connections that are open. */
  readonly connections: number;
}

/**
 * Listens with an application; a connection to which nothing is said for
 * `quietMs` is closed. Throws ConfigError where it cannot or may not.
 */
export async function listenApi(
  settings: ApiSettings,
  { fetch }: ApiServer,
  quietMs = QUIET_MS,
): Promise<ApiListener> {
  const listener = await open(settings);
  const keepAlive = `timeout=${Math.floor(quietMs / 1000)}`;
  const gate = new Gate({
    listener,
    fetch: async (request, address) => {
      const response = await fetch(request, address);
      response.headers.set("keep-alive", keepAlive);
      return response;
    },
    connectionsMax: CONNECTIONS_MAX,
    perAddressMax: PER_ADDRESS_MAX,
    quietMs,
  });
  const scheme = settings.tls === undefined ? "http" : "https";
  return {
    address: addressOf(settings.host, listener.addr.port, scheme),
    get connections() {
      return gate.connections;
    },
    [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
  };
}

/** Throws ConfigError where an API cannot or may not be served. */
export async function requireApiPort(settings: ApiSettings): Promise<void> {
  (await open(settings)).close();
}

async function open(
  { host, port, tls }: ApiSettings,
): Promise<AddressedListener> {
  const at = { hostname: host, port };
  try {
    if (tls === undefined) return Deno.listen(at);
    const cert = pem(tls.cert, "--api-tls-cert");
    const key = pem(tls.key, "--api-tls-key");
    // Loading node:tls takes 20 ms, which no other command should wait for.
    const { listenTls } = await import("../../base/tls_listener.ts");
    return await listenTls({ ...at, cert, key });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(refusal(error as Error, host, port));
  }
}

function pem(path: string, flag: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigError(
      `${flag}: cannot read ${path} (${
        (error as Error).message
      }); check the path`,
    );
  }
}

function refusal(error: Error, host: string, port: number): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `port ${port} is taken; give another --api-port (0: any that is free)`;
  }
  if (error instanceof Deno.errors.NotCapable) {
    return `the API may not listen at ${host}:${port}: add ` +
      `--allow-net=${writtenHost(host)},${SERVER_HOST} before main.ts`;
  }
  return `the API cannot listen at ${host}:${port} (${error.message}); check ` +
    "--api-host, --api-port and the files of --api-tls-cert and --api-tls-key";
}
