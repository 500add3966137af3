/**
 * Memory that the two stages keep for a payment in reach of their windows: the
 * default data set, all of it in one partition, when its last day has passed.
 *
 *   deno run --v8-flags=--expose-gc bench/state_bench.ts
 */
import {
  CustomerOperator,
  TerminalOperator,
} from "../src/features/feature_operator.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
  longestWindowSeconds,
} from "../src/features/parameters.ts";
import { Ledger } from "../src/stream/ledger.ts";
import { simulateHandbook } from "../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
  readTableRow,
} from "../src/payment/payment.ts";
import { figure, print } from "./figures.ts";

const LATENESS_SECONDS = 3600;
const WARM_PAYMENTS = 50_000;

/** Bytes that are in use once everything unused is gone. */
function bytesInUse(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) throw new Error("start it with --v8-flags=--expose-gc");
  gc();
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Takes all payments into a state and prints what that keeps for each of those of the last `keepSeconds`. */
function measure<S>(
  name: string,
  keepSeconds: number,
  open: () => S,
  take: (state: S, row: Payment) => void,
): void {
  warmUp(open, take);
  const before = bytesInUse();
  const state = open();
  for (let i = 0; i < table.length; i++) {
    readTableRow(table, i, startSeconds, row);
    take(state, row);
  }
  const bytes = bytesInUse() - before;
  const newest = row.timeSeconds;
  let kept = 0;
  for (let i = 0; i < table.length; i++) {
    if (table.timeSeconds[i] > newest - keepSeconds) kept++;
  }
  print(
    `${name.padEnd(18)} ${
      figure(bytes / kept, 1).padStart(6)
    } bytes a payment, ` +
      `${figure(kept)} kept`,
  );
  take(state, row); // it has to live until here
}

/** Compiles what takes payments: what the program itself needs is no state. */
function warmUp<S>(open: () => S, take: (state: S, row: Payment) => void) {
  const state = open();
  for (let i = 0; i < WARM_PAYMENTS; i++) {
    readTableRow(table, i, startSeconds, row);
    take(state, row);
  }
}

const { table, startSeconds } = simulateHandbook(HANDBOOK_PARAMETERS);
const row = emptyPayment();
const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
const window = longestWindowSeconds(HANDBOOK_FEATURES);
const slack = 7 * DAY_SECONDS;
measure(
  "ledger",
  window + LATENESS_SECONDS,
  () => new Ledger(window + LATENESS_SECONDS),
  (ledger, row) => ledger.add(row, row.timeSeconds, row.transactionId),
);
measure(
  "customer windows",
  window + LATENESS_SECONDS,
  () => new CustomerOperator(HANDBOOK_FEATURES, LATENESS_SECONDS),
  (operator, row) => operator.process(row, row.timeSeconds, totals),
);
measure(
  "terminal windows",
  HANDBOOK_FEATURES.delayDays * DAY_SECONDS + window + slack,
  () => new TerminalOperator(HANDBOOK_FEATURES, slack),
  (operator, row) => operator.process(row, row.timeSeconds, totals),
);
