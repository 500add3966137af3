/**
 * What the processor must make of the payments in its source partitions, the
 * plain way: the checks in their order, each a search through all that was
 * accepted before; the features by filters over everything.
 */
import {
  customerReachSeconds,
  totalsLayout,
  totalsToValues,
} from "../../src/features/parameters.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { partitionTotals } from "../features/oracle.ts";
import type { Entry } from "./stages.ts";

/** What must come out. */
export interface Expected {
  /** Payments with their feature values, partition by partition. */
  readonly rows: { row: Payment; values: number[] }[];
  /** Number of duplicates. */
  readonly duplicates: number;
  /** "partition/offset reason" of each dead letter. */
  readonly deadLetters: string[];
}

/** The expected outcome for these source partitions. */
export function expectedOf(
  sources: readonly (readonly Entry[])[],
  parameters: StreamParameters,
): Expected {
  const { features } = parameters;
  const deadLetters: string[] = [];
  let duplicates = 0;
  const accepted = sources.map((entries, partition) => {
    const before: Payment[] = [];
    for (const [offset, entry] of entries.entries()) {
      const verdict = judge(entry, before, parameters);
      if (verdict === "accept") before.push(entry as Payment);
      else if (verdict === "duplicate") duplicates++;
      else deadLetters.push(`${partition}/${offset} ${verdict}`);
    }
    return before;
  });
  const all = accepted.flat();
  const totals = partitionTotals(accepted, features, () => all);
  const rows = all.map((row, i) => {
    const values: number[] = [];
    totalsToValues(totals[i], totalsLayout(features), values);
    return { row, values };
  });
  return { rows, duplicates, deadLetters };
}

/** What becomes of an entry after those that its partition has accepted. */
export function judge(
  entry: Entry,
  before: readonly Payment[],
  parameters: StreamParameters,
): string {
  if (typeof entry === "string") return "not JSON";
  const { features, latenessSeconds, maxGapSeconds, dedupeSeconds } =
    parameters;
  const keepSeconds = dedupeSeconds === undefined
    ? customerReachSeconds(features) + latenessSeconds
    : dedupeSeconds + 1;
  const time = entry.timeSeconds;
  const progress = progressOf(before);
  if (time > progress + maxGapSeconds) return "implausible";
  const known = before.findLast(({ transactionId }) =>
    transactionId === entry.transactionId
  );
  if (known && known.timeSeconds > Math.max(progress, time) - keepSeconds) {
    const same = JSON.stringify(known) === JSON.stringify(entry);
    return same ? "duplicate" : "conflicting id";
  }
  return time < progress - latenessSeconds ? "late" : "accept";
}

/** Greatest TX_TIME_SECONDS of the accepted; 0 before the first. */
export function progressOf(accepted: readonly Payment[]): number {
  return Math.max(0, ...accepted.map((row) => row.timeSeconds));
}
