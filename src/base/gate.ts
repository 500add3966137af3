/**
 * A web server whose connections are bounded in number and in time. Deno's
 * server waits for ever for a request that never ends, and takes any number of
 * connections. So it listens at a port of this machine alone, and a gate stands
 * at the public address, with TLS if its listener has it: it lets in so many
 * connections, of one address fewer, hands their bytes on, and closes those to
 * which the server has not said anything for a while: requests without an end,
 * idle connections, and readers that do not read. The while begins again with
 * the first bytes of a request, so an idle connection is not closed on them.
 */
import { REAL_CLOCK, rest } from "./clock.ts";

/** A connection that came in, plain or with TLS. */
export interface GateClient {
  /** Who it is. */
  readonly remoteAddr: { readonly hostname: string };
  /** Reads some bytes; null at their end. */
  read(block: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Has every block sent at once; absent where that is so already, or cannot be. */
  setNoDelay?(on: boolean): void;
  /** Closes it. */
  close(): void;
}

/** Where connections come in. */
export interface GateListener {
  /** Waits for the next one. Throws Deno's BadResource or Interrupted once it is closed. */
  accept(): Promise<GateClient>;
  /** Lets no more in. */
  close(): void;
}

/** What a gate lets in. */
export interface GateOptions {
  /** Where connections come in. */
  readonly listener: GateListener;
  /** Answers a request that came from an address. */
  readonly fetch: (
    request: Request,
    address: string,
  ) => Response | Promise<Response>;
  /** Connections at once. */
  readonly connectionsMax: number;
  /** Connections of one address at once. */
  readonly perAddressMax: number;
  /** Milliseconds after which a connection to which nothing is said is closed. */
  readonly quietMs: number;
}

/** The server's own address, which only this machine reaches. */
export const SERVER_HOST = "127.0.0.1";

/** Who has asked for something has the answer within so long, milliseconds, if nothing else is done; and other work waits no longer than that. */
const ANSWER_MS = 20;
const MAKE_WAY_MS = 40;
/** How often that is looked at. */
const LOOK_MS = 5;

const BLOCK_BYTES = 16 * 1024;
/** At the end, requests that were sent before get so long to arrive. */
const ARRIVAL_MS = 100;
/** And answers so long. */
const LAST_MS = 500;

/** A connection and the one to the server that belongs to it. */
interface Passage {
  readonly address: string;
  readonly client: GateClient;
  server: Deno.TcpConn | undefined;
  /** Whether the client has sent something since the server said something. */
  isAsking: boolean;
  /** When that began, or else when the server said something last: milliseconds of performance.now(). */
  since: number;
}

/** Serves until it is disposed of. */
export class Gate implements AsyncDisposable {
  readonly #options: GateOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #passages = new Set<Passage>();
  /** Passages by the port that the server sees. */
  readonly #ports = new Map<number, Passage>();
  /** When a visitor last asked for something, milliseconds of performance.now(). */
  #askedAt = -Infinity;
  readonly #sweeping: ReturnType<typeof setInterval>;
  readonly #accepting: Promise<void>;

  /** Serves from now on. Throws Deno's NotCapable if it may not listen on this machine. */
  constructor(options: GateOptions) {
    this.#options = options;
    this.#server = Deno.serve(
      {
        hostname: SERVER_HOST,
        port: 0,
        onListen: () => {},
        // Deno would print it; applications answer their own errors.
        onError: () => new Response("unexpected error\n", { status: 500 }),
      },
      (request, { remoteAddr }) => this.#answer(request, remoteAddr),
    );
    const sweep = () => this.#closeQuiet();
    this.#sweeping = setInterval(sweep, Math.ceil(options.quietMs / 4));
    this.#accepting = this.#accept();
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#passages.size;
  }

  /** Port of the server behind the gate. */
  get serverPort(): number {
    return this.#server.addr.port;
  }

