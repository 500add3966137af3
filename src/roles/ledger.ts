/**
 * The payments that a partition has accepted lately, to know one that comes
 * again: by id, with the fields it had.
 */
import {
  fromCells,
  toCells,
  TRANSACTION_CELLS,
} from "../features/feature_row.ts";
import {
  emptyTransaction,
  type Transaction,
} from "../transaction/transaction.ts";

/** What the ledger knows of a payment. */
export type Acquaintance = "new" | "duplicate" | "conflicting";

const CAPACITY_MIN = 256;

/** Accepted payments of the last `keepSeconds` of event time. */
export class Ledger {
  readonly #keepSeconds: number;
  readonly #cellOf = new Map<number, number>();
  readonly #known = emptyTransaction();
  // A ring in order of acceptance; entry n lies at (n mod capacity).
  #cells = new Float64Array(CAPACITY_MIN * TRANSACTION_CELLS);
  #first = 0;
  #next = 0;

  /** Makes an empty ledger. */
  constructor(keepSeconds: number) {
    this.#keepSeconds = keepSeconds;
  }

  /** Number of payments held. */
  get size(): number {
    return this.#next - this.#first;
  }

  /**
   * Compares a payment with the accepted ones whose time lies less than the
   * ledger's keep behind both `progress` and the payment.
   */
  compare(row: Transaction, progress: number): Acquaintance {
    const entry = this.#cellOf.get(row.transactionId);
    if (entry === undefined) return "new";
    const known = this.#known;
    fromCells(this.#cells, this.#at(entry), known);
    const newest = Math.max(progress, row.timeSeconds);
    if (known.timeSeconds <= newest - this.#keepSeconds) return "new";
    const same = known.datetimeSeconds === row.datetimeSeconds &&
      known.customerId === row.customerId &&
      known.terminalId === row.terminalId &&
      known.amount === row.amount &&
      known.timeSeconds === row.timeSeconds &&
      known.fraud === row.fraud &&
      known.scenario === row.scenario;
    return same ? "duplicate" : "conflicting";
  }

  /** Adds an accepted payment and lets those go that are too old for any comparison. */
  add(row: Transaction, progress: number): void {
    const expired = progress - this.#keepSeconds;
    while (
      this.#first < this.#next &&
      this.#cells[this.#at(this.#first) + 5] <= expired
    ) this.#forget(this.#first++);
    if (this.size * TRANSACTION_CELLS === this.#cells.length) {
      this.#resize(2 * this.size);
    } else if (this.#mostlyEmpty()) {
      this.#resize(this.#cells.length / TRANSACTION_CELLS / 2);
    }
    toCells(row, this.#cells, this.#at(this.#next));
    this.#cellOf.set(row.transactionId, this.#next++);
  }

  #mostlyEmpty(): boolean {
    const capacity = this.#cells.length / TRANSACTION_CELLS;
    return capacity > CAPACITY_MIN && this.size < capacity / 8;
  }

  #forget(entry: number): void {
    const id = this.#cells[this.#at(entry)];
    if (this.#cellOf.get(id) === entry) this.#cellOf.delete(id);
  }

  #at(entry: number): number {
    // The capacity is a power of two.
    const mask = this.#cells.length / TRANSACTION_CELLS - 1;
    return (entry & mask) * TRANSACTION_CELLS;
  }

  #resize(capacity: number): void {
    const cells = new Float64Array(capacity * TRANSACTION_CELLS);
    for (let entry = this.#first; entry < this.#next; entry++) {
      const from = this.#at(entry);
      const to = (entry & (capacity - 1)) * TRANSACTION_CELLS;
      for (let i = 0; i < TRANSACTION_CELLS; i++) {
        cells[to + i] = this.#cells[from + i];
      }
    }
    this.#cells = cells;
  }
}
