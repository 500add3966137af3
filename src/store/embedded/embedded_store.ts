/**
 * The store in a folder: one SQLite file with the table `transactions`, whose
 * columns are those of the Cassandra table and the features, in lower case,
 * and a checksum of the row.
 */
import { ConfigError, StoreError } from "../../base/error.ts";
import type { OutageReport } from "../../base/outage.ts";
import { Sqlite } from "../../base/sqlite/sqlite.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { TextHeap } from "../../payment/text_heap.ts";
import type { LabelStore } from "../labels.ts";
import type { LookUp } from "../look_up.ts";
import type { PredictionStore } from "../predictions.ts";
import type { Store, StoreRows, StoreStatus } from "../store.ts";
import { type BadRowHandler, refuseBadRow } from "../stored_row.ts";
import {
  checkedColumns,
  type PaymentTable,
  paymentTable,
  positionTable,
  TABLES_VERSION,
} from "../tables.ts";
import { EmbeddedLabels } from "./embedded_labels.ts";
import { EmbeddedLookUp } from "./embedded_look_up.ts";
import { EmbeddedPredictions } from "./embedded_predictions.ts";
import {
  addMissing,
  columnsOf,
  createTableSql,
  firstTables,
} from "./embedded_schema.ts";
import {
  EmbeddedTable,
  ObjectWriter,
  select,
  type StoreFile,
} from "./embedded_table.ts";

/** What to do about a damaged store; ends messages. */
const REFILL = "'./fraudstream rebuild' fills it again from the log";

/** Memory for pages of a store with text ids, KiB: new ones go to any page of the index by id, not to the last. */
const TEXT_CACHE_KIB = 65_536;

/** Bytes of a page of it: with ids in no order each step writes most pages of the index, and a page costs more than its bytes. */
const TEXT_PAGE_BYTES = 16_384;

/** How an embedded store is opened. */
export interface EmbeddedStoreOptions {
  /** The SQLite file. */
  readonly path: string;
  /** The features, which make the columns. */
  readonly features: FeatureParameters;
  /** The form of the payments; the handbook's where it is left out. */
  readonly shape?: PaymentShape | undefined;
  /** Whether every commit waits for the disk. */
  readonly durable: boolean;
  /** Ends the waiting for a lock, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined;
  /** Gets reports of a lock that is waited for long. */
  readonly report?: OutageReport | undefined;
}

/** The store of one data folder. */
export class EmbeddedStore extends EmbeddedTable<StoreRows> implements Store {
  readonly #file: StoreFile;
  readonly #table: PaymentTable;

  /** Opens the store, making an empty one if there is none; throws ConfigError if it holds other features or fields. */
  constructor(options: EmbeddedStoreOptions) {
    const table = paymentTable(options.features, options.shape);
    const file = openFile(options);
    super(file, {
      table,
      schema: firstTables(options.features, options.shape)
        .map(createTableSql).join("\n"),
      rowsAtOnce: 16,
      room: (count) => ({
        cells: new Float64Array(count * table.width),
        texts: new TextHeap(),
        count,
      }),
    });
    this.#file = file;
    this.#table = table;
  }

  /** See RowTable. */
  override async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<StoreRows> {
    await this.#requireSound("quick_check");
    yield* super.rows(signal, onBadRow);
  }

  /**
   * Throws StoreError unless the file's structure is sound: a damaged page can
   * hide rows, which SQLite then silently omits.
   */
  async #requireSound(check: "quick_check" | "integrity_check"): Promise<void> {
    const { sqlite, path } = this.#file;
    const [found] = await select(sqlite, `PRAGMA ${check}(1)`);
    const result = String(found?.[check]);
    if (result === "ok") return;
    throw new StoreError(
      `the store ${path} is damaged (${result.replaceAll("\n", " ")}); ` +
        REFILL,
    );
  }

  /** See Store. */
  verify(): Promise<void> {
    return this.#requireSound("integrity_check");
  }

  /** See Store. */
  async status(): Promise<StoreStatus> {
    const { rows, sum } = await this.count("tx_fraud");
    return { rows, frauds: sum };
  }

  /** See Store. */
  lookUp(): LookUp {
    return new EmbeddedLookUp(this.#file, this.#table);
  }

  /** See Store. */
  predictions(): PredictionStore {
    return new EmbeddedPredictions(this.#file, this.#table.shape);
  }

  /** See Store. */
  labels(): LabelStore {
    return new EmbeddedLabels(this.#file, this.#table.shape);
  }

  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#file.sqlite.close();
    return Promise.resolve();
  }
}

/** Opens the file, with all the tables that every file has. */
function openFile(options: EmbeddedStoreOptions): StoreFile {
  const { path, features, shape, durable, signal, report } = options;
  const hasTextId = shape?.transactionId === "text";
  const sqlite = new Sqlite({
    path,
    what: "store",
    version: TABLES_VERSION,
    upgrade: (db) => {
      requireTables(db, options);
      addMissing(db, features, shape);
    },
    oldest: 1,
    schema: firstTables(features, shape).map(createTableSql).join("\n"),
    restore: REFILL,
    durable,
    cacheKiB: hasTextId ? TEXT_CACHE_KIB : undefined,
    pageBytes: hasTextId ? TEXT_PAGE_BYTES : undefined,
    error: (message, cause) => new StoreError(message, cause),
    signal,
    waiting: (message) => report?.("warning", message, {}),
  });
  try {
    requireColumns(sqlite, options);
    const positionsTable = positionTable(shape);
    const positions = new ObjectWriter(sqlite, positionsTable);
    return { sqlite, path, positions, positionTable: positionsTable };
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Throws StoreError for a database of something else. */
function requireTables(
  db: Sqlite["db"],
  { path, features, shape }: EmbeddedStoreOptions,
): void {
  if (columnsOf(db, paymentTable(features, shape)).length > 0) return;
  throw new StoreError(
    `${path} is a database without the tables of a store; ${REFILL}`,
  );
}

function requireColumns(
  { db }: Sqlite,
  options: EmbeddedStoreOptions,
): void {
  const { path, features, shape } = options;
  const table = paymentTable(features, shape);
  const found = columnsOf(db, table);
  const wanted = checkedColumns(table).map(({ name }) => name);
  if (found.toSorted().join() === wanted.toSorted().join()) return;
  requireTables(db, options);
  throw new ConfigError(
    `${path} holds the features of other windows or of another set; give ` +
      `the same --windows and --feature-set, or choose another --data folder`,
  );
}
