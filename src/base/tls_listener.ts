/**
 * A listener that speaks TLS. Connections of Deno.listenTls() cannot turn off
 * Nagle's algorithm, so an answer may wait 40 ms for the client to acknowledge
 * what came before it: the end of the handshake, or another block. And closing
 * one that has not spoken TLS yet does not close it. Those of node:tls send
 * every block at once and close, where Deno is not too old.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { GateClient, GateListener } from "./gate.ts";

/** Where to listen, with a certificate chain and its key. */
export interface TlsPlace {
  /** The address. */
  readonly hostname: string;
  /** The port; 0 for any that is free. */
  readonly port: number;
  /** The certificate chain, as PEM. */
  readonly cert: string;
  /** Its key, as PEM. */
  readonly key: string;
}

/** A listener that says where it listens. */
export interface AddressedListener extends GateListener {
  /** Where. */
  readonly addr: Deno.NetAddr;
}

/** Listens. Throws as Deno.listenTls() does. */
export async function listenTls(place: TlsPlace): Promise<AddressedListener> {
  // It also says what is wrong with the address or the certificate.
  const listener = Deno.listenTls(place);
  if (!canServe()) return listener;
  const { addr } = listener;
  listener.close();
  const server = createServer({ noDelay: true, allowHalfOpen: true });
  const waiting = new NodeListener(server, addr, createSecureContext(place));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(addr.port, addr.hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return waiting;
}

/** Whether this Deno has a node:tls that can serve: 2.4.2 has not. */
function canServe(): boolean {
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 9;
}

/** Clients are there from their first packet on, before any handshake, so that a gate can count them. */
class NodeListener implements AddressedListener {
  readonly addr: Deno.NetAddr;
  readonly #server: Server;
  #clients: GateClient[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(server: Server, addr: Deno.NetAddr, context: SecureContext) {
    this.addr = addr;
    this.#server = server;
    server.on("connection", (socket) => {
      this.#clients.push(new NodeClient(socket, context));
      this.#wake?.();
    });
  }

  async accept(): Promise<GateClient> {
    for (;;) {
      if (this.#isClosed) throw new Deno.errors.BadResource("closed");
      const client = this.#clients.shift();
      if (client) return client;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server.close();
    for (const client of this.#clients) client.close();
    this.#wake?.();
  }
}

/** How long the end of a connection may take to be sent, milliseconds. */
const END_MS = 500;

/** A connection of node:tls, used as one of Deno's. */
class NodeClient implements GateClient {
  readonly remoteAddr: { readonly hostname: string };
  readonly #raw: Socket;
  readonly #socket: TLSSocket;
  #rest: Uint8Array = new Uint8Array(0);
  #wake: (() => void) | undefined;
  #failWrite: ((error: Error) => void) | undefined;
  #error: Error | undefined;
  #hasEnded = false;

  constructor(raw: Socket, secureContext: SecureContext) {
    this.remoteAddr = { hostname: raw.remoteAddress ?? "" };
    this.#raw = raw;
    // The types of a server's socket are those of a client's.
    const options = { isServer: true, secureContext, allowHalfOpen: true };
    const socket = this.#socket = new TLSSocket(raw, options);
    const over = (error: Error | undefined) => {
      this.#error ??= error;
      this.#hasEnded = true;
      if (error) this.#failWrite?.(error);
      this.#wake?.();
    };
    socket.on("readable", () => this.#wake?.());
    socket.on("end", () => over(undefined));
    socket.on("error", over);
    raw.on("error", over);
    socket.on("close", () => over(new Deno.errors.ConnectionReset("closed")));
  }

  async read(block: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#rest.length === 0) this.#rest = this.#socket.read() ?? NOTHING;
      const rest = this.#rest;
      if (rest.length > 0) {
        const count = Math.min(rest.length, block.length);
        block.set(rest.subarray(0, count));
        this.#rest = rest.subarray(count);
        return count;
      }
      if (this.#error) throw this.#error;
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      if (this.#error) return reject(this.#error);
      this.#failWrite = reject;
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
    this.#failWrite = undefined;
    return bytes.length;
  }

  close(): void {
    const destroy = () => {
      this.#socket.destroy();
      this.#raw.destroy();
    };
    // A client that does not read does not get the end either.
    if (this.#failWrite || this.#error) return destroy();
    const patience = setTimeout(destroy, END_MS);
    this.#raw.once("close", () => clearTimeout(patience));
    this.#socket.end(destroy);
  }
}

const NOTHING = new Uint8Array(0);
