/** What the page server tells Prometheus: names and units by its conventions. */
import { Counter, Gauge, Registry } from "prom-client";
import { labelsTaken, type StreamStatus } from "../../stream/status.ts";
import type { LatencySummary } from "../../base/latency.ts";
import type { KnownSums } from "../index/alert_index.ts";

/** What is measured, as it stands. */
export interface Measured {
  /** The stream; undefined before it has been read. */
  readonly status: StreamStatus | undefined;
  /** What the page has read. */
  readonly totals: Pick<KnownSums, "scored" | "alerts">;
  /** Alerts that wait for a verdict. */
  readonly openAlerts: number;
  /** From published to stored, where that is measured. */
  readonly latency: LatencySummary | undefined;
  /** Pages that listen. */
  readonly clients: number;
  /** Events that slow pages have missed. */
  readonly skipped: number;
  /** Memory of the process, bytes. */
  readonly memoryBytes: number;
}

/** Makes the text of /metrics of what is measured at that moment. */
export function metricsOf(
  measure: () => Measured,
): { readonly contentType: string; readonly text: () => Promise<string> } {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `fraudstream_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `fraudstream_${name}`, help, labelNames, registers });
  const published = counter(
    "payments_published_total",
    "Payments published by the producer; 0 where they come from elsewhere.",
  );
  const stage = ["stage"];
  const counters = {
    read: counter(
      "stage_rows_read_total",
      "Rows that a stage has read.",
      stage,
    ),
    emitted: counter(
      "stage_rows_emitted_total",
      "Rows that a stage has handed on.",
      stage,
    ),
    deadLettered: counter(
      "stage_dead_letters_total",
      "Rows that a stage could not take.",
      stage,
    ),
    duplicates: counter(
      "stage_duplicates_total",
      "Rows that a stage had taken before.",
      stage,
    ),
    frauds: counter(
      "stage_frauds_total",
      "Frauds among the rows that a stage has handed on.",
      stage,
    ),
  };
  const labels = counter(
    "stage_labels_total",
    "Labels among the rows that a stage has read, where they arrive later.",
    stage,
  );
  const lag = gauge(
    "stage_lag_records",
    "Records that a stage has not taken yet.",
    stage,
  );
  const eventTime = gauge(
    "event_time_seconds",
    "Event time that is stored, Unix time.",
  );
  const latency = gauge(
    "store_latency_seconds",
    "From published to stored, percentiles of the newest payments.",
    ["quantile"],
  );
  const scored = counter(
    "page_scored_total",
    "Scored payments that the page has read.",
  );
  const alerts = counter(
    "page_alerts_total",
    "Alerts that the page has read.",
  );
  const open = gauge("open_alerts", "Alerts that wait for a verdict.");
  const clients = gauge("page_clients", "Pages that listen.");
  const skipped = counter(
    "page_events_skipped_total",
    "Events that slow pages have missed.",
  );
  const memory = gauge("resident_memory_bytes", "Memory of the process.");
  const fill = () => {
    const now = measure();
    registry.resetMetrics();
    const { status } = now;
    const isLabelled = status !== undefined &&
      labelsTaken(status) !== undefined;
    published.inc(status?.simulated ? status.produced : 0);
    for (
      const { name, counters: counted, lag: behind } of status?.stages ?? []
    ) {
      const place = { stage: name.replaceAll(" ", "_") };
      for (const [key, metric] of Object.entries(counters)) {
        // Payments without labels have no frauds to count.
        if (isLabelled && key === "frauds") continue;
        metric.inc(place, counted[key as keyof typeof counters]);
      }
      if (isLabelled) labels.inc(place, counted.labels ?? 0);
      lag.set(place, behind);
    }
    if (status?.startSeconds !== undefined) {
      eventTime.set(status.startSeconds + status.stages[2].progress);
    }
    if (now.latency) {
      latency.set({ quantile: "0.5" }, now.latency.p50 / 1000);
      latency.set({ quantile: "0.95" }, now.latency.p95 / 1000);
      latency.set({ quantile: "0.99" }, now.latency.p99 / 1000);
    }
    scored.inc(now.totals.scored);
    alerts.inc(now.totals.alerts);
    open.set(now.openAlerts);
    clients.set(now.clients);
    skipped.inc(now.skipped);
    memory.set(now.memoryBytes);
  };
  return {
    contentType: registry.contentType,
    text: () => {
      fill();
      return registry.metrics();
    },
  };
}
