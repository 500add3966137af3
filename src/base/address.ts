/** Addresses that a server listens at: whether only this machine reaches them, and how they are written. */

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** The URL of a server, for people and browsers. */
export function addressOf(
  host: string,
  port: number,
  scheme: "http" | "https" = "http",
): string {
  return `${scheme}://${writtenHost(host)}:${port}`;
}

/** A host as addresses and permissions have it: that of IPv6 in brackets. */
export function writtenHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
