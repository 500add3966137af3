/**
 * A proxy between Kafka's clients and a broker that loses a single request or
 * answer on command. It knows Kafka's framing and nothing more: a length, then
 * in a request its number, its version and a number of the client's, which the
 * answer repeats.
 */
import { close, frames, write } from "./frames.ts";

/** What can be lost, by the numbers of Kafka's protocol. */
export const API_KEYS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;

/** Name of a request. */
export type ApiName = keyof typeof API_KEYS;

/** What goes wrong, once. */
export interface Fault {
  /** Which request. */
  readonly api: ApiName;
  /** The how manieth of them, from 1. */
  readonly nth: number;
  /** How many from there on; one as usual. */
  readonly times?: number;
  /**
   * The request is lost before the broker sees it, or the answer after it has
   * done the work, and the connection breaks; or the connection breaks and the
   * broker sees the request no earlier than deliverLate(); or the answer is
   * lost and the connection stays, silent; or the broker never sees it and this
   * error code is the answer (for requests whose answer is a throttle time and
   * a code); or nothing but the call of `met`.
   */
  readonly kind:
    | "request"
    | "answer"
    | "late"
    | "silence"
    | { readonly code: number }
    | "pass";
  /** Called when it happens; what is asked for waits until it is over. */
  readonly met?: () => void | Promise<void>;
}

/** A proxy in front of one broker. */
export class FaultyProxy implements Disposable {
  readonly #listener: Deno.Listener;
  readonly #target: Deno.ConnectOptions;
  readonly #open = new Set<Deno.Conn>();
  #fault: Fault | undefined;
  #left = 0;
  #met = false;
  #late: Uint8Array | undefined;

  /** Listens on a port and passes on to an address, "host:port". */
  constructor(port: number, address: string) {
    const [hostname, targetPort] = address.split(":");
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#target = { hostname, port: Number(targetPort) };
    this.#accept();
  }

  /** Sets what goes wrong next; requests are counted from here on. */
  arm(fault: Fault): void {
    this.#fault = fault;
    this.#left = fault.nth;
    this.#met = false;
  }

  /** Lets all pass from here on; tells whether the fault has been met. */
  disarm(): boolean {
    this.#fault = undefined;
    return this.#met;
  }

  /** Gives the broker the request that was kept back, once, as from a socket that it reads late; resolves when it has answered. */
  async deliverLate(): Promise<void> {
    const frame = this.#late;
    this.#late = undefined;
    if (!frame) return;
    const broker = await Deno.connect(this.#target);
    try {
      await write(broker, frame);
      for await (const _ of frames(broker)) return;
    } finally {
      close(broker);
    }
  }

  /** Breaks all connections. */
  breakAll(): void {
    for (const connection of this.#open) close(connection);
  }

  /** Ends it with all connections. */
  [Symbol.dispose](): void {
    this.#listener.close();
    this.breakAll();
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#open.add(client);
      this.#serve(client).catch(() => {}).finally(() => {
        close(client);
        this.#open.delete(client);
      });
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    const broker = await Deno.connect(this.#target);
    this.#open.add(broker);
    /** Numbers of requests whose answers are lost, and how. */
    const lost = new Map<number, "answer" | "silence">();
    const requests = (async () => {
      for await (const frame of frames(client)) {
        const view = new DataView(frame.buffer);
        const correlation = view.getInt32(8);
        const kind = await this.#meet(view.getInt16(4));
        if (kind === "late") this.#late = frame;
        if (kind === "request" || kind === "late") return;
        if (typeof kind === "object") {
          await write(client, refusal(correlation, kind.code));
          continue;
        }
        if (kind && kind !== "pass") lost.set(correlation, kind);
        await write(broker, frame);
      }
    })();
    const answers = (async () => {
      for await (const frame of frames(broker)) {
        const kind = lost.get(new DataView(frame.buffer).getInt32(4));
        if (kind === "answer") return;
        if (kind !== "silence") await write(client, frame);
      }
    })();
    try {
      await Promise.race([requests, answers]);
    } finally {
      close(client);
      close(broker);
      this.#open.delete(broker);
      await Promise.allSettled([requests, answers]);
    }
  }

  /** Counts a request; what goes wrong with it, if it is the one. */
  async #meet(apiKey: number): Promise<Fault["kind"] | undefined> {
    if (!this.#fault || API_KEYS[this.#fault.api] !== apiKey) return undefined;
    const { times = 1 } = this.#fault;
    if (--this.#left > 0 || this.#left <= -times) return undefined;
    this.#met = true;
    const { kind, met } = this.#fault;
    await met?.();
    return kind;
  }
}

/** An answer of no throttle time and an error code. */
function refusal(correlation: number, code: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(14));
  view.setInt32(0, 10);
  view.setInt32(4, correlation);
  view.setInt16(12, code);
  return new Uint8Array(view.buffer);
}
