/**
 * One question and its answer over TCP or TLS, to see whether a server answers
 * at all: anything that goes wrong, a closed port first of all, is "not yet".
 */
import { close, write } from "./frames.ts";

const ANSWER_MS_MAX = 3_000;

/** Sends a message and resolves to the first bytes that come back. */
export type Ask = (message: Uint8Array) => Promise<Uint8Array>;

/**
 * Connects to a port of 127.0.0.1 and has a dialogue with who listens there;
 * false if that fails, closes or takes longer than 3 s. With `caCert`, PEM, the
 * connection is TLS and has to be trusted.
 */
export async function converse(
  port: number,
  dialogue: (ask: Ask) => Promise<boolean>,
  caCert?: string,
): Promise<boolean> {
  const target = { hostname: "127.0.0.1", port };
  let connection: Deno.Conn;
  try {
    connection = caCert === undefined
      ? await Deno.connect(target)
      : await Deno.connectTls({ ...target, caCerts: [caCert] });
  } catch {
    return false;
  }
  const timer = setTimeout(() => close(connection), ANSWER_MS_MAX);
  try {
    return await dialogue(async (message) => {
      await write(connection, message);
      const buffer = new Uint8Array(4096);
      const length = await connection.read(buffer);
      return buffer.subarray(0, length ?? 0);
    });
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    close(connection);
  }
}
