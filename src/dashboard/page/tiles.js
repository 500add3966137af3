/** The numbers of the first view: for the page, and for the server, which sends them with it. */
import { count, countOf, milliseconds, percent, shortMoney } from "./dom.js";

/** @import { Snapshot } from "../views/snapshot.ts" */

/** What the tiles are called: eight of them, which fill rows of eight, four and two. */
export const TILES = {
  rate: "Payments per second",
  time: "Event time",
  stored: "Stored payments",
  frauds: "Known frauds",
  alerts: "Open alerts",
  risk: "Amount at risk",
  stopped: "Fraud stopped",
  lag: "Lag",
};

/** What the two amounts mean. */
export const DEFINITIONS = {
  risk: "Amount at risk is the sum of all open alerts.",
  stopped:
    "Fraud stopped is the sum of the known frauds for which the model raised an alert.",
};

/**
 * What each of them says of a snapshot: a number, and a note about it.
 * @param {Snapshot} snapshot
 * @returns {Record<keyof typeof TILES, [value: string, note: string]>}
 */
export function tilesOf(snapshot) {
  const { seconds, totals, open, stages, latency } = snapshot;
  const last = seconds.payments.slice(-5);
  const perSecond = last.reduce((sum, n) => sum + n, 0) / last.length;
  const share = percent(snapshot.frauds / snapshot.stored);
  const lag = stages.reduce((sum, stage) => sum + stage.lag, 0);
  const letters = snapshot.deadLetters === 0
    ? ""
    : `, ${countOf(snapshot.deadLetters, "dead letter")}`;
  return {
    rate: [count(perSecond), "mean of 5 seconds"],
    time: snapshot.eventTime === undefined ? ["–", "not known yet"] : [
      snapshot.eventTime.slice(0, 10),
      `${snapshot.eventTime.slice(11, 16)} UTC${
        snapshot.complete ? ", the stream is complete" : ""
      }`,
    ],
    stored: [
      count(snapshot.stored),
      `of ${count(snapshot.produced)} published${letters}`,
    ],
    frauds: [count(snapshot.frauds), `${share} of the stored payments`],
    alerts: [
      count(open.alerts),
      totals.scored === 0
        ? "no model is scoring"
        : `of ${countOf(totals.alerts, "alert")} in ${
          countOf(totals.scored, "scored payment")
        }`,
    ],
    risk: [shortMoney(open.amount), "sum of the open alerts"],
    stopped: [
      shortMoney(totals.stoppedAmount),
      `of ${shortMoney(totals.fraudAmount)} in known frauds`,
    ],
    lag: [
      countOf(lag, "record"),
      latency
        ? `published to stored: median ${milliseconds(latency.p50)}, ` +
          `99th percentile ${milliseconds(latency.p99)}`
        : "not yet taken by the next stage",
    ],
  };
}
