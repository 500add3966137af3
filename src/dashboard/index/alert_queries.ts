/**
 * What can be asked of the index of alerts: pages of the queue, groups, the
 * neighbours of a case, and what people have done. Every answer is bounded, and
 * comes from statements with parameters over the indexes of the tables.
 */
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import type { CaseEvent, CaseKind } from "../../payment/case_json.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import type { IdKind, PaymentShape } from "../../payment/payment_shape.ts";
import {
  type AlertFilter,
  type CaseState,
  caseStateOf,
  searchedIds,
} from "./alert_filter.ts";
import { NO_SCORE, SORT_COLUMNS } from "./index_schema.ts";

/** Alerts of a page. */
export const PAGE_ALERTS = 50;
/** Groups of an answer. */
const GROUPS_MAX = 100;
/** Statements and counts that are kept. */
const KEPT_MAX = 200;
/** A filter that lets through less than one of so many alerts is answered by a look at all of them: in the order of an index the next match may be far away. */
const SPARSE = 20;

/** An alert of the index. */
export interface IndexedAlert {
  /** The number of its arrival, from 1. */
  readonly seq: number;
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** TX_DATETIME, seconds since 1970. */
  readonly datetimeSeconds: number;
  /** CUSTOMER_ID. */
  readonly customer: number | string;
  /** TERMINAL_ID. */
  readonly terminal: number | string;
  /** TX_AMOUNT in cents, the minor units of the currency. */
  readonly cents: number;
  /** How suspicious the model finds it, 0 to 1; undefined where only rules decided. */
  readonly score: number | undefined;
  /** Version of the model. */
  readonly model: string;
  /** Number of what rules decided; undefined where none did. */
  readonly outcome: number | undefined;
  /** Whether it waits, and how it was decided. */
  readonly state: CaseState;
  /** Who has claimed it. */
  readonly assignee: string | undefined;
  /** Clock time until which it is snoozed, milliseconds since 1970; undefined where that has passed. */
  readonly snoozedUntilMs: number | undefined;
  /** TX_FRAUD; undefined before the payment, or a label that arrives later, is known. */
  readonly fraud: number | undefined;
  /** TX_FRAUD_SCENARIO; undefined before the payment is known. */
  readonly scenario: number | undefined;
  /** What moved the score, by input; empty where that was not computed. */
  readonly contributions: Readonly<Record<string, number>>;
  /** The payment's features in the order of their names; undefined before the payment is known. */
  readonly features: Float64Array | undefined;
}

/** How many alerts, and the money in them. */
export interface AlertCount {
  /** How many. */
  readonly alerts: number;
  /** The money in them, cents. */
  readonly cents: number;
}

/** The alerts of a card or terminal. */
export interface IndexedGroup extends AlertCount {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number | string;
  /** The greatest score; undefined where there is none. */
  readonly scoreMax: number | undefined;
  /** TX_DATETIME of the newest, seconds since 1970. */
  readonly newestSeconds: number;
}

/** A label that has arrived later than its payment, and holds. */
export interface ArrivedLabel {
  /** TX_FRAUD. */
  readonly fraud: 0 | 1;
  /** When it was known in the stream, seconds since 1970. */
  readonly knownSeconds: number;
}

/** What alerts are grouped by. */
export type GroupKey = "card" | "terminal";

/** A filter that may also ask for what has no verdict, snoozed or not. */
type Asked = Omit<AlertFilter, "state"> & {
  readonly state: AlertFilter["state"] | "undecided";
};

/** Text and parameters of a condition. */
interface Condition {
  readonly sql: string;
  readonly values: readonly (number | string)[];
  /** Whether an index finds the few alerts that it lets through. */
  readonly isNarrow: boolean;
  /** Whether the indexes of the orders hold all that it asks for. */
  readonly isCovered: boolean;
}

/** Asks one index. */
export class AlertQueries {
  readonly #sqlite: Sqlite;
  readonly #statements = new Map<string, Statement>();
  readonly #counts = new Map<string, AlertCount>();
  readonly #clock: () => number;
  readonly #shape: PaymentShape;
  /** How many minor units, which are called cents here, make 1 of an amount. */
  readonly scale: number;

  /** Asks the tables of an open file about payments of a shape; `clock` is in milliseconds since 1970. */
  constructor(
    sqlite: Sqlite,
    shape: PaymentShape,
    clock: () => number = Date.now,
  ) {
    this.#sqlite = sqlite;
    this.#shape = shape;
    this.#clock = clock;
    this.scale = 10 ** shape.decimals;
  }

  /** Forgets what was counted: alerts or cases have changed. */
  changed(): void {
    this.#counts.clear();
  }

