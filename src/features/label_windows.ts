/**
 * Frauds in the windows of a key where labels arrive later than their payments
 * (labels from a stream). The payments' times lie in separate rings; this adds
 * only what labels say.
 *
 * The rule. P is the greatest payment time that the partition has taken before
 * a label. The label of a payment of time s that was known at K counts from
 * e = max(K + grace, P + 1) on. At time t, of the payment's labels with e <= t,
 * the one with the greatest K holds, of equal ones the later record. A payment
 * at t sees s as a fraud in a window of length N if that label says so and
 * t - delay - N < s <= t - delay.
 *
 * Why features are an exact function of the log. e > P: every payment taken
 * before the label has t <= P < e, so it could not have seen the label either;
 * for every payment, whenever it is taken, "the label is in the log by now and
 * counts" is just e <= t. And e depends on nothing but the log before the
 * label. A replay that begins where P is below every time in reach meets every
 * label in reach, since s <= P holds for each label that is taken, and the same
 * P before each.
 *
 * When a label changes nothing. Nothing sees it if its payment leaves the
 * longest window before it counts, e >= s + delay + N; if a label that is known
 * later counts already at e; and if the partition has taken no payment of the
 * key at s. It is then not kept.
 *
 * How they are counted. A change of a payment by d holds for the ends of
 * windows T = t - delay from max(s, e - delay) to min(s + N, e' - delay), where
 * another label counts from e' on. That is a pair of events: -d where it
 * begins, d where it ends. The frauds at T are the sum of the events after T,
 * so those up to the least T that may still be asked for can be forgotten. Both
 * lie in SlidingWindows: a label is an insertion, a payment moves a boundary.
 */
import type { StateSink, StateSource } from "../base/state_stream.ts";
import { INT_MAX } from "../payment/payment.ts";
import { LABEL_BYTES, LabelLedger } from "./label_ledger.ts";
import { SlidingWindows } from "./sliding_windows.ts";

/** Farther than any event can be from another. */
const FOREVER = 2 ** 31;

/** Which windows there are over labels; all in seconds. */
export interface LabelLayout {
  /** Lengths of the windows, ascending. */
  readonly windowSeconds: readonly number[];
  /** How far their end lies behind a payment. */
  readonly delaySeconds: number;
  /** How long after it was known a label counts. */
  readonly graceSeconds: number;
  /** How far behind the greatest payment time a payment may still come. */
  readonly slackSeconds: number;
}

/** A label, as a stage takes it. */
export interface ArrivedLabel {
  /** TX_TIME_SECONDS of the payment. */
  readonly timeSeconds: number;
  /** KNOWN_AT in the same seconds. */
  readonly knownSeconds: number;
  /** 1 for a fraud; 0 for a genuine payment, and where a label is withdrawn. */
  readonly fraud: 0 | 1;
}

/** Labels as they come for the payments of a sample, to say what they will take. */
export interface LabelSample {
  /** Share of the payments that get a label. */
  readonly labelled: number;
  /** Share of the payments whose label says that they are frauds. */
  readonly frauds: number;
  /** How many payments each key has in some seconds, from how many it has in the sample. */
  readonly within: (payments: readonly number[], seconds: number) => number[];
}

/** Frauds in the windows of many keys. */
export class LabelWindows {
  readonly #layout: LabelLayout;
  readonly #reachSeconds: number;
  readonly #ledger = new LabelLedger();
  // Of each window, pairs of events: see above.
  readonly #windows: readonly SlidingWindows[];
  readonly #frauds = new Float64Array(2);

