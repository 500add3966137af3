/** Faults of a scripted Kafka, for tests that put them at every exchange or at random ones. */
import type { Fault } from "./scripted_kafka.ts";

/** A fault that is no answer with an error code. */
export type PlainFault = Exclude<Fault, { code: number }>;

/** Those without a number. */
export const NAMED_FAULTS: readonly PlainFault[] = [
  "request lost",
  "answer lost",
  "silence",
  "slow",
  "repeated",
  "moved",
  "loading",
  "fenced",
];

/** A fault in words. */
export function faultName(fault: PlainFault): string {
  return typeof fault === "string" ? fault : `${fault.lateMs} ms late`;
}

/** What a run meets at random. */
export interface Accidents {
  /** Faults by the number of the exchange, from 1. */
  readonly faults: Map<number, PlainFault>;
  /** Before which exchanges another process joins. */
  readonly joins: number[];
  /** Before which exchanges one stops. */
  readonly stops: number[];
}

/** Up to six of some faults in the first `exchanges`, and processes that come and go in the first `changes`. */
export function accidents(
  random: () => number,
  choice: readonly PlainFault[],
  { exchanges, changes }: {
    readonly exchanges: number;
    readonly changes: number;
  },
): Accidents {
  const below = (limit: number) => Math.floor(random() * limit);
  const several = <T>(most: number, make: () => T) =>
    Array.from({ length: 1 + below(most) }, make);
  const faults = new Map(several(6, () => {
    const fault = choice[below(choice.length)];
    return [
      1 + below(exchanges),
      typeof fault === "string" ? fault : { lateMs: below(100) },
    ] as const;
  }));
  const joins = several(2, () => 1 + below(changes));
  const stops = random() < 0.5 ? [] : several(2, () => 1 + below(changes));
  return { faults, joins, stops };
}
