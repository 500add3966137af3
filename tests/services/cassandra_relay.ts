/**
 * A relay between clients and Cassandra that adds answers of its own. It knows
 * the protocol's framing (version 4) and little more: 9 bytes with the stream
 * in bytes 2 and 3, the kind in byte 4 and the length in the last 4, and a body.
 */
import { close, frames, write } from "./frames.ts";
import { freePort } from "./free_port.ts";

const HEADER = 9;
const OVERLOADED = 0x1001;
const QUERY = 0x07;

/** Passes on to an address, "host:port". */
export class CassandraRelay implements Disposable {
  /** Where it listens, "host:port". */
  readonly address: string;
  readonly #listener: Deno.Listener;
  readonly #target: Deno.ConnectOptions;
  readonly #open = new Set<Deno.Conn>();
  #late = 0;
  #truncates = 0;

  constructor(address: string) {
    const [hostname, port] = address.split(":");
    this.#target = { hostname, port: Number(port) };
    const own = freePort();
    this.address = `127.0.0.1:${own}`;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: own });
    this.#accept();
  }

  /** Adds answers behind the next one, as Cassandra gives them to requests that waited too long: on stream 0. */
  answerLate(count: number): void {
    this.#late += count;
  }

  /** Keeps the next statements from emptying a table, and answers that they did. */
  ignoreTruncates(count: number): void {
    this.#truncates += count;
  }

  /** How many late answers are left. */
  get left(): number {
    return this.#late;
  }

  /** Ends it with all connections. */
  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open) close(connection);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#serve(client).catch(() => {});
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    const node = await Deno.connect(this.#target);
    const both = [client, node];
    for (const connection of both) this.#open.add(connection);
    const passing = [this.#requests(client, node), this.#answers(node, client)];
    try {
      await Promise.race(passing);
    } finally {
      for (const connection of both) {
        close(connection);
        this.#open.delete(connection);
      }
      await Promise.allSettled(passing);
    }
  }

  async #requests(client: Deno.Conn, node: Deno.Conn): Promise<void> {
    for await (const frame of frames(client, HEADER)) {
      if (this.#truncates > 0 && isTruncate(frame)) {
        this.#truncates--;
        await write(client, voidAnswer(frame));
      } else {
        await write(node, frame);
      }
    }
  }

  async #answers(node: Deno.Conn, client: Deno.Conn): Promise<void> {
    for await (const frame of frames(node, HEADER)) {
      await write(client, frame);
      // Not while a connection is opened, when stream 0 is the only one.
      if (new DataView(frame.buffer).getInt16(2) <= 0) continue;
      for (; this.#late > 0; this.#late--) await write(client, LATE_ANSWER);
    }
  }
}

function isTruncate(frame: Uint8Array): boolean {
  return frame[4] === QUERY &&
    new TextDecoder().decode(frame.subarray(HEADER)).includes("TRUNCATE ");
}

/** A result without rows for a request. */
function voidAnswer(request: Uint8Array): Uint8Array<ArrayBuffer> {
  const [, , high, low] = request;
  return Uint8Array.of(0x84, 0, high, low, 0x08, 0, 0, 0, 4, 0, 0, 0, 1);
}

const LATE_ANSWER = lateAnswer();

/** An error on stream 0. */
function lateAnswer(): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder()
    .encode("Query timed out before it could start");
  const frame = new Uint8Array(HEADER + 6 + text.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, 0x84);
  view.setInt32(HEADER - 4, 6 + text.length);
  view.setInt32(HEADER, OVERLOADED);
  view.setInt16(HEADER + 4, text.length);
  frame.set(text, HEADER + 6);
  return frame;
}
