/**
 * The 14 features of the Fraud Detection Handbook (chapter 3, "Baseline
 * feature transformation"), and the extended set's behind them, exact, one
 * payment after another. The processor
 * runs the two halves on the two sides of its repartition; files run both at
 * once through FeatureOperator. There is no other implementation.
 */
import type { StateSink, StateSource } from "../base/state_stream.ts";
import { isNight, isWeekend } from "../payment/calendar.ts";
import { DAY_SECONDS, emptyPayment, type Payment } from "../payment/payment.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import { NO_TEXTS, type TextHeap } from "../payment/text_heap.ts";
import { amountUnits } from "../payment/validation.ts";
import { PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { CustomerExtension, knownFrauds } from "./customer_extension.ts";
import { type DeclaredPart, declaredPart } from "./declared_part.ts";
import { DIGEST, IdDigests } from "./id_digest.ts";
import { KeySlots, SLOT_BYTES } from "./key_slots.ts";
import {
  type ArrivedLabel,
  type LabelSample,
  LabelWindows,
} from "./label_windows.ts";
import {
  amountScale,
  featureCount,
  type FeatureParameters,
  hasHandbook,
} from "./parameters.ts";
import { SlidingWindows } from "./sliding_windows.ts";
import { TerminalExtension } from "./terminal_extension.ts";

/** Writes TX_DURING_WEEKEND and TX_DURING_NIGHT of a time in seconds since 1970, the first two of a row of totals. */
export function writeCalendarFlags(
  datetimeSeconds: number,
  totals: Float64Array,
  at: number,
): void {
  totals[at] = isWeekend(datetimeSeconds) ? 1 : 0;
  totals[at + 1] = isNight(datetimeSeconds) ? 1 : 0;
}

/** The customer's half: calendar flags and the customer's windows. */
export class CustomerOperator {
  /** The state: windows over the amounts of each customer. */
  readonly windows: SlidingWindows;
  readonly #keys: WindowKeys | undefined;
  readonly #amountScale: number;
  readonly #useLabels: boolean;
  readonly #extension: CustomerExtension | undefined;

  /**
   * Makes an operator without state; payments may come up to `slackSeconds`
   * late. With `digests`, which hold those of the payment at each process(),
   * ids may be texts or any whole numbers; without them they are below 2^31.
   */
  constructor(
    parameters: FeatureParameters,
    slackSeconds: number,
    digests?: IdDigests,
  ) {
    this.#keys = digests && new WindowKeys(digests, DIGEST.customer);
    this.#amountScale = amountScale(parameters);
    const windowSeconds = parameters.windowDays.map((d) => d * DAY_SECONDS);
    const amounts = { lagSeconds: 0, windowSeconds, sum: "value" } as const;
    const isExtended = parameters.set === "extended";
    this.#extension = isExtended
      ? new CustomerExtension(parameters)
      : undefined;
    this.#useLabels = parameters.useLabels;
    this.windows = new SlidingWindows({
      columns: isExtended ? ["flag", "value"] : ["value"],
      groups: isExtended ? [amounts, knownFrauds(parameters)] : [amounts],
      slackSeconds,
      hasHint: isExtended,
    }, this.#keys?.freed);
  }

  /**
   * Adds a payment and writes the first half of its totals (see
   * totalsToValues) from `totals[at]` on. Its windows count it and the
   * payments before it in the order of the calls. `progress` is the greatest
   * TX_TIME_SECONDS so far.
   */
  process(
    row: Payment,
    progress: number,
    totals: Float64Array,
    at = 0,
  ): void {
    writeCalendarFlags(row.datetimeSeconds, totals, at);
    const units = amountUnits(row.amount, this.#amountScale);
    const { timeSeconds } = row;
    const key = this.#keys === undefined ? row.customerId : this.#keys.key;
    const label = this.#useLabels && row.fraud === 1 ? 1 : 0;
    this.windows.add(key, timeSeconds, label, units, progress);
    this.windows.write(0, totals, at + 2);
    this.#extension?.process(row, this.windows, totals, at);
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.windows.bytes + (this.#keys?.bytes ?? 0);
  }

  /** About how many bytes it holds with cards that have these numbers of payments within its windows. */
  bytesFor(payments: readonly number[]): number {
    return this.windows.bytesFor(payments) +
      (this.#keys?.bytesFor(payments.length) ?? 0);
  }

  /** Writes the state, all but the parameters. */
  save(sink: StateSink): void {
    this.#keys?.save(sink);
    this.windows.save(sink);
  }

  /**
   * Loads a state that save() wrote, from an operator with the same parameters
   * and slack. Throws an Error if it has another version or layout, is damaged
   * or too short; the operator then keeps its own.
   */
  load(source: StateSource): void {
    if (this.#keys === undefined) this.windows.load(source);
    else this.#keys.load(source, this.windows);
  }
}

/** The terminal's half: its windows, ending at the label delay. */
export class TerminalOperator {
  /** The state: windows over the labels of each terminal. */
  readonly windows: SlidingWindows;
  readonly #keys: WindowKeys | undefined;
  readonly #useLabels: boolean;
  readonly #offset: number;
  readonly #extension: TerminalExtension | undefined;
  // Where labels arrive later than their payments.
  readonly #labels: LabelWindows | undefined;
  // How long after its payment such a label is usually known.
  readonly #knownSeconds: number;

  /** Makes an operator without state; payments may come up to `slackSeconds` out of order. For `digests` see CustomerOperator. */
  constructor(
    parameters: FeatureParameters,
    slackSeconds: number,
    digests?: IdDigests,
  ) {
    this.#keys = digests && new WindowKeys(digests, DIGEST.terminal);
    const { graceSeconds, useLabels } = parameters;
    this.#useLabels = useLabels && graceSeconds === undefined;
    this.#extension = parameters.set === "extended"
      ? new TerminalExtension(parameters)
      : undefined;
    this.#offset = 2 + 2 * parameters.windowDays.length;
    const lagSeconds = parameters.delayDays * DAY_SECONDS;
    const windowSeconds = parameters.windowDays.map((d) => d * DAY_SECONDS);
    this.windows = new SlidingWindows({
      columns: this.#extension ? ["flag", "value"] : ["flag"],
      groups: [{ lagSeconds, windowSeconds, sum: "flag" }],
      slackSeconds,
      hasHint: false,
    }, this.#keys?.freed);
    this.#knownSeconds = lagSeconds - (graceSeconds ?? 0);
    this.#labels = useLabels && graceSeconds !== undefined
      ? new LabelWindows({
        windowSeconds,
        delaySeconds: lagSeconds,
        graceSeconds,
        slackSeconds,
      })
      : undefined;
  }

  /**
   * Adds a payment and writes the second half of its totals; the row of them
   * begins at `totals[at]` and has the first half already. Its own label cannot count: the windows end
   * `delayDays` before it.
   */
  process(
    row: Payment,
    progress: number,
    totals: Float64Array,
    at = 0,
  ): void {
    const label = this.#useLabels && row.fraud === 1 ? 1 : 0;
    const { timeSeconds } = row;
    const key = this.#keys === undefined ? row.terminalId : this.#keys.key;
    const usual = this.#extension?.isUsual(totals, at) ? 1 : 0;
    this.windows.add(key, timeSeconds, label, usual, progress);
    this.windows.write(0, totals, at + this.#offset);
    const place = at + this.#offset + 1;
    this.#labels?.write(key, timeSeconds, progress, totals, place);
    this.#extension?.process(row, this.windows, totals, at);
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.windows.bytes + (this.#keys?.bytes ?? 0) +
      (this.#labels?.bytes ?? 0);
  }

  /** About how many bytes it holds with terminals that have these numbers of payments within its windows, labels aside. */
  bytesFor(payments: readonly number[]): number {
    return this.windows.bytesFor(payments) +
      (this.#keys?.bytesFor(payments.length) ?? 0);
  }

  /** The same of labels that arrive later, with terminals that have these numbers of payments in a sample. */
  labelBytesFor(payments: readonly number[], sample: LabelSample): number {
    return this.#labels?.bytesFor(payments, this.#knownSeconds, sample) ?? 0;
  }

  /** Takes a label of a payment whose digests have been taken, where labels arrive on their own; see label_windows.ts. */
  takeLabel(label: ArrivedLabel, progress: number): void {
    const keys = this.#keys;
    if (keys === undefined || this.#labels === undefined) return;
    const key = keys.known;
    if (key < 0) return; // a label changes nothing without its payment
    this.#labels.take(key, keys.id, label, this.windows, progress);
  }

  /** Writes the state, all but the parameters. */
  save(sink: StateSink): void {
    this.#keys?.save(sink);
    this.windows.save(sink);
    this.#labels?.save(sink);
  }

  /**
   * Loads a state that save() wrote, from an operator with the same parameters
   * and slack. Throws an Error if it has another version or layout, is damaged
   * or too short; the operator is then unusable.
   */
  load(source: StateSource): void {
    if (this.#keys === undefined) this.windows.load(source);
    else this.#keys.load(source, this.windows);
    this.#labels?.load(source);
  }
}

/** The keys of windows over ids that are texts or large numbers. */
class WindowKeys {
  /** What to call when a key has no event left. */
  readonly freed = (key: number): void => this.#slots.release(key);
  readonly #digests: IdDigests;
  readonly #place: number;
  readonly #slots = new KeySlots();

  /** Keys of the ids whose digests begin at a place. */
  constructor(digests: IdDigests, place: number) {
    this.#digests = digests;
    this.#place = place;
  }

  /** The key of the payment whose digests have been taken. */
  get key(): number {
    return this.#slots.slotOf(this.#digests.words, this.#place);
  }

  /** The same if windows hold anything for it, otherwise -1. */
  get known(): number {
    return this.#slots.find(this.#digests.words, this.#place);
  }

  /** The digest of the payment's TRANSACTION_ID. */
  get id(): Int32Array {
    return this.#digests.words;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#slots.bytes;
  }

  /** About how many bytes this many keys take. */
  bytesFor(keys: number): number {
    return keys * SLOT_BYTES;
  }

  save(sink: StateSink): void {
    this.#slots.save(sink);
  }

  /** Loads the keys, then the windows, which hold something for each of them. */
  load(source: StateSource, windows: SlidingWindows): void {
    this.#slots.load(source);
    windows.load(source);
    if (windows.keys === this.#slots.size) return;
    throw new Error(
      `the saved windows have ${windows.keys} keys, not ${this.#slots.size}`,
    );
  }
}

/** Both halves over one stream of payments: what files and tests use. */
export class FeatureOperator {
  // Undefined in a set without features.
  readonly #customer: CustomerOperator | undefined;
  readonly #terminal: TerminalOperator | undefined;
  readonly #declared: DeclaredPart | undefined;
  readonly #width: number;
  readonly #row = emptyPayment();
  // Of declared features: the payments of a block with their kept fields.
  readonly #cellWidth: number;
  #cells = new Float64Array(0);
  // Of payments whose shape is not the handbook's.
  readonly #digests: IdDigests | undefined;
  #progress = 0;

  /** Makes an operator without state; payments may come up to `slackSeconds` late. */
  constructor(
    parameters: FeatureParameters,
    slackSeconds: number = DAY_SECONDS,
    shape: PaymentShape = HANDBOOK_SHAPE,
  ) {
    const digests = shape === HANDBOOK_SHAPE ? undefined : new IdDigests(shape);
    this.#digests = digests;
    if (hasHandbook(parameters)) {
      this.#customer = new CustomerOperator(parameters, slackSeconds, digests);
      this.#terminal = new TerminalOperator(parameters, slackSeconds, digests);
    }
    const keptFrom = PAYMENT_CELLS;
    this.#declared = declaredPart(parameters, {
      part: "all",
      shape,
      keptFrom,
      slackSeconds,
    });
    this.#cellWidth = keptFrom + shape.kept.length;
    this.#width = featureCount(parameters);
  }

  /** Adds a payment, whose ids may refer to `texts`, and writes its totals but for declared features, featureCount(parameters) of them. */
  process(
    row: Payment,
    totals: Float64Array,
    texts: TextHeap = NO_TEXTS,
  ): void {
    if (row.timeSeconds > this.#progress) this.#progress = row.timeSeconds;
    this.#digests?.takeCustomer(row.customerId, texts);
    this.#digests?.takeTerminal(row.terminalId, texts);
    this.#customer?.process(row, this.#progress, totals);
    this.#terminal?.process(row, this.#progress, totals);
  }

  /**
   * Adds `length` payments one after another, and writes their totals side by
   * side. All customer halves come first, then all terminal halves, so that
   * each finds its windows in the cache; the declared features come last.
   */
  processBlock(
    length: number,
    payments: BlockPayments,
    totals: Float64Array,
    texts: TextHeap = NO_TEXTS,
  ): void {
    let progress = this.#progress;
    if (this.#customer && this.#terminal) {
      this.#processCustomers(this.#customer, length, payments, totals, texts);
      progress = this.#processTerminals(
        this.#terminal,
        length,
        payments,
        totals,
        texts,
      );
    }
    if (this.#declared) {
      progress = this.#processDeclared(
        this.#declared,
        length,
        payments,
        totals,
        texts,
      );
    }
    this.#progress = progress;
  }

  #processCustomers(
    customer: CustomerOperator,
    length: number,
    { read }: BlockPayments,
    totals: Float64Array,
    texts: TextHeap,
  ): void {
    const row = this.#row;
    const digests = this.#digests;
    const width = this.#width;
    let progress = this.#progress;
    for (let index = 0; index < length; index++) {
      read(index, row);
      if (row.timeSeconds > progress) progress = row.timeSeconds;
      digests?.takeCustomer(row.customerId, texts);
      customer.process(row, progress, totals, index * width);
    }
  }

  // A separate loop: a shared one would be compiled for both halves.
  #processTerminals(
    terminal: TerminalOperator,
    length: number,
    { read }: BlockPayments,
    totals: Float64Array,
    texts: TextHeap,
  ): number {
    const row = this.#row;
    const digests = this.#digests;
    const width = this.#width;
    let progress = this.#progress;
    for (let index = 0; index < length; index++) {
      read(index, row);
      if (row.timeSeconds > progress) progress = row.timeSeconds;
      digests?.takeTerminal(row.terminalId, texts);
      terminal.process(row, progress, totals, index * width);
    }
    return progress;
  }

  #processDeclared(
    declared: DeclaredPart,
    length: number,
    { read, readKept }: BlockPayments,
    totals: Float64Array,
    texts: TextHeap,
  ): number {
    const row = this.#row;
    const width = this.#cellWidth;
    if (this.#cells.length < length * width) {
      this.#cells = new Float64Array(length * width);
    }
    const cells = this.#cells;
    let progress = this.#progress;
    for (let index = 0; index < length; index++) {
      read(index, row);
      if (row.timeSeconds > progress) progress = row.timeSeconds;
      toCells(row, cells, index * width);
      readKept?.(index, cells, index * width + PAYMENT_CELLS);
    }
    const rows = { cells, width, count: length, texts };
    declared.processBlock(rows, this.#progress, totals);
    return progress;
  }
}

/** The payments of a block, by their index from 0; each is read several times. */
export interface BlockPayments {
  /** Fills a row with a payment. */
  read(index: number, row: Payment): void;
  /** Puts the kept fields of a payment into cells, from `at` on; left out where payments have none. */
  readKept?(index: number, cells: Float64Array, at: number): void;
}
