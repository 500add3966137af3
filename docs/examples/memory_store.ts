/**
 * A store in memory: the smallest that passes the contract of every store
 * (tests/store/store_contract.ts, prediction_contract.ts and label_contract.ts).
 * docs/EXTENDING.md explains it.
 */
import {
  featureCount,
  type FeatureParameters,
} from "../../src/features/parameters.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import {
  emptyPayment,
  TRANSACTION_ID_MAX,
  type TransactionId,
} from "../../src/payment/payment.ts";
import {
  CELL,
  fromCells,
  PAYMENT_CELLS,
} from "../../src/payment/payment_cells.ts";
import {
  emptyPredictions,
  type PredictedDecision,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../src/payment/prediction.ts";
import type {
  LookUp,
  StoredPayment,
  TimeRange,
} from "../../src/store/look_up.ts";
import {
  fraudOf,
  inOrder,
  type LabelStatus,
  type LabelStore,
  laterLabel,
  type StoredLabel,
} from "../../src/store/labels.ts";
import type {
  RowTable,
  StoredTable,
  StreamPosition,
} from "../../src/store/positions.ts";
import type {
  PredictionStatus,
  PredictionStore,
} from "../../src/store/predictions.ts";
import type { Store, StoreRows, StoreStatus } from "../../src/store/store.ts";
import type { Verdict } from "../../src/payment/label_json.ts";
import type { ModelMetric } from "../../src/store/tables.ts";

/** Rows in a block that rows() hands out. */
const BLOCK_ROWS = 4096;

/** Positions by stream, topic and partition; both tables share them. */
type Positions = Map<string, StreamPosition>;

/** What is kept by TRANSACTION_ID, and how far the topic is stored that it comes from. */
abstract class FilledMap<Row> implements StoredTable {
  /** See StoredTable. */
  readonly idMax: number = TRANSACTION_ID_MAX;
  /** The rows by TRANSACTION_ID. */
  protected readonly byId = new Map<number, Row>();
  readonly #positions: Positions;

  constructor(positions: Positions) {
    this.#positions = positions;
  }

  /** See StoredTable. */
  positions(): Promise<StreamPosition[]> {
    return Promise.resolve([...this.#positions.values()]);
  }

  /** See StoredTable. */
  savePositions(positions: readonly StreamPosition[]): Promise<void> {
    for (const position of positions) {
      const { stream, topic, partition } = position;
      const key = JSON.stringify([stream, topic, partition]);
      this.#positions.set(key, position);
    }
    return Promise.resolve();
  }

  /** See StoredTable. */
  holds(transactionId: TransactionId): Promise<boolean> {
    return Promise.resolve(this.byId.has(Number(transactionId)));
  }

  /** See StoredTable. */
  isEmpty(): Promise<boolean> {
    return Promise.resolve(this.byId.size === 0);
  }

  /** See StoredTable. */
  clear(topic: string): Promise<void> {
    this.byId.clear();
    for (const [key, position] of this.#positions) {
      if (position.topic === topic) this.#positions.delete(key);
    }
    return Promise.resolve();
  }
}

/** A table of one row per TRANSACTION_ID, whatever a row is. */
abstract class MemoryTable<Rows extends { readonly count: number }, Row>
  extends FilledMap<Row>
  implements RowTable<Rows> {
  /** TRANSACTION_ID and a copy of row `index`. */
  protected abstract copy(rows: Rows, index: number): [number, Row];
  /** Rows as the block that readers get. */
  protected abstract block(rows: readonly Row[]): Rows;

  /** See RowTable. An upsert: the same rows may come any number of times. */
  async write(
    rows: Rows,
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    for (let index = 0; index < rows.count; index++) {
      this.byId.set(...this.copy(rows, index));
    }
    // After the rows: a position never promises a row that is not stored.
    await this.savePositions(positions);
  }

  /** See RowTable. Nobody else can change these rows, so none is bad. */
  async *rows(signal?: AbortSignal): AsyncGenerator<Rows> {
    const ids = [...this.byId.keys()].sort((a, b) => a - b);
    for (let at = 0; at < ids.length; at += BLOCK_ROWS) {
      signal?.throwIfAborted();
      const found = ids.slice(at, at + BLOCK_ROWS)
        .flatMap((id) => this.byId.get(id) ?? []);
      yield await Promise.resolve(this.block(found));
    }
  }
}

/** A store in memory, of streams whose ids are numbers. */
export class MemoryStore extends MemoryTable<StoreRows, Float64Array>
  implements Store {
  readonly #width: number;
  readonly #predictions: MemoryPredictions;
  readonly #labels: MemoryLabels;
  readonly #verdicts = new Map<string, Verdict>();

  /** An empty store of payments with these features. */
  constructor(features: FeatureParameters) {
    const positions: Positions = new Map();
    super(positions);
    this.#width = PAYMENT_CELLS + featureCount(features);
    this.#predictions = new MemoryPredictions(positions);
    this.#labels = new MemoryLabels(positions, (id) => {
      const row = this.byId.get(id);
      if (row) row[CELL.fraud] = fraudOf(this.#labels.labelAt(id));
    });
  }

  protected override copy(
    { cells }: StoreRows,
    index: number,
  ): [number, Float64Array] {
    const at = index * this.#width;
    const row = cells.slice(at, at + this.#width);
    // A label that arrived on its own may be stored before its payment.
    const label = this.#labels.labelAt(row[CELL.id]);
    if (label) row[CELL.fraud] = fraudOf(label);
    return [row[CELL.id], row];
  }

  protected override block(rows: readonly Float64Array[]): StoreRows {
    const cells = new Float64Array(rows.length * this.#width);
    rows.forEach((row, index) => cells.set(row, index * this.#width));
    return { cells, count: rows.length };
  }

  /** See Store; memory has no checksums. */
  verify(): Promise<void> {
    return Promise.resolve();
  }

  /** See Store. */
  status(): Promise<StoreStatus> {
    const rows = [...this.byId.values()];
    const frauds = rows.filter((row) => row[CELL.fraud] === 1).length;
    return Promise.resolve({ rows: rows.length, frauds });
  }

  /** See Store. */
  lookUp(): LookUp {
    const inRange = (cell: number, id: number | string, range: TimeRange) =>
      [...this.byId.values()]
        .filter((row) =>
          row[cell] === id && row[CELL.time] >= range.fromSeconds &&
          row[CELL.time] <= range.toSeconds
        )
        .sort((a, b) => b[CELL.time] - a[CELL.time])
        .slice(0, range.limit).map(paymentOf);
    return {
      prediction: (id) => this.#predictions.find(id),
      payment: (id) => {
        const row = this.byId.get(Number(id));
        return Promise.resolve(
          row && {
            payment: paymentOf(row),
            features: [...row.subarray(PAYMENT_CELLS)],
            kept: [],
          },
        );
      },
      ofCustomer: (id, range) =>
        Promise.resolve(inRange(CELL.customer, id, range)),
      ofTerminal: (id, range) =>
        Promise.resolve(inRange(CELL.terminal, id, range)),
      addVerdict: (verdict) => {
        const { transactionId, decidedAt } = verdict;
        this.#verdicts.set(`${transactionId} ${decidedAt}`, verdict);
        return Promise.resolve();
      },
      removeVerdict: ({ transactionId, decidedAt }) => {
        this.#verdicts.delete(`${transactionId} ${decidedAt}`);
        return Promise.resolve();
      },
      verdicts: (id) =>
        Promise.resolve(
          [...this.#verdicts.values()]
            .filter(({ transactionId }) => transactionId === id)
            .sort((a, b) => a.decidedAt < b.decidedAt ? 1 : -1),
        ),
    };
  }

  /** See Store. */
  predictions(): PredictionStore {
    return this.#predictions;
  }

  /** See Store. */
  labels(): LabelStore {
    return this.#labels;
  }

  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** The labels of each payment, by their places in the log. */
class MemoryLabels extends FilledMap<Map<string, StoredLabel>>
  implements LabelStore {
  readonly #changed: (transactionId: number) => void;

  /** Calls `changed` when the labels of a payment have changed. */
  constructor(positions: Positions, changed: (transactionId: number) => void) {
    super(positions);
    this.#changed = changed;
  }

  /** See LabelStore. */
  async write(
    labels: readonly StoredLabel[],
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    for (const label of labels) {
      const id = Number(label.transactionId);
      const known = this.byId.get(id) ?? new Map<string, StoredLabel>();
      known.set(`${label.partition}/${label.offset}`, label);
      this.byId.set(id, known);
      this.#changed(id);
    }
    await this.savePositions(positions);
  }

  /** See StoredTable. */
  override async clear(topic: string): Promise<void> {
    const ids = [...this.byId.keys()];
    await super.clear(topic);
    ids.forEach(this.#changed);
  }

  /** The label of a payment that counts, of those that can be learned from at `asOf`. */
  labelAt(id: number, asOf?: string): StoredLabel | undefined {
    return [...this.byId.get(id)?.values() ?? []]
      .filter(({ knownTime }) => asOf === undefined || knownTime <= asOf)
      .reduce<StoredLabel | undefined>(laterLabel, undefined);
  }

  /** See LabelStore. */
  newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>> {
    const found = new Map<TransactionId, StoredLabel>();
    for (const id of ids) {
      const label = this.labelAt(Number(id), asOf);
      if (label) found.set(id, label);
    }
    return Promise.resolve(found);
  }

  /** See LabelStore. */
  ofPayment(id: TransactionId): Promise<readonly StoredLabel[]> {
    const labels = [...this.byId.get(Number(id))?.values() ?? []];
    return Promise.resolve(inOrder(labels));
  }

  /** See LabelStore. */
  async *labels(): AsyncGenerator<readonly StoredLabel[]> {
    for (const known of this.byId.values()) {
      yield await Promise.resolve([...known.values()]);
    }
  }

  /** See LabelStore. */
  status(): Promise<LabelStatus> {
    const counts = [...this.byId.values()].map(({ size }) => size);
    return Promise.resolve({ rows: counts.reduce((sum, n) => sum + n, 0) });
  }
}

/** A prediction as it is kept. */
interface Prediction {
  readonly cells: Float64Array;
  readonly version: string;
  readonly contributions: string | null;
  readonly decision: PredictedDecision | null;
  readonly shadowScores: string | null;
  readonly partition: number;
  readonly offset: number;
}

class MemoryPredictions extends MemoryTable<PredictionRows, Prediction>
  implements PredictionStore {
  readonly #metrics = new Map<string, ModelMetric>();

  protected override copy(
    rows: PredictionRows,
    index: number,
  ): [number, Prediction] {
    const at = index * PREDICTION_CELLS;
    const cells = rows.cells.slice(at, at + PREDICTION_CELLS);
    return [cells[PREDICTION_CELL.id], {
      cells,
      version: rows.versions[index],
      contributions: rows.contributions[index],
      decision: rows.decisions[index],
      shadowScores: rows.shadowScores[index],
      partition: rows.partitions[index],
      offset: rows.offsets[index],
    }];
  }

  protected override block(rows: readonly Prediction[]): PredictionRows {
    const block = emptyPredictions(rows.length);
    for (const [index, row] of rows.entries()) {
      block.cells.set(row.cells, index * PREDICTION_CELLS);
      block.versions[index] = row.version;
      block.contributions[index] = row.contributions;
      block.decisions[index] = row.decision;
      block.shadowScores[index] = row.shadowScores;
      block.partitions[index] = row.partition;
      block.offsets[index] = row.offset;
    }
    return { ...block, count: rows.length };
  }

  find(transactionId: TransactionId): Promise<PredictionRows | undefined> {
    const found = this.byId.get(Number(transactionId));
    return Promise.resolve(found && this.block([found]));
  }

  findAll(transactionIds: readonly TransactionId[]): Promise<PredictionRows> {
    const found = [...new Set(transactionIds)].flatMap((id) =>
      this.byId.get(Number(id)) ?? []
    );
    return Promise.resolve(this.block(found));
  }

  status(): Promise<PredictionStatus> {
    const all = [...this.byId.values()];
    const alerts = all.filter(({ cells }) =>
      cells[PREDICTION_CELL.alert] === 1
    );
    return Promise.resolve({ rows: all.length, alerts: alerts.length });
  }

  writeMetrics(metrics: readonly ModelMetric[]): Promise<void> {
    for (const metric of metrics) {
      if (Number.isNaN(metric.value)) this.#metrics.delete(keyOf(metric));
      else this.#metrics.set(keyOf(metric), metric);
    }
    return Promise.resolve();
  }

  metrics(): Promise<ModelMetric[]> {
    return Promise.resolve(
      [...this.#metrics.values()].sort((a, b) =>
        a.day - b.day || (keyOf(a) < keyOf(b) ? -1 : 1)
      ),
    );
  }
}

/** What tells a metric from others; within a day in the order of version and name. */
function keyOf({ day, version, metric }: ModelMetric): string {
  return JSON.stringify([day, version, metric]);
}

function paymentOf(row: Float64Array): StoredPayment {
  const payment = emptyPayment();
  fromCells(row, 0, payment);
  const { datetimeSeconds, ...rest } = payment;
  return { ...rest, datetime: formatDatetime(datetimeSeconds) };
}