  /**
   * Resolves when nobody waits for an answer, or after a moment: what this
   * thread does beside serving is done in between. An answer takes many turns
   * of the thread, each of which such work would hold up.
   */
  async makeWay(signal: AbortSignal): Promise<void> {
    const latest = performance.now() + MAKE_WAY_MS;
    for (;;) {
      const now = performance.now();
      if (now > latest || now > this.#askedAt + ANSWER_MS) return;
      if (signal.aborted) return;
      await rest(LOOK_MS, signal);
    }
  }

  /** Lets nobody in any more, answers who is in and has asked, and closes what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.listener.close();
    const last = setTimeout(() => this.#endAll(), LAST_MS);
    // The server would close connections whose requests it has not read yet.
    await REAL_CLOCK.sleep(ARRIVAL_MS);
    const latest = performance.now();
    while (this.#isAsked(latest)) await REAL_CLOCK.sleep(LOOK_MS);
    await Promise.all([this.#server.shutdown(), this.#accepting]);
    clearTimeout(last);
    clearInterval(this.#sweeping);
    this.#endAll();
  }

  #answer(
    request: Request,
    { port }: Deno.NetAddr,
  ): Response | Promise<Response> {
    const passage = this.#ports.get(port);
    if (passage) return this.#options.fetch(request, passage.address);
    return new Response("this is not the address of this service\n", {
      status: 421,
    });
  }

  /** Whether a visitor waits for an answer since before that, or has just come. */
  #isAsked(latest: number): boolean {
    for (const { isAsking, since, server } of this.#passages) {
      if (isAsking && since < latest || !server) return true;
    }
    return false;
  }

  #endAll(): void {
    for (const passage of this.#passages) this.#end(passage);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let client: GateClient;
      try {
        client = await this.#options.listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return; // closed
        if (error instanceof Deno.errors.Interrupted) return;
        // No more files can be opened at this moment, or who came has gone.
        await REAL_CLOCK.sleep(20);
        continue;
      }
      const address = client.remoteAddr.hostname;
      if (this.#isFull(address)) client.close();
      else this.#let(client, address);
    }
  }

  #isFull(address: string): boolean {
    const { connectionsMax, perAddressMax } = this.#options;
    if (this.#passages.size >= connectionsMax) return true;
    let own = 0;
    for (const passage of this.#passages) {
      if (passage.address === address) own++;
    }
    return own >= perAddressMax;
  }

  #let(client: GateClient, address: string): void {
    this.#askedAt = performance.now();
    const passage: Passage = {
      address,
      client,
      server: undefined,
      isAsking: false,
      since: performance.now(),
    };
    this.#passages.add(passage);
    // A connection that breaks off is no error.
    this.#pass(passage).catch(() => {}).finally(() => this.#end(passage));
  }

  async #pass(passage: Passage): Promise<void> {
    const { client } = passage;
    const hostname = SERVER_HOST;
    const port = this.serverPort;
    const server = await Deno.connect({ hostname, port });
    passage.server = server;
    if (!this.#passages.has(passage)) return; // closed meanwhile
    this.#ports.set(server.localAddr.port, passage);
    client.setNoDelay?.(true);
    server.setNoDelay(true);
    const asking = copy(client, server, () => this.#asks(passage))
      .then(() => server.closeWrite());
    asking.catch(() => this.#end(passage));
    await copy(server, client, () => {
      passage.isAsking = false;
      passage.since = performance.now();
    });
  }

  #asks(passage: Passage): void {
    this.#askedAt = performance.now();
    if (passage.isAsking) return;
    passage.isAsking = true;
    passage.since = this.#askedAt;
  }

  #end(passage: Passage): void {
    if (this.#passages.delete(passage)) closeQuietly(passage.client);
    const { server } = passage;
    if (!server) return;
    passage.server = undefined;
    this.#ports.delete(server.localAddr.port);
    closeQuietly(server);
  }

  #closeQuiet(): void {
    const latest = performance.now() - this.#options.quietMs;
    for (const passage of this.#passages) {
      if (passage.since < latest) this.#end(passage);
    }
  }
}

/** Hands bytes on until there are no more. */
async function copy(
  from: GateClient,
  to: GateClient,
  onBytes: () => void,
): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES);
  for (;;) {
    const count = await from.read(block);
    if (count === null) return;
    for (let at = 0; at < count;) {
      at += await to.write(block.subarray(at, count));
    }
    onBytes();
  }
}

function closeQuietly(connection: GateClient): void {
  try {
    connection.close();
  } catch {
    // It has been closed from the other side.
  }
}
