/**
 * Predictions and metrics in the SQLite file of a data folder. The first write
 * creates the tables; a stream that is not scored has none.
 */
import type { StatementSync } from "node:sqlite";
import { StoreError } from "../../base/error.ts";
import type { TransactionId } from "../../payment/payment.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../../payment/prediction.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import {
  foundPredictions,
  type PredictionStatus,
  type PredictionStore,
} from "../predictions.ts";
import { CHECK_PROBLEM } from "../row_check.ts";
import { checkedObjectOf, StoredRowReader } from "../stored_row.ts";
import {
  type CellTable,
  METRICS,
  type ModelMetric,
  predictionTable,
} from "../tables.ts";
import { createTableSql } from "./embedded_schema.ts";
import {
  allRows,
  EmbeddedTable,
  ObjectWriter,
  select,
  type StoreFile,
} from "./embedded_table.ts";

/** The predictions of one SQLite file. */
export class EmbeddedPredictions extends EmbeddedTable<PredictionRows>
  implements PredictionStore {
  readonly #file: StoreFile;
  readonly #table: CellTable;
  readonly #reader: StoredRowReader;
  /** Finds a row by its id; undefined as long as there is no table. */
  #byId: StatementSync | undefined;

  /** Uses the file of an open store of payments of a shape. */
  constructor(file: StoreFile, shape: PaymentShape) {
    const table = predictionTable(shape);
    super(file, {
      table,
      schema: createTableSql(table) + createTableSql(METRICS),
      rowsAtOnce: 32,
      room: emptyPredictions,
    });
    this.#file = file;
    this.#table = table;
    this.#reader = new StoredRowReader(
      `${file.path}, table ${table.name}`,
      table,
    );
  }

  /** See PredictionStore. */
  async find(
    transactionId: TransactionId,
  ): Promise<PredictionRows | undefined> {
    const found = await this.findAll([transactionId]);
    return found.count > 0 ? found : undefined;
  }

  /** See PredictionStore. */
  async findAll(
    transactionIds: readonly TransactionId[],
  ): Promise<PredictionRows> {
    const { sqlite } = this.#file;
    const ids = new Set(transactionIds);
    if (!this.#byId && ids.size > 0 && await this.isThere()) {
      const { name } = this.#table;
      const sql = `SELECT * FROM ${name} WHERE transaction_id = ?`;
      this.#byId = sqlite.prepare(sql);
    }
    const byId = this.#byId;
    if (!byId || ids.size === 0) return emptyPredictions(0);
    const found = await sqlite.snapshot(() =>
      [...ids].flatMap((id) => allRows(byId, [id]))
    );
    return foundPredictions(this.#reader, found);
  }

  /** See PredictionStore. */
  async status(): Promise<PredictionStatus> {
    const { rows, sum } = await this.count("alert");
    return { rows, alerts: sum };
  }

  /** See PredictionStore. */
  async writeMetrics(metrics: readonly ModelMetric[]): Promise<void> {
    await this.make();
    const { sqlite } = this.#file;
    const writer = new ObjectWriter(sqlite, METRICS);
    const remove = sqlite.prepare(
      `DELETE FROM ${METRICS.name} ` +
        "WHERE model_version = ? AND day = ? AND metric = ?",
    );
    await sqlite.transaction(() => {
      writer.put(metrics.filter(({ value }) => !Number.isNaN(value)));
      for (const { version, day, metric, value } of metrics) {
        if (Number.isNaN(value)) remove.run(version, day, metric);
      }
    });
  }

  /** See PredictionStore. */
  async metrics(): Promise<ModelMetric[]> {
    if (!await this.isThere()) return [];
    const { sqlite, path } = this.#file;
    const sql = `SELECT * FROM ${METRICS.name} ` +
      "ORDER BY day, model_version, metric";
    return (await select(sqlite, sql)).map((row) =>
      checkedObjectOf(METRICS, row, ({ day, metric, version }) => {
        throw new StoreError(
          `${path}, table ${METRICS.name}, day ${day}, metric ${metric} of ` +
            `model ${version}: ${CHECK_PROBLEM}; delete the row, or restore ` +
            "the data folder from a copy made by './fraudstream backup'",
        );
      })
    );
  }
}
