/**
 * Ports for servers that may be stopped and started again. They lie below the
 * range from which systems take the ports of outgoing connections: there a
 * client's connection could sit on the port while the server is away, and a
 * client that calls the port of a dead server could even reach itself.
 *
 * Test files that run at the same time take theirs from different blocks: a
 * block belongs to who listens on its first port.
 */

const FIRST = 15_000;
const BLOCKS = 17;
const BLOCK_PORTS = 1000;
const TRIES = 1_000;
const HOSTNAME = "127.0.0.1";

const given = new Set<number>();
let block: Deno.Listener | undefined;

/** A port of 127.0.0.1 that nobody listens on and that was not given before. */
export function freePort(): number {
  block ??= claimBlock();
  const first = (block.addr as Deno.NetAddr).port;
  for (let tries = 0; tries < TRIES; tries++) {
    const port = first + 1 + Math.floor(Math.random() * (BLOCK_PORTS - 1));
    if (given.has(port)) continue;
    const listener = listen(port);
    if (listener === undefined) continue;
    listener.close();
    given.add(port);
    return port;
  }
  throw new Error(`no free port of ${HOSTNAME} in ${TRIES} tries`);
}

/** Listens on the first port of a block for as long as this process runs. */
function claimBlock(): Deno.Listener {
  const from = Math.floor(Math.random() * BLOCKS);
  for (let tries = 0; tries < BLOCKS; tries++) {
    const at = (from + tries) % BLOCKS;
    const listener = listen(FIRST + at * BLOCK_PORTS);
    if (listener === undefined) continue;
    listener.unref();
    return listener;
  }
  throw new Error(`all blocks of ports of ${HOSTNAME} are taken`);
}

/** Listens on a port, unless somebody does. */
function listen(port: number): Deno.Listener | undefined {
  try {
    return Deno.listen({ hostname: HOSTNAME, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}
