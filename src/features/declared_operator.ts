/**
 * Declared aggregates, exact, one payment after another: those of the keys that
 * one stage has. Aggregates of one key and one condition share what is kept:
 * counts, sums and shares are differences of running sums (SlidingWindows), the
 * others look at the newest events (RecentEvents).
 */
import { SipHash, SIPHASH_KEY_BYTES } from "../base/siphash.ts";
import {
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import type { Aggregate } from "../definition/feature_declarations.ts";
import {
  compileExpression,
  type NamedValue,
  type Read,
} from "../definition/expression.ts";
import { CELL } from "../payment/payment_cells.ts";
import {
  MINOR_UNITS_MAX,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import {
  NO_TEXT,
  NO_TEXTS,
  type TextHeap,
  textLength,
  textStart,
} from "../payment/text_heap.ts";
import {
  keyName,
  paymentValues,
  type ResolvedAggregate,
} from "./declared_features.ts";
import { DIGEST_WORDS } from "./id_digest.ts";
import { KeySlots, SLOT_BYTES } from "./key_slots.ts";
import {
  type ArrivedLabel,
  type LabelSample,
  LabelWindows,
} from "./label_windows.ts";
import { RecentEvents } from "./recent_events.ts";
import { SlidingWindows } from "./sliding_windows.ts";
import type { Column, WindowGroup } from "./window_layout.ts";

/** Of what stands for a key, and of which aggregates share what is kept. */
const STATE_VERSION = 2;

/** What the payments of an operator are like. */
export interface DeclaredLayout {
  /** Their shape. */
  readonly shape: PaymentShape;
  /** The cell of the first kept field. */
  readonly keptFrom: number;
  /** How far behind the greatest time a payment may still come, in seconds. */
  readonly slackSeconds: number;
  /** Where labels arrive later, how long after it is known one counts, in seconds. */
  readonly graceSeconds: number | undefined;
}

/** A payment: the row that begins at `at`, its texts, and the greatest time so far. One object for all: most of what is done with a payment takes a few nanoseconds. */
interface Arrival {
  cells: Float64Array;
  at: number;
  texts: TextHeap;
  progress: number;
}

/** Payments one after another: rows of `width` cells from cell 0 on. */
export interface DeclaredRows {
  /** The cells. */
  readonly cells: Float64Array;
  /** Cells of a row. */
  readonly width: number;
  /** Number of rows. */
  readonly count: number;
  /** What cells of texts refer to. */
  readonly texts: TextHeap;
}

/** What is held for the values of a key. */
export interface KeyMemory {
  /** The fields of the key. */
  readonly by: readonly string[];
  /** How long a payment is kept, in seconds. */
  readonly keepSeconds: number;
  /** Bytes in all. */
  readonly bytes: number;
}

/** Computes aggregates. */
export class DeclaredOperator {
  readonly #keys: readonly KeyState[];
  readonly #arrival: Arrival = {
    cells: new Float64Array(0),
    at: 0,
    texts: NO_TEXTS,
    progress: 0,
  };

  /** Makes an operator without state. */
  constructor(
    aggregates: readonly ResolvedAggregate[],
    layout: DeclaredLayout,
  ) {
    const byKey = Map.groupBy(aggregates, ({ by }) => keyName(by));
    this.#keys = [...byKey.values()].map((own) => new KeyState(own, layout));
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#keys.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Adds the payment in the row that begins at `at`, and writes each aggregate
   * at `out[outAt + column]`, NaN for none. Its windows count it and the
   * payments before it in the order of the calls. `progress` is the greatest
   * TX_TIME_SECONDS so far.
   */
  process(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    progress: number,
    out: Float64Array,
    outAt: number,
  ): void {
    const arrival = this.#arrive(cells, at, texts, progress);
    for (let i = 0; i < this.#keys.length; i++) {
      this.#keys[i].process(arrival, out, outAt);
    }
  }

  /**
   * The same for payments one after another, whose aggregates lie `outWidth`
   * apart; `progress` is the greatest TX_TIME_SECONDS before them. All go
   * through one key after another, so that each finds its windows in the cache.
   */
  processBlock(
    { cells, width, count, texts }: DeclaredRows,
    progress: number,
    out: Float64Array,
    outAt: number,
    outWidth: number,
  ): void {
    const arrival = this.#arrive(cells, 0, texts, progress);
    for (const key of this.#keys) {
      arrival.progress = progress;
      for (let row = 0; row < count; row++) {
        arrival.at = row * width;
        const time = cells[arrival.at + CELL.time];
        if (time > arrival.progress) arrival.progress = time;
        key.process(arrival, out, outAt + row * outWidth);
      }
    }
  }

  #arrive(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    progress: number,
  ): Arrival {
    const arrival = this.#arrival;
    arrival.cells = cells;
    arrival.at = at;
    arrival.texts = texts;
    arrival.progress = progress;
    return arrival;
  }

  /** Takes the label of the payment in a row, whose TRANSACTION_ID has the digest `id`, where labels arrive on their own; see label_windows.ts. */
  takeLabel(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    id: Int32Array,
    label: ArrivedLabel,
    progress: number,
  ): void {
    const arrival = this.#arrive(cells, at, texts, progress);
    for (const key of this.#keys) key.takeLabel(arrival, id, label);
  }

  /** Counts the payment in a row for memory(), and adds it nowhere. */
  count(cells: Float64Array, at: number, texts: TextHeap): void {
    const arrival = this.#arrive(cells, at, texts, 0);
    for (const key of this.#keys) key.count(arrival);
  }

  /** About how many bytes each key holds of payments that come as those that were counted, and of their labels. */
  memory(sample: LabelSample): KeyMemory[] {
    return this.#keys.map((key) => key.memory(sample));
  }

  /** Writes the state. */
  save(sink: StateSink): void {
    writeView(sink, Int32Array.of(STATE_VERSION));
    for (const key of this.#keys) key.save(sink);
  }

  /** Loads what save() wrote, from an operator of the same aggregates and layout. Throws an Error for anything else; the operator is then unusable. */
  load(source: StateSource): void {
    const [version] = readInts(source, 1);
    if (version !== STATE_VERSION) {
      throw new Error("the saved aggregates have another version");
    }
    for (const key of this.#keys) key.load(source);
  }
}

/** What is kept for the values of one key. */
class KeyState {
  readonly #reader: KeyReader;
  readonly #slots = new KeySlots();
  readonly #tests: readonly Read<boolean>[];
  // Of each test, whether the payment passes it; then its own field.
  readonly #passes: boolean[] = [];
  readonly #series: readonly Series[];
  readonly #by: readonly string[];
  // Of each series, how many events of a slot were counted.
  readonly #counts: readonly Map<number, number>[];

  constructor(
    aggregates: readonly ResolvedAggregate[],
    layout: DeclaredLayout,
  ) {
    const { shape, keptFrom } = layout;
    this.#by = aggregates[0].by;
    const values = paymentValues(shape, keptFrom);
    this.#reader = new KeyReader(aggregates[0].by, values);
    const conditions = [...new Set(aggregates.map(({ where }) => where))];
    this.#tests = conditions.map((where) => testOf(where, values));
    const freed = (slot: number) => {
      if (!this.#series.some((one) => one.holds(slot))) {
        this.#slots.release(slot);
      }
    };
    this.#series = conditions.flatMap((where, test) => {
      const own = aggregates.filter((one) => one.where === where);
      return seriesOf(own, { test, values, layout, freed });
    });
    this.#counts = this.#series.map(() => new Map());
  }

  get bytes(): number {
    return this.#series.reduce(
      (sum, { bytes }) => sum + bytes,
      this.#slots.bytes,
    );
  }

  process(arrival: Arrival, out: Float64Array, outAt: number): void {
    const slot = this.#slotOf(arrival);
    const series = this.#series;
    for (let i = 0; i < series.length; i++) {
      series[i].process(slot, arrival, out, outAt);
    }
  }

  /** The slot of a payment's key; -1 where nothing is kept for it nor will be. */
  #slotOf(arrival: Arrival): number {
    const { cells, at, texts } = arrival;
    const hasKey = this.#reader.take(cells, at, texts);
    for (let i = 0; i < this.#tests.length; i++) {
      this.#passes[i] = hasKey && this.#tests[i](cells, at, texts);
    }
    let isCounted = false;
    const series = this.#series;
    for (let i = 0; i < series.length; i++) {
      if (series[i].match(arrival, this.#passes)) isCounted = true;
    }
    if (!hasKey) return -1;
    const { words } = this.#reader;
    return isCounted
      ? this.#slots.slotOf(words, 0)
      : this.#slots.find(words, 0);
  }

  count(arrival: Arrival): void {
    const slot = this.#slotOf(arrival);
    for (const [i, { isCounted }] of this.#series.entries()) {
      const counts = this.#counts[i];
      if (isCounted) counts.set(slot, 1 + (counts.get(slot) ?? 0));
    }
  }

  memory(sample: LabelSample): KeyMemory {
    let [keepSeconds, bytes, slots] = [0, 0, 0];
    for (const [i, series] of this.#series.entries()) {
      const counts = [...this.#counts[i].values()];
      const events = sample.within(counts, series.keepSeconds);
      keepSeconds = Math.max(keepSeconds, series.keepSeconds);
      slots = Math.max(slots, events.length);
      bytes += series.bytesFor(events) + series.labelBytesFor(counts, sample);
    }
    return {
      by: this.#by,
      keepSeconds,
      bytes: bytes + slots * SLOT_BYTES,
    };
  }

  takeLabel(arrival: Arrival, id: Int32Array, label: ArrivedLabel): void {
    const { cells, at, texts } = arrival;
    if (!this.#reader.take(cells, at, texts)) return;
    const slot = this.#slots.find(this.#reader.words, 0);
    if (slot < 0) return; // a label changes nothing without its payment
    for (const one of this.#series) {
      const passes = this.#tests[one.test](cells, at, texts);
      if (passes) one.takeLabel(slot, arrival, id, label);
    }
  }

  save(sink: StateSink): void {
    this.#reader.save(sink);
    this.#slots.save(sink);
    for (const one of this.#series) one.save(sink);
  }

  load(source: StateSource): void {
    this.#reader.load(source);
    this.#slots.load(source);
    for (const one of this.#series) one.load(source);
  }
}

function testOf(
  where: string | undefined,
  values: ReadonlyMap<string, NamedValue>,
): Read<boolean> {
  if (where === undefined) return () => true;
  const expression = compileExpression(where, values);
  return expression.type === "flag" ? expression.read : () => false;
}

/** What series are made from. */
interface SeriesOptions {
  /** Which condition their payments pass. */
  readonly test: number;
  readonly values: ReadonlyMap<string, NamedValue>;
  readonly layout: DeclaredLayout;
  readonly freed: (slot: number) => void;
}

/** What is kept of the payments of a key that pass a condition. */
interface Series {
  readonly test: number;
  readonly bytes: number;
  /** How long an event is kept, in seconds. */
  readonly keepSeconds: number;
  /** Whether the payment that match() saw last counts. */
  readonly isCounted: boolean;
  /** About how many bytes it holds with slots that have these numbers of events. */
  bytesFor(events: readonly number[]): number;
  /** The same of labels that arrive later, from the numbers of a sample. */
  labelBytesFor(payments: readonly number[], sample: LabelSample): number;
  /** Whether anything is kept for a slot. */
  holds(slot: number): boolean;
  /** Whether a payment counts, now that its conditions are known. */
  match(arrival: Arrival, passes: readonly boolean[]): boolean;
  /** Adds the payment if it counts, and writes the aggregates; the slot is -1 where there is nothing to count. */
  process(
    slot: number,
    arrival: Arrival,
    out: Float64Array,
    outAt: number,
  ): void;
  takeLabel(
    slot: number,
    arrival: Arrival,
    id: Int32Array,
    label: ArrivedLabel,
  ): void;
  save(sink: StateSink): void;
  load(source: StateSource): void;
}

/** The series that some aggregates of one key and condition need. */
function seriesOf(
  aggregates: readonly ResolvedAggregate[],
  options: SeriesOptions,
): Series[] {
  const sums = new Map<string, ResolvedAggregate[]>();
  const recents = new Map<string, ResolvedAggregate[]>();
  for (const one of aggregates) {
    const { kind, of, scale } = one;
    if (kind === "sum" || kind === "mean") put(sums, `${of} ${scale}`, one);
    else if (kind === "share") put(sums, of, one);
    else if (kind === "distinct") put(recents, of, one);
    else if (kind === "min" || kind === "max") put(recents, of, one);
  }
  shareRing(sums);
  for (const one of aggregates) {
    if (one.kind === "count") addTo(sums, one, () => true);
    if (one.kind !== "seconds_since") continue;
    addTo(recents, one, (own) => reachOf([one]) <= reachOf(own));
  }
  return [
    ...[...sums.values()].map((own) => new SumSeries(own, options)),
    ...[...recents.values()].map((own) => new RecentSeries(own, options)),
  ];
}

/** Lets the frauds share the ring of the amounts, where both are kept about equally long: every payment has both. */
function shareRing(sums: Map<string, ResolvedAggregate[]>): void {
  const frauds = sums.get("TX_FRAUD");
  const amounts = [...sums.values()].find(([{ of }]) => of === "TX_AMOUNT");
  if (!frauds || !amounts) return;
  const [less, more] = [reachOf(frauds), reachOf(amounts)].sort((a, b) =>
    a - b
  );
  if (more > RING_REACH_RATIO * less) return;
  amounts.push(...frauds);
  sums.delete("TX_FRAUD");
}

/** How much longer one of two things may be kept for both to share a ring: its event takes a third to a half of the memory that two take. */
const RING_REACH_RATIO = 2;

/** Adds an aggregate of any payments to the series of a field that every payment has, the one that is kept longest, or to a separate one. */
function addTo(
  series: Map<string, ResolvedAggregate[]>,
  one: ResolvedAggregate,
  fits: (own: readonly ResolvedAggregate[]) => boolean,
): void {
  const [best] = [...series.values()]
    .filter((own) => NEVER_MISSING.has(own[0].of) && fits(own))
    .sort((a, b) => reachOf(b) - reachOf(a));
  if (best) best.push(one);
  else put(series, "", one);
}

/** Fields that every payment has. */
const NEVER_MISSING: ReadonlySet<string> = new Set([
  "payments",
  "TX_AMOUNT",
  "TX_FRAUD",
  "CUSTOMER_ID",
  "TERMINAL_ID",
]);

/** How long before a payment the earliest begins that aggregates count, in seconds. */
function reachOf(aggregates: readonly ResolvedAggregate[]): number {
  return Math.max(
    ...aggregates.map(({ overSeconds, delaySeconds }) =>
      overSeconds + delaySeconds
    ),
  );
}

function put<T>(map: Map<string, T[]>, key: string, value: T): void {
  const found = map.get(key);
  if (found) found.push(value);
  else map.set(key, [value]);
}

const COUNT = 0;
const SUM = 1;
const MEAN = 2;
const SHARE = 3;

const SUM_KINDS: Readonly<Partial<Record<Aggregate, number>>> = {
  count: COUNT,
  sum: SUM,
  mean: MEAN,
};

/** An aggregate that a series of sums writes. */
interface SumOutput {
  readonly column: number;
  /** COUNT, SUM, MEAN or SHARE. */
  readonly kind: number;
  /** Place of its window's number of payments in the scratch. */
  readonly countPlace: number;
  /** Place of its window's sum. */
  readonly sumPlace: number;
  /** Whether the payment itself is to be taken out of the number again. */
  readonly leavesSelf: boolean;
  /** Whether it is to be taken out of the sum as well. */
  readonly leavesOwnSum: boolean;
  readonly scale: number;
}

/** Counts, sums and shares. */
class SumSeries implements Series {
  readonly test: number;
  readonly #windows: SlidingWindows;
  readonly #groups: readonly WindowGroup[];
  readonly #outputs: readonly SumOutput[];
  // Of each group that needs them, the frauds that labels tell of.
  readonly #labels: readonly (LabelWindows | undefined)[];
  // How long after its payment such a label is usually known.
  readonly #knownSeconds: number;
  readonly #value: Read<number> | undefined;
  readonly #flag: Read<number> | undefined;
  readonly #totals: Float64Array;
  isCounted = false;
  #ownValue = 0;
  #ownFlag = 0;

  constructor(
    aggregates: readonly ResolvedAggregate[],
    { test, values, layout, freed }: SeriesOptions,
  ) {
    this.test = test;
    const { slackSeconds, graceSeconds } = layout;
    const valued = aggregates.find(({ kind }) =>
      kind === "sum" || kind === "mean"
    );
    const shared = aggregates.find(({ kind }) => kind === "share");
    const hasLater = graceSeconds !== undefined && shared?.of === "TX_FRAUD";
    this.#knownSeconds = (shared?.labelDelaySeconds ?? 0) - (graceSeconds ?? 0);
    this.#value = valued && unitsOf(valued, values);
    this.#flag = shared && !hasLater ? flagOf(shared, values) : undefined;
    const columns: readonly Column[] = [
      ...this.#value ? ["value"] as const : [],
      ...this.#flag || !this.#value ? ["flag"] as const : [],
    ];
    const parts = aggregates.map((one) => partsOf(one, hasLater));
    const groups = groupsOf(
      parts.flatMap(({ counted, summed }) =>
        summed === undefined || summed === counted
          ? [counted]
          : [counted, summed]
      ),
    );
    this.#groups = groups.map(({ own, isShare }): WindowGroup => ({
      lagSeconds: own[0].delaySeconds,
      windowSeconds: ascending(own.map(({ overSeconds }) => overSeconds)),
      sum: isShare ? columns[columns.length - 1] : columns[0],
    }));
    const places = placesOf(this.#groups);
    this.#labels = this.#groups.map(({ lagSeconds, windowSeconds }, group) =>
      hasLater && groups[group].isShare
        ? new LabelWindows({
          windowSeconds,
          delaySeconds: lagSeconds,
          graceSeconds,
          slackSeconds,
        })
        : undefined
    );
    const placeOf = (part: ResolvedAggregate) => {
      const group = groups.findIndex(({ own }) => own.includes(part));
      const { windowSeconds } = this.#groups[group];
      return places[group] + 2 * windowSeconds.indexOf(part.overSeconds);
    };
    const length = this.#groups.reduce(
      (sum, { windowSeconds }) => sum + 2 * windowSeconds.length,
      0,
    );
    this.#outputs = aggregates.map((one, i) => {
      const { counted, summed } = parts[i];
      const leavesSelf = !one.includeSelf && one.delaySeconds === 0;
      return {
        column: one.column,
        kind: SUM_KINDS[one.kind] ?? SHARE,
        countPlace: placeOf(counted),
        sumPlace: summed === undefined ? length : placeOf(summed) + 1,
        leavesSelf,
        leavesOwnSum: leavesSelf && summed === counted,
        scale: one.scale,
      };
    });
    // The last cell is the sum of windows in which nothing can be known.
    this.#totals = new Float64Array(length + 1);
    this.#windows = new SlidingWindows({
      columns,
      groups: this.#groups,
      slackSeconds,
      hasHint: false,
      hasSlots: true,
    }, freed);
  }

  get bytes(): number {
    return this.#labels.reduce(
      (sum, labels) => sum + (labels?.bytes ?? 0),
      this.#windows.bytes,
    );
  }

  get keepSeconds(): number {
    return this.#windows.keepSeconds;
  }

  bytesFor(events: readonly number[]): number {
    return this.#windows.bytesFor(events);
  }

  labelBytesFor(payments: readonly number[], sample: LabelSample): number {
    return this.#labels.reduce(
      (sum, labels) =>
        sum + (labels?.bytesFor(payments, this.#knownSeconds, sample) ?? 0),
      0,
    );
  }

  holds(slot: number): boolean {
    return this.#windows.holds(slot);
  }

  match({ cells, at, texts }: Arrival, passes: readonly boolean[]): boolean {
    this.isCounted = passes[this.test];
    if (!this.isCounted) return false;
    this.#ownValue = this.#value ? this.#value(cells, at, texts) : 0;
    this.#ownFlag = this.#flag ? this.#flag(cells, at, texts) : 0;
    // What has no value is not counted.
    this.isCounted = !Number.isNaN(this.#ownValue + this.#ownFlag);
    return this.isCounted;
  }

  process(
    slot: number,
    { cells, at, progress }: Arrival,
    out: Float64Array,
    outAt: number,
  ): void {
    const time = cells[at + CELL.time];
    const totals = this.#totals;
    if (this.#add(slot, time, progress)) this.#write(slot, time, progress);
    else totals.fill(0);
    const outputs = this.#outputs;
    for (let i = 0; i < outputs.length; i++) {
      const { column, kind, countPlace, sumPlace, scale } = outputs[i];
      const { leavesSelf, leavesOwnSum } = outputs[i];
      let count = totals[countPlace];
      let sum = totals[sumPlace];
      if (leavesSelf && this.isCounted) {
        count--;
        if (leavesOwnSum) {
          sum -= kind === SHARE ? this.#ownFlag : this.#ownValue;
        }
      }
      out[outAt + column] = valueOf(kind, count, sum, scale);
    }
  }

  /** Adds the payment if it counts; whether there is anything in the windows. */
  #add(slot: number, time: number, progress: number): boolean {
    if (slot < 0) return false;
    if (!this.isCounted) return this.#windows.look(slot, time, progress);
    this.#windows.add(slot, time, this.#ownFlag, this.#ownValue, progress);
    return true;
  }

  #write(slot: number, time: number, progress: number): void {
    let place = 0;
    for (let group = 0; group < this.#groups.length; group++) {
      this.#windows.write(group, this.#totals, place);
      const labels = this.#labels[group];
      labels?.write(slot, time, progress, this.#totals, place + 1);
      place += 2 * this.#groups[group].windowSeconds.length;
    }
  }

  takeLabel(
    slot: number,
    { progress }: Arrival,
    id: Int32Array,
    label: ArrivedLabel,
  ): void {
    for (const labels of this.#labels) {
      labels?.take(slot, id, label, this.#windows, progress);
    }
  }

  save(sink: StateSink): void {
    this.#windows.save(sink);
    for (const labels of this.#labels) labels?.save(sink);
  }

  load(source: StateSource): void {
    this.#windows.load(source);
    for (const labels of this.#labels) labels?.load(source);
  }
}

/** The windows in which the payments of an aggregate are counted and its sum lies. */
interface SumParts {
  readonly counted: ResolvedAggregate;
  /** Undefined where the sum is always 0. */
  readonly summed: ResolvedAggregate | undefined;
}

/** The parts of an aggregate. A label that stands in its payment counts after some time: in windows that end earlier, the payments since then are counted, but not their labels. */
function partsOf(one: ResolvedAggregate, hasLater: boolean): SumParts {
  const { delaySeconds, labelDelaySeconds, overSeconds } = one;
  const unknownSeconds = labelDelaySeconds - delaySeconds;
  if (hasLater || unknownSeconds <= 0) return { counted: one, summed: one };
  return {
    counted: { ...one, kind: "count" },
    summed: unknownSeconds >= overSeconds ? undefined : {
      ...one,
      delaySeconds: labelDelaySeconds,
      overSeconds: overSeconds - unknownSeconds,
    },
  };
}

/** Aggregates whose windows end at one time before the payment, and that sum up one column. */
interface SumGroup {
  readonly own: ResolvedAggregate[];
  /** Whether that is a flag, or the labels. */
  readonly isShare: boolean;
}

/** The groups of some aggregates: a count goes along with what has its delay. */
function groupsOf(aggregates: readonly ResolvedAggregate[]): SumGroup[] {
  const groups: SumGroup[] = [];
  const counts = aggregates.filter(({ kind }) => kind === "count");
  const others = aggregates.filter(({ kind }) => kind !== "count");
  for (const one of [...others, ...counts]) {
    const isShare = one.kind === "share";
    const found = groups.find(({ own, isShare: same }) =>
      own[0].delaySeconds === one.delaySeconds &&
      (one.kind === "count" || same === isShare)
    );
    if (found) found.own.push(one);
    else groups.push({ own: [one], isShare });
  }
  return groups;
}

/** Where the number and the sum of each group's windows begin. */
function placesOf(groups: readonly WindowGroup[]): number[] {
  let place = 0;
  return groups.map(({ windowSeconds }) => {
    const start = place;
    place += 2 * windowSeconds.length;
    return start;
  });
}

function ascending(seconds: readonly number[]): number[] {
  return [...new Set(seconds)].sort((a, b) => a - b);
}

function valueOf(
  kind: number,
  count: number,
  sum: number,
  scale: number,
): number {
  if (kind === COUNT) return count;
  if (kind === SUM) return sum / scale;
  if (count === 0) return kind === MEAN ? NaN : 0;
  return kind === MEAN ? sum / count / scale : sum / count;
}

/** Reads a field in whole multiples of 1 / scale; NaN where there is none, or too large a one for an exact sum. */
function unitsOf(
  { of, scale }: ResolvedAggregate,
  values: ReadonlyMap<string, NamedValue>,
): Read<number> {
  const cell = values.get(of)?.cell ?? 0;
  return (cells, at) => {
    const units = Math.round(cells[at + cell] * scale) + 0; // not -0
    return Math.abs(units) <= MINOR_UNITS_MAX ? units : NaN;
  };
}

/** Reads a flag, 1 or 0; of a label that is not known, 0; NaN where a kept flag is missing. */
function flagOf(
  { of }: ResolvedAggregate,
  values: ReadonlyMap<string, NamedValue>,
): Read<number> {
  if (of === "TX_FRAUD") {
    return (cells, at) => cells[at + CELL.fraud] === 1 ? 1 : 0;
  }
  const cell = values.get(of)?.cell ?? 0;
  return (cells, at) => cells[at + cell];
}

/** Aggregates that end at one time before the payment, with or without it. */
interface RecentGroup {
  readonly delaySeconds: number;
  readonly includeSelf: boolean;
  /** Lengths of the windows, ascending. */
  readonly windowSeconds: readonly number[];
  readonly hasDistinct: boolean;
  readonly hasExtremes: boolean;
  readonly outputs: readonly {
    readonly column: number;
    readonly kind: ResolvedAggregate["kind"];
    readonly window: number;
  }[];
  // What the windows hold: of each its beginning and its answers.
  readonly from: Float64Array;
  readonly least: Float64Array;
  readonly greatest: Float64Array;
  readonly distinct: Float64Array;
}

/** Least, greatest and distinct values, and the time since the payment before. */
class RecentSeries implements Series {
  readonly test: number;
  readonly keepSeconds: number;
  readonly #events: RecentEvents;
  readonly #value: ValueReader;
  // Those without the payment itself come first: they ask before it is added.
  readonly #groups: readonly RecentGroup[];
  isCounted = false;

  constructor(
    aggregates: readonly ResolvedAggregate[],
    { test, values, layout, freed }: SeriesOptions,
  ) {
    this.test = test;
    this.#value = new ValueReader(aggregates[0], values);
    this.#groups = recentGroups(aggregates);
    this.keepSeconds = reachOf(aggregates) + layout.slackSeconds;
    this.#events = new RecentEvents(this.#value.kind, this.keepSeconds, freed);
  }

  get bytes(): number {
    return this.#events.bytes;
  }

  bytesFor(events: readonly number[]): number {
    return this.#events.bytesFor(events);
  }

  labelBytesFor(): number {
    return 0;
  }

  holds(slot: number): boolean {
    return this.#events.holds(slot);
  }

  match({ cells, at, texts }: Arrival, passes: readonly boolean[]): boolean {
    this.isCounted = passes[this.test] && this.#value.take(cells, at, texts);
    return this.isCounted;
  }

  process(
    slot: number,
    { cells, at, progress }: Arrival,
    out: Float64Array,
    outAt: number,
  ): void {
    const time = cells[at + CELL.time];
    let isAdded = !this.isCounted || slot < 0;
    for (const group of this.#groups) {
      if (group.includeSelf && !isAdded) {
        this.#events.add(slot, time, this.#value.words, 0, progress);
        isAdded = true;
      }
      this.#ask(slot, time, group, out, outAt);
    }
    if (!isAdded) this.#events.add(slot, time, this.#value.words, 0, progress);
  }

  #ask(
    slot: number,
    time: number,
    group: RecentGroup,
    out: Float64Array,
    outAt: number,
  ): void {
    const { delaySeconds, windowSeconds, outputs, from } = group;
    const { least, greatest, distinct, hasDistinct, hasExtremes } = group;
    const to = time - delaySeconds;
    for (let i = 0; i < from.length; i++) from[i] = to - windowSeconds[i];
    if (hasExtremes) {
      this.#events.extremes(slot, from, to, least, greatest);
    }
    if (hasDistinct) this.#events.distinct(slot, from, to, distinct);
    for (const { column, kind, window } of outputs) {
      out[outAt + column] = kind === "min"
        ? least[window]
        : kind === "max"
        ? greatest[window]
        : kind === "distinct"
        ? distinct[window]
        : this.#since(slot, time, to, from[window]);
    }
  }

  /** Seconds since the newest event in (from, to]. */
  #since(slot: number, time: number, to: number, from: number): number {
    const newest = this.#events.newest(slot, to);
    return newest >= 0 && newest > from ? time - newest : NaN;
  }

  takeLabel(): void {}

  save(sink: StateSink): void {
    this.#value.save(sink);
    this.#events.save(sink);
  }

  load(source: StateSource): void {
    this.#value.load(source);
    this.#events.load(source);
  }
}

function recentGroups(
  aggregates: readonly ResolvedAggregate[],
): RecentGroup[] {
  const groups = Map.groupBy(
    aggregates,
    ({ delaySeconds, includeSelf }) => `${includeSelf} ${delaySeconds}`,
  );
  return [...groups.values()]
    .map((own): RecentGroup => {
      const windowSeconds = ascending(
        own.map(({ overSeconds }) => overSeconds),
      );
      const { length } = windowSeconds;
      return {
        delaySeconds: own[0].delaySeconds,
        includeSelf: own[0].includeSelf,
        windowSeconds,
        hasDistinct: own.some(({ kind }) => kind === "distinct"),
        hasExtremes: own.some(({ kind }) => kind === "min" || kind === "max"),
        outputs: own.map(({ column, kind, overSeconds }) => ({
          column,
          kind,
          window: windowSeconds.indexOf(overSeconds),
        })),
        from: new Float64Array(length),
        least: new Float64Array(length),
        greatest: new Float64Array(length),
        distinct: new Float64Array(length),
      };
    })
    .sort((a, b) => Number(a.includeSelf) - Number(b.includeSelf));
}

/** Reads what an event of a series carries. */
class ValueReader {
  readonly kind: "none" | "number" | "digest";
  /** The value taken last. */
  readonly words: Int32Array = new Int32Array(DIGEST_WORDS);
  readonly #double = new Float64Array(this.words.buffer, 0, 1);
  readonly #cell: number;
  readonly #hash = new KeyedHash();

  constructor(
    { kind, of }: ResolvedAggregate,
    values: ReadonlyMap<string, NamedValue>,
  ) {
    const value = values.get(of);
    this.#cell = value?.cell ?? 0;
    this.kind = kind === "seconds_since" || value === undefined
      ? "none"
      : value.type === "text"
      ? "digest"
      : "number";
  }

  /** Takes the value of a row; false where it has none. */
  take(cells: Float64Array, at: number, texts: TextHeap): boolean {
    const cell = cells[at + this.#cell];
    switch (this.kind) {
      case "none":
        return true;
      case "number":
        this.#double[0] = cell + 0; // 0 and -0 are one value
        return !Number.isNaN(cell);
      case "digest":
        if (cell === NO_TEXT) return false;
        this.#hash.takeText(cell, texts, this.words);
        return true;
    }
  }

  save(sink: StateSink): void {
    if (this.kind === "digest") this.#hash.save(sink);
  }

  load(source: StateSource): void {
    if (this.kind === "digest") this.#hash.load(source);
  }
}

/** Reads keys as digests. */
class KeyReader {
  /** The digest of the key taken last. */
  readonly words: Int32Array = new Int32Array(DIGEST_WORDS);
  readonly #fields: readonly NamedValue[];
  // Whether these are two numbers.
  readonly #isPair: boolean;
  readonly #hash = new KeyedHash();
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  #bytes = new Uint8Array(256);

  constructor(by: readonly string[], values: ReadonlyMap<string, NamedValue>) {
    this.#fields = by.flatMap((name) => values.get(name) ?? []);
    this.#isPair = this.#fields.length === 2 &&
      this.#fields.every(({ type }) => type !== "text");
  }

  /** Takes the key of a row; false where a field of it is missing. */
  take(cells: Float64Array, at: number, texts: TextHeap): boolean {
    const [{ type, cell }] = this.#fields;
    if (this.#fields.length > 1) {
      return this.#takeTwo(cells, at) || this.#takeSeveral(cells, at, texts);
    }
    const value = cells[at + cell];
    if (type === "text") {
      if (value === NO_TEXT) return false;
      this.#hash.takeText(value, texts, this.words);
      return true;
    }
    if (Number.isNaN(value)) return false;
    if (Number.isSafeInteger(value)) {
      this.words[0] = value;
      this.words[1] = Math.floor(value / 2 ** 32);
      this.words[2] = this.words[3] = 0;
      return true;
    }
    this.#double[0] = value;
    this.#hash.take(this.#doubleBytes, 0, 8, this.words);
    return true;
  }

  /** Two whole numbers, which are a digest themselves; false for anything else. */
  #takeTwo(cells: Float64Array, at: number): boolean {
    if (!this.#isPair) return false;
    for (let i = 0; i < 2; i++) {
      const value = cells[at + this.#fields[i].cell];
      if (!Number.isSafeInteger(value)) return false;
      this.words[2 * i] = value;
      this.words[2 * i + 1] = Math.floor(value / 2 ** 32);
    }
    return true;
  }

  /** Each field with its length before it, so that no two keys have the same bytes. */
  #takeSeveral(cells: Float64Array, at: number, texts: TextHeap): boolean {
    let length = 0;
    for (const { type, cell } of this.#fields) {
      const value = cells[at + cell];
      if (type === "text") {
        if (value === NO_TEXT) return false;
        const from = textStart(value);
        length = this.#put(length, texts.bytes, from, from + textLength(value));
      } else {
        if (Number.isNaN(value)) return false;
        this.#double[0] = value + 0;
        length = this.#put(length, this.#doubleBytes, 0, 8);
      }
    }
    this.#hash.take(this.#bytes, 0, length, this.words);
    return true;
  }

  #put(at: number, source: Uint8Array, from: number, to: number): number {
    const end = at + 2 + to - from;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    bytes[at] = to - from;
    bytes[at + 1] = (to - from) >>> 8;
    for (let i = from; i < to; i++) bytes[at + 2 + i - from] = source[i];
    return end;
  }

  save(sink: StateSink): void {
    this.#hash.save(sink);
  }

  load(source: StateSource): void {
    this.#hash.load(source);
  }
}

/** A hash of 128 bits under a random key; see id_digest.ts. */
class KeyedHash {
  #key = crypto.getRandomValues(new Uint8Array(SIPHASH_KEY_BYTES));
  #hash = new SipHash(this.#key);

  take(bytes: Uint8Array, from: number, to: number, words: Int32Array): void {
    this.#hash.hash(bytes, from, to, words, 0);
  }

  takeText(cell: number, texts: TextHeap, words: Int32Array): void {
    const from = textStart(cell);
    this.take(texts.bytes, from, from + textLength(cell), words);
  }

  save(sink: StateSink): void {
    sink.write(this.#key);
  }

  load(source: StateSource): void {
    this.#key = source.read(SIPHASH_KEY_BYTES).slice();
    this.#hash = new SipHash(this.#key);
  }
}
