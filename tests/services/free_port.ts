/**
 * Ports for servers that may be stopped and started again. They lie below the
 * range from which systems take the ports of outgoing connections: there a
 * client's connection could sit on the port while the server is away, and a
 * client that calls the port of a dead server could even reach itself.
 */

const FIRST = 15_000;
const COUNT = 17_000;
const TRIES = 1_000;

const given = new Set<number>();

/** A port of 127.0.0.1 that nobody listens on and that was not given before. */
export function freePort(): number {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      throw error;
    }
    given.add(port);
    return port;
  }
  throw new Error(`no free port of 127.0.0.1 in ${TRIES} tries`);
}
