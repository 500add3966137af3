/**
 * The labels of a store, where they arrive later than their payments: every one
 * that was accepted, so that what was known at any time can be read again.
 * TX_FRAUD of a payment is the label that counts: it follows from this table,
 * is left out of the payment's checksum, and is brought up to date wherever a
 * label or a payment is written. So either may be stored first.
 */
import { formatDatetime } from "../payment/calendar.ts";
import type { TransactionId } from "../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import type { ShapedJsonReader } from "../payment/payment_json.ts";
import { labelCells, type PaymentShape } from "../payment/payment_shape.ts";
import { idsOf } from "./cell_rows.ts";
import type { StoreRows } from "./store.ts";
import type { BadRow, StoredRow } from "./stored_row.ts";
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
  /** Partition of its record in the topic of accepted labels. */
  readonly partition: number;
  /** Offset of that record. */
  readonly offset: number;
}

/** What the table of labels holds. */
export interface LabelStatus {
  /** Number of labels. */
  readonly rows: number;
}

/** The table of labels; a stream whose payments carry their labels has none. */
export interface LabelStore extends StoredTable {
  /** Writes labels, what follows from them for their payments, and the positions that they reach; see RowTable.write. */
  write(
    labels: readonly StoredLabel[],
    signal?: AbortSignal,
    positions?: readonly StreamPosition[],
  ): Promise<void>;
  /** The label of each payment that counts, of those that can be learned from at `asOf`, or of all; `ids` ascend as rows() do. Throws StoreError for a damaged row. */
  newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>>;
  /** All labels of a payment, in the order in which they count: the last one counts. Throws StoreError for a damaged row. */
  ofPayment(id: TransactionId): Promise<readonly StoredLabel[]>;
  /** All labels, in no order, some thousand at a time; the signal's reason is thrown as soon as it is aborted. A damaged row goes to `onBadRow`. */
  labels(
    signal: AbortSignal | undefined,
    onBadRow: (bad: BadRow, row: StoredRow) => void,
  ): AsyncIterable<readonly StoredLabel[]>;
  /** Counts what is there; undefined in a stream whose payments carry their labels. */
  status(): Promise<LabelStatus | undefined>;
}

/** The label that a reader has read from the record in a place of the topic of accepted labels. */
export function labelOf(
  { cells, texts }: ShapedJsonReader,
  shape: PaymentShape,
  place: Pick<StoredLabel, "partition" | "offset">,
): StoredLabel {
  const { knownAt, knownTime } = labelCells(shape);
  const [id, fraud] = [cells[CELL.id], cells[CELL.fraud]];
  return {
    transactionId: shape.transactionId === "text" ? texts.text(id) ?? "" : id,
    knownAt: formatDatetime(cells[knownAt]),
    knownTime: formatDatetime(cells[knownTime]),
    fraud: fraud === FRAUD_UNKNOWN ? undefined : fraud,
    scenario: cells[CELL.scenario],
    ...place,
  };
}

/** The one of two labels of a payment that counts: known later, or of equal ones the later record. */
export function laterLabel(
  one: StoredLabel | undefined,
  other: StoredLabel,
): StoredLabel {
  if (one === undefined) return other;
  const isLater = one.knownAt === other.knownAt
    ? one.offset > other.offset
    : one.knownAt > other.knownAt;
  return isLater ? one : other;
}

/** Labels of a payment in the order in which they count. */
export function inOrder(labels: readonly StoredLabel[]): StoredLabel[] {
  return labels.toSorted((a, b) => laterLabel(a, b) === a ? 1 : -1);
}

/** TX_FRAUD of a payment with this label. */
export function fraudOf(label: StoredLabel | undefined): number {
  return label?.fraud ?? FRAUD_UNKNOWN;
}

/** Fills TX_FRAUD of payments, rows of a table in ascending order of their ids, with what was known at `asOf`; returns of how many something was. */
export async function fillLabels(
  store: LabelStore,
  rows: StoreRows,
  table: Pick<CellTable, "width" | "shape">,
  asOf: string,
): Promise<number> {
  const ids = idsOf(rows, table);
  const labels = await store.newest(ids, asOf);
  for (const [row, id] of ids.entries()) {
    rows.cells[row * table.width + CELL.fraud] = fraudOf(labels.get(id));
  }
  return labels.size;
}
