/**
 * The labels of a store, where they arrive later than their payments: every one
 * that was accepted, so that what was known at any time can be read again.
 */
import type { TransactionId } from "../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import type { CellRows } from "./cell_rows.ts";
import type { StoredTable, StreamPosition } from "./positions.ts";
import type { CellTable } from "./tables.ts";

/** A label of a payment; times as 'YYYY-MM-DD HH:MM:SS'. */
export interface StoredLabel {
  /** TRANSACTION_ID of the payment. */
  readonly transactionId: TransactionId;
  /** When it was known. */
  readonly knownAt: string;
  /** From when on it can be learned from. */
  readonly knownTime: string;
  /** TX_FRAUD, 0 or 1; undefined withdraws the labels before. */
  readonly fraud: number | undefined;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number;
}

/** The table of labels, which the first write creates. */
export interface LabelStore extends StoredTable {
  /** Writes labels and the positions that they reach; see RowTable.write. */
  write(
    labels: readonly StoredLabel[],
    signal?: AbortSignal,
    positions?: readonly StreamPosition[],
  ): Promise<void>;
  /** The label of each payment that holds, of those that can be learned from at `asOf`, or of all; `ids` ascend as rows() do. Throws StoreError for a damaged row. */
  newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>>;
}

/** The one of two labels of a payment that holds: known later, or of equal ones the later record. */
export function laterLabel(
  one: StoredLabel | undefined,
  other: StoredLabel,
): StoredLabel {
  if (one === undefined) return other;
  const isLater = one.knownAt === other.knownAt
    ? one.knownTime > other.knownTime
    : one.knownAt > other.knownAt;
  return isLater ? one : other;
}

/** Fills TX_FRAUD of payments, rows of a table in ascending order of their ids, with the labels that can be learned from at `asOf`, or with all. */
export async function fillLabels(
  store: LabelStore,
  { cells, count, texts }: CellRows,
  { width, shape }: Pick<CellTable, "width" | "shape">,
  asOf?: string,
): Promise<void> {
  const ids = Array.from({ length: count }, (_, row) => {
    const cell = cells[row * width + CELL.id];
    return shape.transactionId === "text" ? texts?.text(cell) ?? "" : cell;
  });
  const labels = await store.newest(ids, asOf);
  for (const [row, id] of ids.entries()) {
    cells[row * width + CELL.fraud] = labels.get(id)?.fraud ?? FRAUD_UNKNOWN;
  }
}
