/** When payments are due: how the producer keeps its pace. */
import { setImmediate } from "node:timers/promises";
import { type Clock, REAL_CLOCK, rest } from "../base/clock.ts";
import type { Pace } from "./role.ts";

/** Time between two checks of the clock, so that an append holds several rows. */
const TICK_MS = 5;
/**
 * A transaction costs a cluster the same for one payment as for thousands: the
 * next append waits as long as the last one took, up to this.
 */
const REST_MAX_MS = 50;
/** After a pause of the process, at most this much time is caught up at once. */
const BURST_MS = 1000;

/** Says how many rows are due. */
export interface Pacer {
  /**
   * Waits until at least one of the rows `from` … `from + wanted - 1` is due
   * and returns how many are; 0 when stopped. `timeSeconds` are their times.
   */
  take(timeSeconds: Int32Array, from: number, wanted: number): Promise<number>;
}

/** A pacer that begins now. */
export function openPacer(
  pace: Pace,
  signal: AbortSignal,
  clock: Clock = REAL_CLOCK,
): Pacer {
  switch (pace.kind) {
    case "max":
      return {
        take: async (_times, _from, wanted) => {
          await setImmediate();
          return signal.aborted ? 0 : wanted;
        },
      };
    case "rate":
      return ratePacer(pace.perSecond, signal, clock);
    case "speedup":
      return speedupPacer(pace.factor, signal, clock);
  }
}

/** Waits after an append that took longer than a tick; `since` is when its rows were taken. */
async function restAfter(
  since: number | undefined,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  if (since === undefined) return;
  const took = clock.now() - since;
  if (took > TICK_MS) await rest(Math.min(took, REST_MAX_MS), signal, clock);
}

function ratePacer(
  perSecond: number,
  signal: AbortSignal,
  clock: Clock,
): Pacer {
  const burst = Math.max(1, perSecond * BURST_MS / 1000);
  let last = clock.now();
  let due = 0;
  let taken: number | undefined;
  return {
    take: async (_times, _from, wanted) => {
      await restAfter(taken, signal, clock);
      while (!signal.aborted) {
        const now = clock.now();
        due = Math.min(burst, due + (now - last) * perSecond / 1000);
        last = now;
        const rows = Math.min(wanted, Math.floor(due));
        if (rows > 0) {
          due -= rows;
          taken = now;
          return rows;
        }
        const waitMs = Math.max(TICK_MS, Math.min(100, 1000 / perSecond));
        await rest(waitMs, signal, clock);
      }
      return 0;
    },
  };
}

function speedupPacer(
  factor: number,
  signal: AbortSignal,
  clock: Clock,
): Pacer {
  let origin: number | undefined; // clock time of event time 0, ms
  let taken: number | undefined;
  return {
    take: async (times, from, wanted) => {
      await restAfter(taken, signal, clock);
      while (!signal.aborted) {
        const now = clock.now();
        const next = times[from] * 1000 / factor;
        origin ??= now - next;
        // After a pause the stream continues from here.
        origin = Math.max(origin, now - BURST_MS - next);
        const reached = (now - origin) * factor / 1000;
        let rows = 0;
        while (rows < wanted && times[from + rows] <= reached) rows++;
        if (rows > 0) {
          taken = now;
          return rows;
        }
        const waitMs = (times[from] - reached) * 1000 / factor;
        await rest(Math.max(TICK_MS, Math.min(100, waitMs)), signal, clock);
      }
      return 0;
    },
  };
}
