/** What the API tells Prometheus: its requests, and what the stream counts. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ApiMetric } from "../stream_api.ts";

const PREFIX = "fraudstream_api_";

/** Upper ends of the buckets of the latency, seconds. */
const BUCKETS = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
];

/** Counts the requests of an API. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: `${PREFIX}requests_total`,
    help: "Requests by route and status.",
    labelNames: ["route", "method", "status"],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: `${PREFIX}request_seconds`,
    help: "Time from a request to its answer.",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers: [this.#registry],
  });
  readonly #inFlight = new Gauge({
    name: `${PREFIX}requests_in_flight`,
    help: "Requests that wait for their answer.",
    registers: [this.#registry],
  });

  /** The media type of its text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Counts a request that begins. */
  begin(): void {
    this.#inFlight.inc();
  }

  /** Counts its answer; `route` is the path with its parameters' names. */
  end(route: string, method: string, status: number, seconds: number): void {
    this.#inFlight.dec();
    this.#requests.inc({ route, method, status });
    this.#seconds.observe({ route }, seconds);
  }

  /** The text of /metrics, with what the stream counts. */
  async text(metrics: readonly ApiMetric[]): Promise<string> {
    const own = await this.#registry.metrics();
    const others = metrics.map(({ name, kind, help, value }) =>
      `# HELP ${PREFIX}${name} ${help}\n# TYPE ${PREFIX}${name} ${kind}\n` +
      `${PREFIX}${name} ${value}\n`
    );
    return `${own}\n${others.join("\n")}`;
  }
}