  /** Makes windows without labels. */
  constructor(layout: LabelLayout) {
    const { windowSeconds, delaySeconds, slackSeconds } = layout;
    this.#layout = layout;
    this.#reachSeconds = delaySeconds + Math.max(...windowSeconds);
    this.#windows = windowSeconds.map(() =>
      new SlidingWindows({
        columns: ["value"],
        groups: [{
          lagSeconds: delaySeconds - FOREVER,
          windowSeconds: [FOREVER],
          sum: "value",
        }],
        slackSeconds,
        hasHint: false,
      })
    );
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#windows.reduce(
      (sum, { bytes }) => sum + bytes,
      this.#ledger.bytes,
    );
  }

  /** About how many bytes it holds with keys that have these numbers of payments in a sample, whose labels are known `knownSeconds` after them. */
  bytesFor(
    payments: readonly number[],
    knownSeconds: number,
    { labelled, frauds, within }: LabelSample,
  ): number {
    const { delaySeconds, graceSeconds, slackSeconds, windowSeconds } =
      this.#layout;
    const begin = Math.max(0, knownSeconds + graceSeconds - delaySeconds);
    const heldSeconds = delaySeconds + slackSeconds - knownSeconds;
    const longest = windowSeconds[windowSeconds.length - 1];
    if (begin >= longest) return 0;
    const labels = within(payments, Math.max(0, heldSeconds + longest));
    const ofFrauds = payments.map((count) => count * frauds);
    return windowSeconds.reduce((bytes, length, window) => {
      if (begin >= length) return bytes;
      // A pair of events for each fraud; both are held from the label on.
      const seconds = 2 * heldSeconds + begin + length;
      const events = within(ofFrauds, Math.max(0, seconds));
      return bytes + this.#windows[window].bytesFor(events);
    }, LABEL_BYTES * labelled * sumOf(labels));
  }

  /** Number of labels held. */
  get labels(): number {
    return this.#ledger.size;
  }

  /**
   * Takes a label of a payment of that key; `id` is the digest of the payment's
   * TRANSACTION_ID. `payments` has the times of the key's payments, `progress`
   * is the greatest payment time so far.
   */
  take(
    key: number,
    id: Int32Array,
    label: ArrivedLabel,
    payments: SlidingWindows,
    progress: number,
  ): void {
    const { delaySeconds, graceSeconds, slackSeconds, windowSeconds } =
      this.#layout;
    const { timeSeconds } = label;
    const fromSeconds = Math.max(
      label.knownSeconds + graceSeconds,
      progress + 1,
    );
    const endSeconds = timeSeconds + this.#reachSeconds;
    if (fromSeconds >= Math.min(endSeconds, INT_MAX)) return;
    if (!payments.has(key, timeSeconds)) return;
    const { change, untilSeconds } = this.#ledger.take(
      { ...label, id, fromSeconds },
      progress - slackSeconds,
      progress - slackSeconds - this.#reachSeconds,
    );
    if (change === 0) return;
    const begin = Math.max(timeSeconds, fromSeconds - delaySeconds);
    const until = Math.min(untilSeconds - delaySeconds, INT_MAX);
    for (const [at, length] of windowSeconds.entries()) {
      const end = Math.min(timeSeconds + length, until);
      if (begin >= end) continue;
      this.#windows[at].insert(key, begin, 0, -change, progress);
      this.#windows[at].insert(key, end, 0, change, progress);
    }
  }

  /** Writes the frauds that a payment of that key and time sees: of window w at out[at + 2w]. */
  write(
    key: number,
    time: number,
    progress: number,
    out: Float64Array,
    at: number,
  ): void {
    const windows = this.#windows;
    // What lies in a shorter window lies in the longer ones as well.
    let isThere = true;
    for (let window = windows.length - 1; window >= 0; window--) {
      isThere = isThere && windows[window].look(key, time, progress);
      this.#frauds[1] = 0;
      if (isThere) windows[window].write(0, this.#frauds, 0);
      out[at + 2 * window] = this.#frauds[1];
    }
  }

  /** Writes the state, all but the layout. */
  save(sink: StateSink): void {
    this.#ledger.save(sink);
    for (const windows of this.#windows) windows.save(sink);
  }

  /** Loads a state that save() wrote into empty windows of the same layout. Throws an Error if it has another version or layout, is damaged or too short. */
  load(source: StateSource): void {
    this.#ledger.load(source);
    for (const windows of this.#windows) windows.load(source);
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
