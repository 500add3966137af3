/** Where the page listens. */
import { writtenHost } from "../../base/address.ts";
import { ConfigError } from "../../base/error.ts";
import { SERVER_HOST } from "../../base/gate.ts";
import { type PageSettings, portsToTry } from "./exposure.ts";

/** Listens at the first port that is free. Throws ConfigError if there is none, or none is permitted. */
export function listenPage({ host, port }: PageSettings): Deno.TcpListener {
  const ports = portsToTry(port);
  for (const candidate of ports) {
    try {
      return Deno.listen({ hostname: host, port: candidate });
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) continue;
      throw error instanceof Deno.errors.NotCapable
        ? new ConfigError(
          `the page may not listen at ${host}:${candidate}: add ` +
            `--allow-net=${
              writtenHost(host)
            },${SERVER_HOST} before main.ts, or leave the page out by ` +
            "--role=producer,processor,writer",
        )
        : new ConfigError(
          `the page cannot listen at ${host}:${candidate} ` +
            `(${(error as Error).message}); give another --host or --port`,
        );
    }
  }
  throw new ConfigError(
    port === undefined
      ? `all ports from ${ports[0]} to ${ports.at(-1)} are taken; give one ` +
        "with --port (0: any that is free)"
      : `port ${port} is taken; give another --port (0: any that is free), ` +
        "or none at all",
  );
}
