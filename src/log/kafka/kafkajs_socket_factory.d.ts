/**
 * Type of kafkajs's socket factory, plain or TLS, as far as kafka.ts uses it;
 * the package declares those of its client only.
 */

/** Returns the function that opens a socket to a broker. */
export default function openSocketFactory(): (
  options: Readonly<Record<string, unknown>>,
) => unknown;
