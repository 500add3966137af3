/** The numbers of the first view: for the page, and for the server, which sends them with it. */
import {
  count,
  countOf,
  milliseconds,
  percent,
  shortMoney,
  useShape,
} from "./dom.js";

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
    "Fraud stopped is the sum of the alerts that a verdict or a known label shows to be fraud.",
};

/**
 * What a tile says: a value, a note about it, and whether only the simulation knows it.
 * @typedef {[value: string, note: string, isTruth?: boolean]} Said
 */

/** Which of them are not known while history is read. */
const READ = /** @type {const} */ ([
  "rate",
  "frauds",
  "alerts",
  "risk",
  "stopped",
]);

/** What the page does before its sums are those of this moment. @param {Snapshot["reading"] & {}} reading */
export function readingWords({ what, share }) {
  // A share that is almost 1 is not 100 %.
  const done = `${Math.floor(share * 100)} %`;
  return what === "scoring"
    ? `Scoring earlier payments, ${done}`
    : `Reading history, ${done}`;
}

/**
 * What each of them says of a snapshot. While the page reads history, there is
 * no value that is not true at that moment.
 * @param {Snapshot} snapshot
 * @param {boolean} [truth] whether the simulation's truth is shown
 * @returns {Record<keyof typeof TILES, Said>}
 */
export function tilesOf(snapshot, truth = false) {
  useShape(snapshot);
  const tiles = {
    rate: rateOf(snapshot),
    time: timeOf(snapshot),
    stored: storedOf(snapshot),
    frauds: fraudsOf(snapshot, truth),
    alerts: alertsOf(snapshot),
    risk: riskOf(snapshot),
    stopped: stoppedOf(snapshot, truth),
    lag: lagOf(snapshot),
  };
  const { reading } = snapshot;
  if (reading === undefined) return tiles;
  /** @type {Said} */
  const pending = ["–", readingWords(reading).toLowerCase()];
  return {
    ...tiles,
    ...Object.fromEntries(READ.map((name) => [name, pending])),
  };
}

/** @typedef {(snapshot: Snapshot) => Said} Say */
/** @typedef {(snapshot: Snapshot, truth: boolean) => Said} SayTruth */

/** @type {Say} */
function rateOf({ seconds }) {
  const last = seconds.payments.slice(-5);
  const sum = last.reduce((sum, n) => sum + n, 0);
  return [count(sum / Math.max(1, last.length)), "mean of 5 seconds"];
}

/** @type {Say} */
function timeOf({ eventTime, complete }) {
  if (eventTime === undefined) return ["–", "not known yet"];
  const all = complete ? ", the stream is complete" : "";
  return [eventTime.slice(0, 10), `${eventTime.slice(11, 16)} UTC${all}`];
}

/** @type {Say} */
function storedOf({ stored, produced, processed, deadLetters }) {
  const letters = deadLetters === 0
    ? ""
    : `, ${countOf(deadLetters, "dead letter")}`;
  const all = produced === undefined
    ? `${count(processed)} processed`
    : `${count(produced)} published`;
  return [count(stored), `of ${all}${letters}`];
}

/** @type {SayTruth} */
function fraudsOf({ totals, truth: { totals: all } }, truth) {
  const known = count(totals.frauds);
  if (totals.pending !== undefined) {
    return [
      known,
      `in ${countOf(totals.payments, "payment")}, ${
        count(totals.pending)
      } still pending`,
    ];
  }
  return truth
    ? [
      known,
      `${count(all.frauds)} in truth, ${
        percent(all.frauds / totals.payments)
      } of the payments`,
      true,
    ]
    : [known, `in ${countOf(totals.payments, "payment")}`];
}

/** @type {Say} */
function alertsOf({ open, totals }) {
  const note = totals.scored === 0
    ? "no payment has been scored"
    : `of ${countOf(totals.alerts, "alert")} in ${
      countOf(totals.scored, "scored payment")
    }`;
  return [count(open.alerts), note];
}

/** @type {Say} */
function riskOf({ open }) {
  return [shortMoney(open.amount), "sum of the open alerts"];
}

/** @type {SayTruth} */
function stoppedOf({ totals, truth: { totals: all } }, truth) {
  const stopped = shortMoney(totals.stoppedAmount);
  return truth
    ? [
      stopped,
      `in truth ${shortMoney(all.stoppedAmount)} of ${
        shortMoney(all.fraudAmount)
      }`,
      true,
    ]
    : [stopped, `of ${shortMoney(totals.fraudAmount)} in known frauds`];
}

/** @type {Say} */
function lagOf({ stages, latency }) {
  const lag = stages.reduce((sum, stage) => sum + stage.lag, 0);
  return [
    `${count(lag)} ${lag === 1 ? "record" : "records"}`,
    latency
      ? `published to stored: median ${milliseconds(latency.p50)}, ` +
        `99th percentile ${milliseconds(latency.p99)}`
      : "not yet taken by the next stage",
  ];
}
