/**
 * The payments that a partition has accepted lately, to know one that comes
 * again: by id, with the fields and the offset it had.
 */
import { fromCells, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { emptyPayment, type Payment } from "../payment/payment.ts";

/** What the ledger knows of a payment. */
export type Acquaintance = "new" | "duplicate" | "conflicting";

const CAPACITY_MIN = 256;

// An entry is the payment's cells, then its offset.
const OFFSET = PAYMENT_CELLS;
const ENTRY_CELLS = PAYMENT_CELLS + 1;

/** Accepted payments of the last `keepSeconds` of event time. */
export class Ledger {
  readonly #keepSeconds: number;
  readonly #cellOf = new Map<number, number>();
  readonly #known = emptyPayment();
  // A ring in order of acceptance; entry n lies at (n mod capacity).
  #cells = new Float64Array(CAPACITY_MIN * ENTRY_CELLS);
  #first = 0;
  #next = 0;
  #knownOffset = -1;

  /** Makes an empty ledger. */
  constructor(keepSeconds: number) {
    this.#keepSeconds = keepSeconds;
  }

  /** Number of payments held. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Offset of the accepted payment that compare() has found last. */
  get knownOffset(): number {
    return this.#knownOffset;
  }

  /**
   * Compares a payment with the accepted ones whose time lies less than the
   * ledger's keep behind both `progress` and the payment.
   */
  compare(row: Payment, progress: number): Acquaintance {
    const entry = this.#cellOf.get(row.transactionId);
    if (entry === undefined) return "new";
    const known = this.#known;
    const at = this.#at(entry);
    fromCells(this.#cells, at, known);
    const newest = Math.max(progress, row.timeSeconds);
    if (known.timeSeconds <= newest - this.#keepSeconds) return "new";
    this.#knownOffset = this.#cells[at + OFFSET];
    const same = known.datetimeSeconds === row.datetimeSeconds &&
      known.customerId === row.customerId &&
      known.terminalId === row.terminalId &&
      known.amount === row.amount &&
      known.timeSeconds === row.timeSeconds &&
      known.fraud === row.fraud &&
      known.scenario === row.scenario;
    return same ? "duplicate" : "conflicting";
  }

  /** Adds the payment accepted at `offset` and lets those go that are too old for any comparison. */
  add(row: Payment, progress: number, offset: number): void {
    const expired = progress - this.#keepSeconds;
    while (
      this.#first < this.#next &&
      this.#cells[this.#at(this.#first) + 5] <= expired
    ) this.#forget(this.#first++);
    if (this.size * ENTRY_CELLS === this.#cells.length) {
      this.#resize(2 * this.size);
    } else if (this.#mostlyEmpty()) {
      this.#resize(this.#cells.length / ENTRY_CELLS / 2);
    }
    const at = this.#at(this.#next);
    toCells(row, this.#cells, at);
    this.#cells[at + OFFSET] = offset;
    this.#cellOf.set(row.transactionId, this.#next++);
  }

  #mostlyEmpty(): boolean {
    const capacity = this.#cells.length / ENTRY_CELLS;
    return capacity > CAPACITY_MIN && this.size < capacity / 8;
  }

  #forget(entry: number): void {
    const id = this.#cells[this.#at(entry)];
    if (this.#cellOf.get(id) === entry) this.#cellOf.delete(id);
  }

  #at(entry: number): number {
    // The capacity is a power of two.
    const mask = this.#cells.length / ENTRY_CELLS - 1;
    return (entry & mask) * ENTRY_CELLS;
  }

  #resize(capacity: number): void {
    const cells = new Float64Array(capacity * ENTRY_CELLS);
    for (let entry = this.#first; entry < this.#next; entry++) {
      const from = this.#at(entry);
      const to = (entry & (capacity - 1)) * ENTRY_CELLS;
      for (let i = 0; i < ENTRY_CELLS; i++) {
        cells[to + i] = this.#cells[from + i];
      }
    }
    this.#cells = cells;
  }
}
