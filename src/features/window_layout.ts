/** What sliding windows hold and how far they look: shared by rings and blocks. */

/** What an event carries beside its time: a flag (0 or 1), or a whole number from -2^53 to 2^53. */
export type Column = "flag" | "value";

/** Windows that end at the same distance from an event and sum up the same column; all in seconds. */
export interface WindowGroup {
  /** Distance of every window's end from the event: 0 for windows that end at the event itself, the label delay for labels. */
  readonly lagSeconds: number;
  /** Lengths of the windows, ascending. */
  readonly windowSeconds: readonly number[];
  /** What they sum up. */
  readonly sum: Column;
}

/** The layout of the windows over the events of one kind of key. */
export interface WindowLayout {
  /** What is kept of an event; each column at most once. */
  readonly columns: readonly Column[];
  /** The windows. */
  readonly groups: readonly WindowGroup[];
  /** How far behind the greatest event time an event may still come, in seconds. */
  readonly slackSeconds: number;
  /** Whether there is room for a number with each key. */
  readonly hasHint: boolean;
  /** Whether keys are slots (see KeySlots), close together from 0 on, and not any numbers; false by default. */
  readonly hasSlots?: boolean;
}

/** A place that moves with time: where windows begin or end. */
export interface Boundary {
  /** How far it lies behind an event, in seconds. */
  readonly distance: number;
  /** What is summed up to it. */
  readonly sum: Column;
}

/** The boundaries of a group: its windows' end, then their beginnings. */
export function boundariesOf(group: WindowGroup): Boundary[] {
  const { lagSeconds, windowSeconds, sum } = group;
  return [0, ...windowSeconds].map((seconds) => ({
    distance: lagSeconds + seconds,
    sum,
  }));
}