  /** Number of the newest alert; 0 without any. */
  newestSeq(): number {
    const [row] = this.#all("SELECT coalesce(max(seq), 0) AS seq FROM alert");
    return Number(row.seq);
  }

  /** How many alerts a filter lets through. */
  count(filter: AlertFilter): AlertCount {
    const { state, sort: _, ...narrowing } = filter;
    // What every queue asks for is in the sums.
    if (state === "open" && Object.keys(narrowing).length === 0) {
      return this.#open();
    }
    if (state !== "open") return this.#count(filter);
    // Snoozes end by themselves, and few alerts are snoozed: the others are counted only when one changes.
    const undecided = this.#count({ ...filter, state: "undecided" });
    const snoozed = this.#count({ ...filter, state: "snoozed" });
    return {
      alerts: undecided.alerts - snoozed.alerts,
      cents: undecided.cents - snoozed.cents,
    };
  }

  #count(filter: Asked): AlertCount {
    const { sql, values, isNarrow } = this.#conditionOf(filter);
    const { sort: _, ...counted } = filter;
    const isTimed = filter.state === "snoozed";
    const second = isTimed ? Math.floor(this.#clock() / 1000) : 0;
    const key = JSON.stringify([counted, second]);
    let count = this.#counts.get(key);
    if (!count) {
      // Rows in the order of the file are faster than many by an index.
      const [row] = this.#all(
        "SELECT count(*) AS alerts, coalesce(sum(cents), 0) AS cents " +
          `FROM alert ${isNarrow ? "" : "NOT INDEXED"} WHERE ${sql}`,
        values,
      );
      count = { alerts: Number(row.alerts), cents: Number(row.cents) };
      if (this.#counts.size >= KEPT_MAX) this.#counts.clear();
      this.#counts.set(key, count);
    }
    return count;
  }

