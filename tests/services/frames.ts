/** What stands between clients and servers reads and writes: frames of the protocols of Kafka and of Cassandra. */

/** The frames that come over a connection, whole; the length of what is behind it is the last number of their head. */
export async function* frames(
  connection: Deno.Conn,
  headBytes = 4,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (;;) {
    const head = await read(connection, new Uint8Array(headBytes), 0);
    if (!head) return;
    const size = new DataView(head.buffer).getInt32(headBytes - 4);
    const frame = new Uint8Array(headBytes + size);
    frame.set(head);
    if (!await read(connection, frame, headBytes)) return;
    yield frame;
  }
}

/** Fills the rest of a buffer; undefined if the connection ends before. */
async function read(
  connection: Deno.Conn,
  buffer: Uint8Array<ArrayBuffer>,
  from: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for (let at = from; at < buffer.length;) {
    const count = await connection.read(buffer.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return buffer;
}

/** Writes all bytes. */
export async function write(
  connection: Deno.Conn,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

/** Closes a connection, which may be closed already. */
export function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
