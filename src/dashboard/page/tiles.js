/** The numbers of the first view: for the page, and for the server, which sends them with it. */
import { count, milliseconds, percent, shortMoney } from "./dom.js";

/** @import { Snapshot } from "../views/snapshot.ts" */

/** What the tiles are called. */
export const TILES = {
  rate: "Payments per second",
  stored: "Stored",
  time: "Event time",
  frauds: "Frauds",
  alerts: "Alerts",
  risk: "Money at risk",
  stopped: "Money stopped",
  latency: "Published to stored",
  lag: "Behind",
  letters: "Dead letters",
};

/**
 * What each of them says of a snapshot: a figure, and a note about it.
 * @param {Snapshot} snapshot
 * @returns {Record<keyof typeof TILES, [figure: string, note: string]>}
 */
export function tilesOf(snapshot) {
  const { seconds, totals, open, stages, latency } = snapshot;
  const last = seconds.payments.slice(-5);
  const perSecond = last.reduce((sum, n) => sum + n, 0) / last.length;
  const all = snapshot.complete ? ", complete" : "";
  const share = percent(totals.frauds / totals.payments);
  const lag = stages.reduce((sum, stage) => sum + stage.lag, 0);
  return {
    rate: [count(perSecond), "mean of 5 s"],
    stored: [
      count(snapshot.stored),
      `${count(snapshot.produced)} published${all}, ` +
      `${count(snapshot.processed)} processed`,
    ],
    time: [snapshot.eventTime?.slice(0, 16) ?? "not known yet", "UTC"],
    frauds: [
      count(totals.frauds),
      `${share} of the payments, known so far`,
    ],
    alerts: [
      count(totals.alerts),
      totals.scored === 0
        ? "no model is scoring"
        : `${count(open.alerts)} open, ${count(totals.scored)} payments scored`,
    ],
    risk: [shortMoney(open.amount), "in open alerts"],
    stopped: [
      shortMoney(totals.stoppedAmount),
      `of ${shortMoney(totals.fraudAmount)} in frauds`,
    ],
    latency: latency
      ? [
        milliseconds(latency.p99),
        `99 %; half within ${milliseconds(latency.p50)}, 95 % within ${
          milliseconds(latency.p95)
        }`,
      ]
      : ["–", "measured where all roles run in one process"],
    lag: [
      `${count(lag)} records`,
      stages.map((stage) => `${stage.name} ${count(stage.lag)}`).join(", "),
    ],
    letters: [
      count(snapshot.deadLetters),
      snapshot.deadLetters === 0 ? "none rejected" : "see System",
    ],
  };
}
