/**
 * Server-sent events to many pages: every tick one event, made once, goes to
 * all of them. A page that is slow is never queued for: it skips events until
 * it takes one again, and each event is the whole newest state, so that is all
 * it misses.
 */

/** The page's end of a stream. */
interface Client {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Whether the listener is still admitted. */
  readonly mayListen: () => boolean;
}

const ENCODER = new TextEncoder();

/** Events that may lie in one page's buffer. */
const BUFFERED_MAX = 2;

/** Sends events to all who listen. */
export class EventStream {
  readonly #clients = new Set<Client>();
  readonly #clientsMax: number;
  #skipped = 0;

  /** Lets at most so many listen. */
  constructor(clientsMax: number) {
    this.#clientsMax = clientsMax;
  }

  /** How many listen. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Events that slow pages have missed. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * A new listener's stream, with its first event; undefined if there are too
   * many. It ends with the first tick at which `mayListen` says no.
   */
  open(
    first: string,
    mayListen: () => boolean = () => true,
  ): ReadableStream<Uint8Array> | undefined {
    if (this.#clients.size >= this.#clientsMax) return undefined;
    let client: Client | undefined;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        client = { controller, mayListen };
        this.#clients.add(client);
        controller.enqueue(encode(first));
      },
      cancel: () => {
        if (client) this.#clients.delete(client);
      },
    }, { highWaterMark: BUFFERED_MAX });
  }

  /** Sends an event to all that are ready for one; `make` is not called if nobody listens. */
  send(make: () => string): void {
    this.endUnwelcome();
    if (this.#clients.size === 0) return;
    let event: Uint8Array | undefined;
    for (const { controller } of this.#clients) {
      if ((controller.desiredSize ?? 0) <= 0) {
        this.#skipped++;
        continue;
      }
      event ??= encode(make());
      controller.enqueue(event);
    }
  }

  /** Ends the streams of those who may no longer listen: signed out, or their session has ended. */
  endUnwelcome(): void {
    for (const client of this.#clients) {
      if (client.mayListen()) continue;
      this.#clients.delete(client);
      client.controller.close();
    }
  }

  /** Ends all streams; the pages try to connect again. */
  close(): void {
    for (const { controller } of this.#clients) controller.close();
    this.#clients.clear();
  }
}

/** Data, one line of JSON, as an event. */
function encode(data: string): Uint8Array {
  return ENCODER.encode(`data: ${data}\n\n`);
}
