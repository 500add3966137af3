/** The tables of the index of alerts. */
import type { IdKind, PaymentShape } from "../../payment/payment_shape.ts";
import { SUM_COLUMNS } from "./day_sums.ts";
import { RULE_SUM_COLUMNS } from "./rule_sums.ts";

/** What alerts are sorted by: the column of each order. */
export const SORT_COLUMNS = {
  risk: "risk",
  newest: "time",
  score: "score",
  amount: "cents",
} as const;

/** For each order an index of all alerts, and one of those without a verdict, which are most of what is asked for. */
const SORT_INDEXES = Object.values(SORT_COLUMNS).map((column) =>
  `CREATE INDEX alert_${column} ON alert (${column}, seq, label, snoozed);
  CREATE INDEX open_${column} ON alert (${column}, seq, snoozed)
    WHERE label IS NULL;`
).join("\n  ");

/** The score of a payment that only rules have decided about, as the tables hold it. */
export const NO_SCORE: number = -1;

/** What groups of alerts are made from and filtered by. */
const GROUPED = "label, snoozed, cents, score, datetime, seq, model, assignee";

/**
 * Statements that make the tables for payments of a shape. Rows of `alert` are
 * short, because filters look at many of them; what only single alerts need is
 * in `detail`. Money is in minor units of the currency: cents of euros. `risk`
 * is score × cents without a sign, `snoozed` milliseconds since 1970. A score is
 * NO_SCORE where no model gave one. `label` holds the labels that arrive later
 * than their payments, with the times of the stream in seconds since 1970.
 * `outcome` is what rules decided, `fired` the payments on which one fired, and
 * `fraud_id` names the payments whose own label says fraud.
 */
export function alertSchema(
  { transactionId, customerId, terminalId }: PaymentShape,
): string {
  const id = typeOf(transactionId);
  return `
  CREATE TABLE stream (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    stream TEXT NOT NULL,
    time INTEGER NOT NULL
  );
  CREATE TABLE position (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    topicId TEXT,
    next INTEGER NOT NULL,
    markOffset INTEGER,
    markCheck INTEGER,
    PRIMARY KEY (topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE day (
    day INTEGER PRIMARY KEY,
    ${SUM_COLUMNS.map((name) => `${name} INTEGER NOT NULL`).join(",\n    ")}
  );
  CREATE TABLE fraud (time INTEGER NOT NULL, cents INTEGER NOT NULL);
  CREATE INDEX fraud_time ON fraud (time, cents);
  CREATE TABLE model (id INTEGER PRIMARY KEY, version TEXT NOT NULL UNIQUE);
  CREATE TABLE alert (
    seq INTEGER PRIMARY KEY,
    id ${id} NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    datetime INTEGER NOT NULL,
    customer ${typeOf(customerId)} NOT NULL,
    terminal ${typeOf(terminalId)} NOT NULL,
    cents INTEGER NOT NULL,
    score REAL NOT NULL,
    risk REAL NOT NULL,
    model INTEGER NOT NULL,
    label INTEGER,
    assignee TEXT,
    snoozed INTEGER,
    fraud INTEGER,
    scenario INTEGER,
    outcome INTEGER,
    joined INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX alert_customer ON alert (customer, ${GROUPED});
  CREATE INDEX alert_terminal ON alert (terminal, ${GROUPED});
  CREATE INDEX alert_datetime ON alert (datetime);
  CREATE INDEX alert_assignee ON alert (assignee) WHERE assignee IS NOT NULL;
  CREATE INDEX alert_snoozed ON alert (snoozed, cents)
    WHERE label IS NULL AND snoozed IS NOT NULL;
  CREATE INDEX alert_pending ON alert (seq) WHERE joined = 0;
  CREATE INDEX alert_hit ON alert (time, cents)
    WHERE label IS NULL AND fraud = 1;
  ${SORT_INDEXES}
  CREATE TABLE detail (
    seq INTEGER PRIMARY KEY,
    contributions TEXT,
    features BLOB
  );
  CREATE TABLE outcome (
    id INTEGER PRIMARY KEY,
    version TEXT NOT NULL,
    decision TEXT NOT NULL,
    alert INTEGER NOT NULL,
    rules TEXT NOT NULL,
    shadowRules TEXT NOT NULL,
    reasons TEXT NOT NULL
  );
  CREATE TABLE outcome_rule (
    rule TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    PRIMARY KEY (rule, outcome)
  ) WITHOUT ROWID;
  CREATE TABLE outcome_day (
    outcome INTEGER NOT NULL,
    day INTEGER NOT NULL,
    ${
    RULE_SUM_COLUMNS.map((name) => `${name} INTEGER NOT NULL`).join(",\n    ")
  },
    PRIMARY KEY (outcome, day)
  ) WITHOUT ROWID;
  CREATE TABLE fired (
    id ${id} PRIMARY KEY,
    outcome INTEGER NOT NULL,
    time INTEGER NOT NULL,
    cents INTEGER NOT NULL,
    label INTEGER,
    fraud INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE fraud_id (id ${id} PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE label (
    id ${id} NOT NULL,
    known_at INTEGER NOT NULL,
    known_time INTEGER NOT NULL,
    fraud INTEGER,
    PRIMARY KEY (id, known_at, known_time)
  ) WITHOUT ROWID;
  CREATE TABLE event (
    event_id TEXT PRIMARY KEY,
    id ${id} NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL,
    label INTEGER,
    note TEXT NOT NULL,
    until TEXT,
    undoes TEXT,
    decision_id TEXT,
    stored INTEGER NOT NULL
  );
  CREATE INDEX event_payment ON event (id);
  CREATE INDEX event_decision ON event (decision_id)
    WHERE decision_id IS NOT NULL;
  CREATE INDEX event_new ON event (stored) WHERE stored = 0;
`;
}

/** The type of an id's column; texts compare by their bytes. */
function typeOf(kind: IdKind): string {
  return kind === "text" ? "TEXT" : "INTEGER";
}
