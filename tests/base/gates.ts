/** What tests of gates share, with TLS and without. */
import type { GateOptions } from "../../src/base/gate.ts";

/** A few connections of patient clients, which are answered with the address of who asks. */
export const USUAL: Omit<GateOptions, "listener"> = {
  fetch: async (request, address) => {
    await request.text();
    return new Response(address);
  },
  connectionsMax: 20,
  perAddressMax: 10,
  quietMs: 60_000,
};

/** An answer without an end. */
export function endless(): Response {
  const block = new Uint8Array(65_536);
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        controller.enqueue(block);
      },
    }),
  );
}

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
