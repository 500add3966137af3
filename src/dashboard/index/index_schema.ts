/** The tables of the index of alerts. */
import { SUM_COLUMNS } from "./day_sums.ts";

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

/** What groups of alerts are made from and filtered by. */
const GROUPED = "label, snoozed, cents, score, datetime, seq, model, assignee";

/**
 * Statements that make the tables. Rows of `alert` are short, because filters
 * look at many of them; what only single alerts need is in `detail`. Money is
 * in cents, `risk` is score × cents, `snoozed` milliseconds since 1970.
 */
export const ALERT_SCHEMA: string = `
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
    id INTEGER NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    datetime INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    terminal INTEGER NOT NULL,
    cents INTEGER NOT NULL,
    score REAL NOT NULL,
    risk REAL NOT NULL,
    model INTEGER NOT NULL,
    label INTEGER,
    assignee TEXT,
    snoozed INTEGER,
    fraud INTEGER,
    scenario INTEGER
  );
  CREATE INDEX alert_customer ON alert (customer, ${GROUPED});
  CREATE INDEX alert_terminal ON alert (terminal, ${GROUPED});
  CREATE INDEX alert_datetime ON alert (datetime);
  CREATE INDEX alert_assignee ON alert (assignee) WHERE assignee IS NOT NULL;
  CREATE INDEX alert_snoozed ON alert (snoozed, cents)
    WHERE label IS NULL AND snoozed IS NOT NULL;
  CREATE INDEX alert_pending ON alert (seq) WHERE fraud IS NULL;
  CREATE INDEX alert_hit ON alert (time, cents)
    WHERE label IS NULL AND fraud = 1;
  ${SORT_INDEXES}
  CREATE TABLE detail (
    seq INTEGER PRIMARY KEY,
    contributions TEXT,
    features BLOB
  );
  CREATE TABLE event (
    event_id TEXT PRIMARY KEY,
    id INTEGER NOT NULL,
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
