/**
 * Type of kafkajs's maker of sockets, plain or TLS, as far as kafka.ts uses
 * it; the package declares those of its client only.
 */

/** Gives the function that opens a socket to a broker. */
export default function openSocketFactory(): (
  options: Readonly<Record<string, unknown>>,
) => unknown;
