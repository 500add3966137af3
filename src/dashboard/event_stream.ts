/**
 * Server-sent events to many pages: every tick one event, made once, goes to
 * all of them. A page that is slow is never queued for: it skips events until
 * it takes one again, and each event is the whole newest state, so that is all
 * it misses.
 */

/** The page's end of a stream. */
type Client = ReadableStreamDefaultController<Uint8Array>;

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

  /** A new listener's stream, with its first event; undefined if there are too many. */
  open(first: string): ReadableStream<Uint8Array> | undefined {
    if (this.#clients.size >= this.#clientsMax) return undefined;
    let client: Client | undefined;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        client = controller;
        this.#clients.add(controller);
        controller.enqueue(encode(first));
      },
      cancel: () => {
        if (client) this.#clients.delete(client);
      },
    }, { highWaterMark: BUFFERED_MAX });
  }

  /** Sends an event to all that are ready for one; `make` is not called if nobody listens. */
  send(make: () => string): void {
    if (this.#clients.size === 0) return;
    let event: Uint8Array | undefined;
    for (const client of this.#clients) {
      if ((client.desiredSize ?? 0) <= 0) {
        this.#skipped++;
        continue;
      }
      event ??= encode(make());
      client.enqueue(event);
    }
  }

  /** Ends all streams; the pages try to connect again. */
  close(): void {
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }
}

/** Data, one line of JSON, as an event. */
function encode(data: string): Uint8Array {
  return ENCODER.encode(`data: ${data}\n\n`);
}
