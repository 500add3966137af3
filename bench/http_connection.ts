/**
 * A connection that keeps alive, for HTTP/1.1 without pipelining: one request,
 * then its answer. It takes a fraction of the processor time of fetch(), which
 * matters where the load and the server share the same cores. Of answers it
 * reads what servers in this repository send: a status, headers with
 * Content-Length and perhaps Keep-Alive, a body.
 */

const ROOM = 16 * 1024;
const CR = 13;
const LF = 10;
const HEAD_END = 4;
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** An answer. */
export interface HttpAnswer {
  /** Its status. */
  readonly status: number;
  /** Its body; empty if nobody wanted it. */
  readonly body: string;
}

/** One TCP connection to a server. */
export class HttpConnection implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #head: string;
  #buffer = new Uint8Array(ROOM);
  #filled = 0;
  /** Until when it may be used again, milliseconds of performance.now(). */
  #freshUntil = Infinity;

  private constructor(connection: Deno.Conn, host: string) {
    this.#connection = connection;
    this.#head = ` HTTP/1.1\r\nHost: ${host}\r\n` +
      "Content-Type: application/json\r\nContent-Length: ";
  }

  /** Connects to a port of 127.0.0.1. */
  static async open(port: number): Promise<HttpConnection> {
    const hostname = "127.0.0.1";
    const connection = await Deno.connect({ hostname, port });
    connection.setNoDelay(true);
    return new HttpConnection(connection, `${hostname}:${port}`);
  }

  /** Whether it may be used again: the server may close a connection that was idle for longer, and what is sent then gets no answer. */
  get isFresh(): boolean {
    return performance.now() < this.#freshUntil;
  }

  /** Posts a JSON text of ASCII characters and waits for the answer. Throws where the connection ends before that; it is of no further use then. */
  async post(
    path: string,
    json: string,
    { wantsBody = false }: { readonly wantsBody?: boolean } = {},
  ): Promise<HttpAnswer> {
    const text = `POST ${path}${this.#head}${json.length}\r\n\r\n${json}`;
    const bytes = ENCODER.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
    const bodyAt = await this.#readHead();
    const head = DECODER.decode(this.#buffer.subarray(0, bodyAt));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      throw new Error(`an answer without Content-Length: ${head}`);
    }
    const seconds = /\r\nkeep-alive:[^\r]*timeout=(\d+)/i.exec(head)?.[1];
    // As real clients do, with a margin for an answer to arrive.
    this.#freshUntil = seconds === undefined
      ? Infinity
      : performance.now() + Number(seconds) * 1000 / 2;
    const end = bodyAt + Number(length);
    while (this.#filled < end) await this.#readMore(end);
    const body = wantsBody
      ? DECODER.decode(this.#buffer.subarray(bodyAt, end))
      : "";
    // Without pipelining nothing follows an answer.
    this.#filled = 0;
    return { status: Number(head.slice(9, 12)), body };
  }

  /** Reads to the end of the headers; returns where the body begins. */
  async #readHead(): Promise<number> {
    for (let from = 0;;) {
      const end = headEnd(this.#buffer, from, this.#filled);
      if (end >= 0) return end;
      from = Math.max(0, this.#filled - HEAD_END + 1);
      await this.#readMore(this.#filled + 1);
    }
  }

  async #readMore(end: number): Promise<void> {
    if (this.#buffer.length < end) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    const read = await this.#connection.read(
      this.#buffer.subarray(this.#filled),
    );
    if (read === null) throw new Error("the server closed the connection");
    this.#filled += read;
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // The server has closed it.
    }
  }
}

/** Where the body begins, behind an empty line; -1 if that has not been read. */
function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = bytes.indexOf(CR, from); at >= 0 && at + HEAD_END <= to;) {
    if (
      bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF
    ) return at + HEAD_END;
    at = bytes.indexOf(CR, at + 1);
  }
  return -1;
}