  /** How many alerts that a filter lets through have come after one. */
  arrived(filter: AlertFilter, afterSeq: number): AlertCount {
    const { sql, values } = this.#conditionOf(filter);
    const [row] = this.#all(
      "SELECT count(*) AS alerts, coalesce(sum(cents), 0) AS cents " +
        `FROM alert NOT INDEXED WHERE ${sql} AND seq > ?`,
      [...values, afterSeq],
    );
    return { alerts: Number(row.alerts), cents: Number(row.cents) };
  }

  #open(): AlertCount {
    const [row] = this.#all(
      "SELECT coalesce(sum(undecided), 0) AS alerts, " +
        "coalesce(sum(undecidedCents), 0) AS cents FROM day",
    );
    const snoozed = this.snoozed();
    return {
      alerts: Number(row.alerts) - snoozed.alerts,
      cents: Number(row.cents) - snoozed.cents,
    };
  }

  /** Alerts that are snoozed now. */
  snoozed(): AlertCount {
    const [row] = this.#all(
      "SELECT count(*) AS alerts, coalesce(sum(cents), 0) AS cents " +
        "FROM alert WHERE label IS NULL AND snoozed > ?",
      [this.#clock()],
    );
    return { alerts: Number(row.alerts), cents: Number(row.cents) };
  }

  /** A page of the alerts that a filter lets through, in its order. */
  page(filter: AlertFilter, page: number): IndexedAlert[] {
    const { sql, values } = this.#conditionOf(filter);
    const { source, isOrdered } = this.#wayOf(filter);
    const order = orderOf(filter, isOrdered);
    // The inner statement needs the index only, so that skipping is fast.
    const rows = this.#all(
      `SELECT ${ALERT_COLUMNS} FROM (SELECT seq AS found FROM ${source} ` +
        `WHERE ${sql} ORDER BY ${order} LIMIT ${PAGE_ALERTS} OFFSET ?) ` +
        `JOIN alert ON alert.seq = found ${ALERT_JOINS} ORDER BY ${order}`,
      [...values, (page - 1) * PAGE_ALERTS],
    );
    return rows.map((row) => this.#alertOf(row));
  }

  /** How the alerts that a filter lets through are best found: which table or index, and whether that has them in their order. */
  #wayOf(
    { upTo: _, ...filter }: AlertFilter,
  ): { readonly source: string; readonly isOrdered: boolean } {
    const { isNarrow, isCovered } = this.#conditionOf(filter);
    if (isNarrow) return { source: "alert", isOrdered: false };
    const isSparse = !isCovered &&
      this.count(filter).alerts * SPARSE < this.newestSeq();
    return isSparse
      ? { source: "alert NOT INDEXED", isOrdered: false }
      : { source: "alert", isOrdered: true };
  }

  /** An alert; undefined where the payment is none. */
  alert(id: TransactionId): IndexedAlert | undefined {
    const [row] = this.#all(
      `SELECT ${ALERT_COLUMNS} FROM alert ${ALERT_JOINS} WHERE alert.id = ?`,
      [id],
    );
    return row && this.#alertOf(row);
  }

  /** Groups of the alerts that a filter lets through, the most money first, and how many groups there are. */
  groups(
    filter: AlertFilter,
    by: GroupKey,
  ): { readonly total: number; readonly groups: IndexedGroup[] } {
    const { sql, values } = this.#conditionOf(filter);
    const kind = by === "card"
      ? this.#shape.customerId
      : this.#shape.terminalId;
    const rows = this.#all(
      `SELECT ${GROUP_COLUMNS[by]} AS id, count(*) AS alerts, ` +
        "sum(cents) AS cents, max(score) AS scoreMax, " +
        "max(datetime) AS newest, count(*) OVER () AS total " +
        `FROM alert WHERE ${sql} GROUP BY ${GROUP_COLUMNS[by]} ` +
        `ORDER BY cents DESC, id LIMIT ${GROUPS_MAX}`,
      values,
    );
    return {
      total: Number(rows[0]?.total ?? 0),
      groups: rows.map((row) => ({
        id: idIn(kind, row.id),
        alerts: Number(row.alerts),
        cents: Number(row.cents),
        scoreMax: scoreIn(row.scoreMax),
        newestSeconds: Number(row.newest),
      })),
    };
  }

  /** The ids of alerts that a filter lets through, the oldest first, at most `limit`. */
  ids(
    filter: AlertFilter,
    limit: number,
  ): { readonly id: TransactionId; readonly datetimeSeconds: number }[] {
    const { sql, values } = this.#conditionOf(filter);
    return this.#all(
      `SELECT id, datetime FROM alert WHERE ${sql} ORDER BY +seq LIMIT ?`,
      [...values, limit],
    ).map(({ id, datetime }) => ({
      id: idIn(this.#shape.transactionId, id),
      datetimeSeconds: Number(datetime),
    }));
  }

  /** The alerts before and after one in a filter's order, whether the filter lets it through or not, and its place. */
  neighbours(filter: AlertFilter, id: TransactionId): {
    readonly position: number;
    readonly previous: TransactionId | undefined;
    readonly next: TransactionId | undefined;
  } {
    const column = SORT_COLUMNS[filter.sort];
    const [own] = this.#all(
      `SELECT ${column} AS value, seq FROM alert WHERE id = ?`,
      [id],
    );
    const { sql, values, isNarrow, isCovered } = this.#conditionOf(filter);
    if (!own) {
      const [first] = this.page(filter, 1);
      return { position: 0, previous: undefined, next: first?.id };
    }
    const { source, isOrdered } = this.#wayOf(filter);
    const place = isOrdered ? `(${column}, seq)` : `(+${column}, +seq)`;
    const beside = (sign: "<" | ">", order: "ASC" | "DESC") => {
      const by = isOrdered
        ? `${column} ${order}, seq ${order}`
        : `+${column} ${order}, +seq ${order}`;
      const [row] = this.#all(
        `SELECT id FROM ${source} WHERE ${sql} AND ${place} ${sign} (?, ?) ` +
          `ORDER BY ${by} LIMIT 1`,
        [...values, Number(own.value), Number(own.seq)],
      );
      return row && idIn(this.#shape.transactionId, row.id);
    };
    const counted = isNarrow || isCovered ? "alert" : "alert NOT INDEXED";
    const [before] = this.#all(
      `SELECT count(*) AS n FROM ${counted} WHERE ${sql} AND ${place} > (?, ?)`,
      [...values, Number(own.value), Number(own.seq)],
    );
    return {
      position: Number(before.n) + 1,
      previous: beside(">", "ASC"),
      next: beside("<", "DESC"),
    };
  }

  /** Everything that people have done with a payment, in no order. */
  events(id: TransactionId): CaseEvent[] {
    return this.#all("SELECT * FROM event WHERE id = ?", [id])
      .map((row) => this.#eventOf(row));
  }

  /** The label of a payment that holds, of those known by a time of the stream in seconds since 1970, or of all; undefined where there is none, or it was withdrawn. */
  label(id: TransactionId, asOf = Infinity): ArrivedLabel | undefined {
    // Of equal times the later record: its time in the stream is no earlier.
    const [row] = this.#all(
      "SELECT fraud, known_time FROM label WHERE id = ? AND known_time <= ? " +
        "ORDER BY known_at DESC, known_time DESC LIMIT 1",
      [id, asOf],
    );
    if (row === undefined || row.fraud === null) return undefined;
    const knownSeconds = Number(row.known_time);
    return { fraud: row.fraud === 1 ? 1 : 0, knownSeconds };
  }

  /** The verdicts of a group decision. */
  decision(decisionId: string): CaseEvent[] {
    return this.#all("SELECT * FROM event WHERE decision_id = ?", [decisionId])
      .map((row) => this.#eventOf(row));
  }

  /** Ids of alerts whose payments are not known yet, behind one in the order of arrival. */
  unjoined(behindSeq: number, limit: number): {
    readonly seq: number;
    readonly id: TransactionId;
  }[] {
    return this.#all(
      "SELECT seq, id FROM alert WHERE joined = 0 AND seq > ? " +
        "ORDER BY seq LIMIT ?",
      [behindSeq, limit],
    ).map(({ seq, id }) => ({
      seq: Number(seq),
      id: idIn(this.#shape.transactionId, id),
    }));
  }

  /** Verdicts, and undos, that the store may not have taken yet. */
  unstored(limit: number): CaseEvent[] {
    return this.#all("SELECT * FROM event WHERE stored = 0 LIMIT ?", [limit])
      .map((row) => this.#eventOf(row));
  }

  /** The newest verdict that the store has taken and that nobody has taken back; undefined where there is none. */
  newestStored(): CaseEvent | undefined {
    const [row] = this.#all(
      "SELECT * FROM event WHERE stored = 1 AND kind = 'verdict' AND " +
        "label IS NOT NULL AND event_id NOT IN " +
        "(SELECT undoes FROM event WHERE undoes IS NOT NULL) " +
        "ORDER BY rowid DESC LIMIT 1",
    );
    return row && this.#eventOf(row);
  }

  /** An event; undefined where there is none of that id. */
  event(eventId: string): CaseEvent | undefined {
    const [row] = this.#all("SELECT * FROM event WHERE event_id = ?", [
      eventId,
    ]);
    return row && this.#eventOf(row);
  }

  /** Whether an event has been taken back. */
  isUndone(event: CaseEvent): boolean {
    return this.events(event.transactionId)
      .some(({ undoes }) => undoes === event.eventId);
  }

  #alertOf(row: Row): IndexedAlert {
    const { transactionId, customerId, terminalId } = this.#shape;
    const snoozed = row.snoozed === null ? undefined : Number(row.snoozed);
    const isSnoozed = snoozed !== undefined && snoozed > this.#clock();
    const features = row.features instanceof Uint8Array
      ? new Float64Array(row.features.slice().buffer)
      : undefined;
    return {
      seq: Number(row.seq),
      id: idIn(transactionId, row.id),
      time: Number(row.time),
      datetimeSeconds: Number(row.datetime),
      customer: idIn(customerId, row.customer),
      terminal: idIn(terminalId, row.terminal),
      cents: Number(row.cents),
      score: scoreIn(row.score),
      outcome: row.outcome === null ? undefined : Number(row.outcome),
      model: String(row.version),
      state: caseStateOf(
        row.label === null ? undefined : Number(row.label),
        isSnoozed,
      ),
      assignee: row.assignee === null ? undefined : String(row.assignee),
      snoozedUntilMs: isSnoozed ? snoozed : undefined,
      fraud: row.fraud === null ? undefined : Number(row.fraud),
      scenario: row.scenario === null ? undefined : Number(row.scenario),
      contributions: row.contributions === null
        ? {}
        : JSON.parse(String(row.contributions)),
      features,
    };
  }

  #conditionOf(filter: Asked): Condition {
    const parts: string[] = [];
    const values: (number | string)[] = [];
    const add = (sql: string, ...more: readonly (number | string)[]) => {
      parts.push(sql);
      values.push(...more);
    };
    switch (filter.state) {
      case "open":
        add(
          "label IS NULL AND (snoozed IS NULL OR snoozed <= ?)",
          this.#clock(),
        );
        break;
      case "undecided":
        add("label IS NULL");
        break;
      case "snoozed":
        add("label IS NULL AND snoozed > ?", this.#clock());
        break;
      case "confirmed":
        add("label = 1");
        break;
      case "cleared":
        add("label = 0");
        break;
    }
    const { score, amountFrom, amountTo, card, terminal, day } = filter;
    const { model, assignee, q, scenario, decision, rule, upTo } = filter;
    if (score !== undefined) add("score >= ?", score);
    if (amountFrom !== undefined) {
      add("cents >= ?", Math.round(this.scale * amountFrom));
    }
    if (amountTo !== undefined) {
      add("cents <= ?", Math.round(this.scale * amountTo));
    }
    if (card !== undefined) add("customer = ?", card);
    if (terminal !== undefined) add("terminal = ?", terminal);
    if (day !== undefined) {
      add("datetime BETWEEN ? AND ?", day, day + DAY_SECONDS - 1);
    }
    if (model !== undefined) {
      add("model = (SELECT id FROM model WHERE version = ?)", model);
    }
    if (assignee === "nobody") add("assignee IS NULL");
    else if (assignee !== undefined) add("assignee = ?", assignee);
    if (q !== undefined) add(...this.#searched(q));
    if (scenario !== undefined) add("scenario = ?", scenario);
    if (decision !== undefined) {
      add("outcome IN (SELECT id FROM outcome WHERE decision = ?)", decision);
    }
    if (rule !== undefined) {
      add(
        "outcome IN (SELECT outcome FROM outcome_rule WHERE rule = ?)",
        rule,
      );
    }
    if (upTo !== undefined) add("seq <= ?", upTo);
    const isNarrow = card !== undefined || terminal !== undefined ||
      q !== undefined || day !== undefined || filter.state === "snoozed" ||
      (assignee !== undefined && assignee !== "nobody");
    const { state: _, sort: __, ...narrowing } = filter;
    const isCovered = Object.keys(narrowing).every((name) => name === "upTo");
    return { sql: parts.join(" AND ") || "1", values, isNarrow, isCovered };
  }

  /** The condition that an id of a payment, card or terminal is the one that was searched for. */
  #searched(q: string): [sql: string, ...values: (number | string)[]] {
    const { transactionId, customerId, terminalId } = this.#shape;
    const columns: [name: string, kind: IdKind][] = [
      ["id", transactionId],
      ["customer", customerId],
      ["terminal", terminalId],
    ];
    const wanted = columns.flatMap(([name, kind]) => {
      const ids = searchedIds(q, kind);
      return ids.length === 0 ? [] : [{ name, ids }];
    });
    const parts = wanted.map(({ name, ids }) =>
      `${name} IN (${ids.map(() => "?").join(", ")})`
    );
    return [
      `(${parts.join(" OR ") || "0"})`,
      ...wanted.flatMap(({ ids }) => ids),
    ];
  }

  #eventOf(row: Row): CaseEvent {
    const text = (value: unknown) => value === null ? undefined : String(value);
    const until = text(row.until);
    const undoes = text(row.undoes);
    const decisionId = text(row.decision_id);
    return {
      eventId: String(row.event_id),
      transactionId: idIn(this.#shape.transactionId, row.id),
      kind: String(row.kind) as CaseKind,
      who: String(row.who),
      at: String(row.at),
      ...row.label !== null && { label: row.label === 1 ? 1 : 0 },
      note: String(row.note),
      ...until !== undefined && { until },
      ...undoes !== undefined && { undoes },
      ...decisionId !== undefined && { decisionId },
    };
  }

  #all(sql: string, values: readonly (number | string)[] = []): Row[] {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#sqlite.prepare(sql);
      if (this.#statements.size >= KEPT_MAX) this.#statements.clear();
      this.#statements.set(sql, statement);
    }
    try {
      return statement.all(...values);
    } catch (error) {
      throw this.#sqlite.translated(error);
    }
  }
}

type Statement = ReturnType<Sqlite["prepare"]>;
type Row = ReturnType<Statement["all"]>[number];

const GROUP_COLUMNS = { card: "customer", terminal: "terminal" } as const;

const ALERT_COLUMNS = [
  ...["seq", "id", "time", "datetime", "customer", "terminal", "cents"],
  ...["score", "label", "assignee", "snoozed", "fraud", "scenario"],
  "outcome",
].map((name) => `alert.${name}`).join(", ") +
  ", version, contributions, features";

const ALERT_JOINS = "JOIN detail ON detail.seq = alert.seq " +
  "JOIN model ON model.id = alert.model";

/** The order of a filter; behind a plus sign no index is used for it. */
function orderOf({ sort }: AlertFilter, isOrdered: boolean): string {
  const column = SORT_COLUMNS[sort];
  return isOrdered
    ? `alert.${column} DESC, alert.seq DESC`
    : `+alert.${column} DESC, +alert.seq DESC`;
}

/** A score in a column. */
function scoreIn(value: unknown): number | undefined {
  return Number(value) === NO_SCORE ? undefined : Number(value);
}

/** An id in a column. */
function idIn(kind: IdKind, value: unknown): number | string {
  return kind === "text" ? String(value) : Number(value);
}
