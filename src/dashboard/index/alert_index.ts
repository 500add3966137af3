/**
 * The index of alerts: one row per alert with how its case stands, what people
 * have done, sums by event day, and what rules have done. Where rules decide, an
 * alert is a payment that they do not approve; elsewhere the model's. It is a function of the log and the store.
 * A step of reading changes it in one transaction together with the offsets up
 * to which it stands, so it goes on from there after any end, and never counts
 * a record twice.
 */
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import type { RecordMark } from "../../log/record_batch.ts";
import { murmur2 } from "../../log/murmur2.ts";
import type { CaseEvent } from "../../payment/case_json.ts";
import { CELL } from "../../payment/payment_cells.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  idOf,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import {
  type PredictedDecision,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import { NO_TEXTS, type TextHeap } from "../../payment/text_heap.ts";
import { amountUnits } from "../../payment/validation.ts";
import { type CaseStanding, standingOf } from "../../stream/case_events.ts";
import {
  type AlertFacts,
  dayOf,
  DaySums,
  SUM,
  SUM_COLUMNS,
  SUMS,
} from "./day_sums.ts";
import { AlertQueries } from "./alert_queries.ts";
import { type IndexFile, isDamage } from "./index_file.ts";
import { alertSchema, NO_SCORE } from "./index_schema.ts";
import {
  type DecidedOutcome,
  type FiredFacts,
  type OutcomeSums,
  RULE_SUM_COLUMNS,
  RULE_SUMS,
  RuleSums,
} from "./rule_sums.ts";

/** Up to where a partition of a topic is in the index. */
export interface IndexPosition {
  /** The topic. */
  readonly topic: string;
  /** Its partition. */
  readonly partition: number;
  /** What tells the topic from another of the same name, where the log knows. */
  readonly topicId: string | undefined;
  /** Offset of the next record to take. */
  readonly next: number;
  /** The last record taken; undefined where none was. */
  readonly mark: RecordMark | undefined;
}

/** Rows of payments, side by side in cells, of which those from `first` on are new. */
export interface NewPayments {
  /** The cells, `width` for each row. */
  readonly cells: Float64Array;
  /** Cells of a row. */
  readonly width: number;
  /** Number of rows. */
  readonly count: number;
  /** The first row that the index does not have. */
  readonly first: number;
  /** What the cells of texts refer to, in a stream whose rows have some. */
  readonly texts?: TextHeap;
}

/** Whether a row of predictions waits for a person: rules do not approve it, or, without rules, the model made it an alert. */
export function isQueued(
  { cells, decisions }: PredictionRows,
  row: number,
): boolean {
  const decided = decisions[row];
  return decided
    ? decided.decision !== "approve"
    : cells[row * PREDICTION_CELLS + PREDICTION_CELL.alert] === 1;
}

/** Predictions, of which those from `first` on are new. */
export interface NewPredictions extends PredictionRows {
  /** The first row that the index does not have. */
  readonly first: number;
}

/** A label that has arrived later than its payment. */
export interface NewLabel {
  /** TRANSACTION_ID of the payment. */
  readonly id: TransactionId;
  /** TX_TIME_SECONDS of the payment. */
  readonly time: number;
  /** TX_AMOUNT of the payment. */
  readonly amount: number;
  /** TX_FRAUD; null withdraws the labels before. */
  readonly fraud: 0 | 1 | null;
  /** KNOWN_AT, seconds since 1970. */
  readonly knownAt: number;
  /** From when on it can be learned from, seconds since 1970. */
  readonly knownTime: number;
}

/** What the store says about the payment of an alert. */
export interface AlertedPayment {
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  /** TX_FRAUD, which does not count where labels arrive later; less than 0 where it is not known. */
  readonly fraud: number;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number;
  /** Its features, in the order of their names. */
  readonly features: readonly number[];
}

/** What one step of reading has found. */
export interface IndexStep {
  /** Payments of the sink topic. */
  readonly payments: readonly NewPayments[];
  /** Predictions. */
  readonly predictions: readonly NewPredictions[];
  /** Labels that have arrived later than their payments. */
  readonly labels: readonly NewLabel[];
  /** Case events. */
  readonly events: readonly CaseEvent[];
  /** Payments of alerts that the index has. */
  readonly alerted: readonly AlertedPayment[];
  /** Event ids of verdicts that the store now has, or no longer. */
  readonly stored: readonly string[];
  /** Up to where that is; the other partitions stay where they are. */
  readonly positions: readonly IndexPosition[];
}

/** A step in which nothing was found. */
export const EMPTY_STEP: IndexStep = {
  payments: [],
  predictions: [],
  labels: [],
  events: [],
  alerted: [],
  stored: [],
  positions: [],
};

/** Sums with what is known at the index's event time. */
export interface KnownSums {
  /** Payments. */
  readonly payments: number;
  /** Scored payments. */
  readonly scored: number;
  /** Alerts. */
  readonly alerts: number;
  /** Money in the payments, cents. */
  readonly cents: number;
  /** Known frauds. */
  readonly frauds: number;
  /** Money in them, cents. */
  readonly fraudCents: number;
  /** Money in the alerts that are known to be frauds, cents. */
  readonly stoppedCents: number;
  /** Payments without a label that are younger than the delay; where labels arrive later. */
  readonly pending?: number;
}

/** What an alert's row says that its sums follow from. */
interface AlertRow extends AlertFacts {
  readonly seq: number;
}

/** Bits of the filter of ids; a power of two. */
const ID_BITS = 1 << 23;

/** The index of one page process. */
export class AlertIndex implements Disposable {
  readonly #file: IndexFile;
  readonly #stream: string;
  readonly #delaySeconds: number;
  readonly #shape: PaymentShape;
  readonly #schema: string;
  #sqlite: Sqlite;
  #statements: Statements;
  #queries: AlertQueries;
  #sums = new DaySums();
  #ruleSums = new RuleSums();
  /** What rules have decided, by number and by what it is. */
  #outcomes = new Map<number, DecidedOutcome>();
  #outcomeNumbers = new Map<string, number>();
  #positions = new Map<string, IndexPosition>();
  #time = 0;
  #known: KnownSums | undefined;
  /** A bit is set where an alert may have that id, as in a Bloom filter: most predictions are none. */
  #ids = new Uint8Array(ID_BITS / 8);
  #hasEvents = false;

  /**
   * Opens an index in a file, which it then owns. A file that is damaged, of
   * another version or of another stream is replaced, which is reported with
   * the reason.
   */
  constructor(options: {
    /** Where it lies. */
    readonly file: IndexFile;
    /** Identity of the stream. */
    readonly stream: string;
    /** How long after a payment its label is known, or a payment without one is taken for genuine. */
    readonly delaySeconds: number;
    /** The form of its payments; the handbook's by default. */
    readonly shape?: PaymentShape;
    /** Called with the reason when an index is made again. */
    readonly replaced: (reason: string) => void;
  }) {
    const { file, stream, delaySeconds, replaced } = options;
    const { shape = HANDBOOK_SHAPE } = options;
    this.#shape = shape;
    this.#schema = alertSchema(shape);
    this.#file = file;
    this.#stream = stream;
    this.#delaySeconds = delaySeconds;
    [this.#sqlite, this.#statements, this.#queries] = this.#use(
      openUsable(file, this.#schema, stream, replaced),
    );
  }

  /** Begins again with an empty file. */
  reset(): void {
    this.#sqlite.close();
    this.#file.remove();
    [this.#sqlite, this.#statements, this.#queries] = this.#use(
      this.#file.open(this.#schema),
    );
  }

  #use(sqlite: Sqlite): [Sqlite, Statements, AlertQueries] {
    const statements = prepare(sqlite);
    statements.begin.run(this.#stream);
    this.#sums = new DaySums();
    for (const { day, ...sums } of statements.days.all()) {
      this.#sums.addRow(Number(day), Object.values(sums).map(Number));
    }
    this.#useRules(statements);
    this.#positions = new Map();
    for (const row of statements.positions.all()) {
      const position = positionOf(row);
      this.#positions.set(placeOf(position), position);
    }
    this.#time = Number(statements.stream.get()?.time);
    this.#ids = new Uint8Array(ID_BITS / 8);
    for (const { id } of statements.ids.iterate()) {
      this.#addId(typeof id === "string" ? id : Number(id));
    }
    this.#hasEvents = statements.anyEvent.get() !== undefined;
    this.#known = undefined;
    return [sqlite, statements, new AlertQueries(sqlite, this.#shape)];
  }

  #useRules({ outcomes, outcomeDays }: Statements): void {
    this.#ruleSums = new RuleSums();
    this.#outcomes = new Map();
    this.#outcomeNumbers = new Map();
    for (const row of outcomes.all()) {
      const texts = [row.rules, row.shadowRules, row.reasons].map(String);
      const [rules, shadowRules, reasons] = texts;
      const decided = {
        ...{ decision: String(row.decision), rules, shadowRules, reasons },
        rulesVersion: String(row.version),
      };
      this.#keepOutcome(Number(row.id), decided, row.alert === 1);
    }
    for (const { outcome, day, ...sums } of outcomeDays.all()) {
      const row = Object.values(sums).map(Number);
      this.#ruleSums.addRow(Number(outcome), Number(day), row);
    }
  }

  #keepOutcome(number: number, decided: OutcomeTexts, alert: boolean): void {
    const { decision, rulesVersion: version } = decided;
    const list = (text: string | null): string[] =>
      text === null ? [] : JSON.parse(text);
    this.#outcomes.set(number, {
      ...{ version, decision, alert },
      rules: list(decided.rules),
      shadowRules: list(decided.shadowRules),
      reasons: list(decided.reasons),
    });
    this.#outcomeNumbers.set(outcomeKey(decided, alert), number);
  }

  /** Whether rules have decided about any payment. */
  get hasOutcomes(): boolean {
    return this.#outcomes.size > 0;
  }

  /** What rules have decided, with the sums of each outcome as far as labels are known at the index's event time; empty without rules. */
  outcomes(): OutcomeSums[] {
    const whole = dayOf(this.#time - this.#delaySeconds);
    const view = {
      isWhole: (day: number) => day < whole && this.hasLabels,
      areLabelsLate: this.#shape.hasLabels,
      today: dayOf(this.#time),
    };
    return [...this.#outcomes].map(([number, outcome]) => {
      return { ...outcome, ...this.#ruleSums.of(number, view) };
    });
  }

  /** What rules decided about a payment on which one fired; undefined where none did. */
  decided(id: TransactionId): DecidedOutcome | undefined {
    const fired = this.#mayHave(bitOfId(id)) ? this.#firedOf(id) : undefined;
    return fired && this.#outcomes.get(fired.outcome);
  }

  /** The decision with that number. */
  outcome(number: number): DecidedOutcome | undefined {
    return this.#outcomes.get(number);
  }

  /** What can be asked about alerts and cases. */
  get queries(): AlertQueries {
    return this.#queries;
  }

  /** Greatest TX_TIME_SECONDS of a payment. */
  get timeSeconds(): number {
    return this.#time;
  }

  /** Sums by day with all labels, known or not. */
  get sums(): DaySums {
    return this.#sums;
  }

  /** Whether labels can be known: where they arrive later, whether any has. Without one, nothing says that a payment is genuine. */
  get hasLabels(): boolean {
    return !this.#shape.hasLabels || this.#sums.total[SUM.labelled] > 0;
  }

  /** Up to where the index stands in a partition; undefined before it has begun there. */
  position(topic: string, partition: number): IndexPosition | undefined {
    return this.#positions.get(`${topic}/${partition}`);
  }

  /** All positions. */
  positions(): IndexPosition[] {
    return [...this.#positions.values()];
  }

  /** Takes a step, whole or not at all. Throws IndexError; then nothing has changed. */
  async commit(step: IndexStep): Promise<void> {
    const change = await this.#sqlite.transaction(() => this.#write(step));
    for (const [day, added] of change.sums.days) this.#sums.addRow(day, added);
    for (const [outcome, days] of change.rules.outcomes) {
      for (const [day, row] of days) this.#ruleSums.addRow(outcome, day, row);
    }
    for (const keep of change.outcomes) keep();
    for (const position of step.positions) {
      this.#positions.set(placeOf(position), position);
    }
    this.#time = Math.max(this.#time, change.time);
    this.#hasEvents ||= step.events.length > 0;
    this.#known = undefined;
    if (change.cases) this.#queries.changed();
  }

  #write(step: IndexStep): Change {
    const change: Change = {
      sums: new DaySums(),
      rules: new RuleSums(),
      outcomes: [],
      numbers: new Map(),
      time: this.#time,
      cases: step.events.length > 0,
    };
    for (const payments of step.payments) this.#putPayments(payments, change);
    for (const rows of step.predictions) this.#putPredictions(rows, change);
    for (const label of step.labels) this.#putLabel(label, change);
    const cases = new Set<TransactionId>();
    for (const event of step.events) {
      this.#putEvent(event);
      cases.add(event.transactionId);
    }
    for (const id of cases) this.#stand(id, change);
    for (const payment of step.alerted) this.#join(payment, change);
    const { put, markStored, move, prune, setTime } = this.#statements;
    for (const id of step.stored) markStored.run(id);
    for (const [day, row] of change.sums.days) put.day.run(day, ...row);
    for (const [outcome, days] of change.rules.outcomes) {
      for (const [day, row] of days) put.outcomeDay.run(outcome, day, ...row);
    }
    for (const { topic, partition, topicId, next, mark } of step.positions) {
      move.run(
        topic,
        partition,
        topicId ?? null,
        next,
        mark?.offset ?? null,
        mark?.check ?? null,
      );
    }
    if (change.time > this.#time) {
      setTime.run(change.time);
      const wholeDays = dayOf(change.time - this.#delaySeconds);
      if (wholeDays > dayOf(this.#time - this.#delaySeconds)) {
        // Their day's sums are known as a whole.
        prune.run(wholeDays * DAY_SECONDS);
      }
    }
    return change;
  }

  #putPayments(
    { cells, width, count, first, texts = NO_TEXTS }: NewPayments,
    change: Change,
  ): void {
    const { put } = this.#statements;
    const { hasLabels, transactionId } = this.#shape;
    const scale = this.queries.scale;
    for (let at = first * width; at < count * width; at += width) {
      const time = cells[at + CELL.time];
      const cents = amountUnits(cells[at + CELL.amount], scale);
      const isFraud = cells[at + CELL.fraud] === 1 && !hasLabels;
      change.sums.addPayment(time, cents, isFraud);
      if (time > change.time) change.time = time;
      if (!isFraud) continue;
      put.fraud.run(time, cents);
      const id = idOf(transactionId, cells[at + CELL.id], texts);
      put.fraudId.run(id);
      this.#judgeFired(id, { fraud: 1 }, change);
    }
  }

  #putPredictions(rows: NewPredictions, change: Change): void {
    const { cells, count, first, texts } = rows;
    const { transactionId } = this.#shape;
    for (let row = first; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      const cell = cells[at + PREDICTION_CELL.id];
      change.sums.addScored(cells[at + PREDICTION_CELL.time]);
      const decided = rows.decisions[row];
      const alert = isQueued(rows, row);
      const fires = decided !== null &&
        (decided.rules !== null || decided.shadowRules !== null);
      const may = this.#mayHave(this.#bitOf(cell, texts));
      const outcome = decided && this.#putDecided(decided, rows, row, change);
      if (!alert && !fires && !may) continue;
      const id = idOf(transactionId, cell, texts);
      if (alert) this.#putAlert(id, rows, row, { outcome, change });
      else if (may) this.#removeAlert(id, change);
      if (may) this.#removeFired(id, change);
      if (fires && outcome !== null) {
        this.#putFired(id, rows, row, { outcome, change });
      }
    }
  }

  /** Counts what rules decided about a payment, and gives the number of the outcome. */
  #putDecided(
    decided: PredictedDecision,
    { cells }: NewPredictions,
    row: number,
    change: Change,
  ): number {
    const at = row * PREDICTION_CELLS;
    const alert = cells[at + PREDICTION_CELL.alert] === 1;
    const outcome = this.#outcomeOf(decided, alert, change);
    const time = cells[at + PREDICTION_CELL.time];
    const amount = cells[at + PREDICTION_CELL.amount];
    const cents = amountUnits(amount, this.queries.scale);
    change.rules.addPayment({ outcome, time, cents }, 1);
    return outcome;
  }

  /** The number of an outcome, which a new one gets. */
  #outcomeOf(
    decided: PredictedDecision,
    alert: boolean,
    { numbers, outcomes }: Change,
  ): number {
    const key = outcomeKey(decided, alert);
    const known = this.#outcomeNumbers.get(key) ?? numbers.get(key);
    if (known !== undefined) return known;
    const { put } = this.#statements;
    const { decision, rulesVersion, rules, shadowRules, reasons } = decided;
    const texts = [rules, shadowRules, reasons].map((text) => text ?? "[]");
    const row = put.outcome.get(
      rulesVersion,
      decision,
      alert ? 1 : 0,
      ...texts,
    );
    const number = Number(row?.id);
    for (const text of [rules, shadowRules]) {
      const ids: string[] = text === null ? [] : JSON.parse(text);
      for (const id of ids) put.outcomeRule.run(id, number);
    }
    numbers.set(key, number);
    outcomes.push(() => this.#keepOutcome(number, decided, alert));
    return number;
  }

  /** Puts a payment on which a rule fired, with what is known of it. */
  #putFired(
    id: TransactionId,
    { cells }: NewPredictions,
    row: number,
    { outcome, change }: { outcome: number; change: Change },
  ): void {
    const at = row * PREDICTION_CELLS;
    const { put, hasFraudId } = this.#statements;
    const { hasLabels } = this.#shape;
    const standing = this.#hasEvents ? this.#standing(id) : UNTOUCHED;
    const amount = cells[at + PREDICTION_CELL.amount];
    const facts: FiredFacts = {
      outcome,
      time: cells[at + PREDICTION_CELL.time],
      cents: amountUnits(amount, this.queries.scale),
      label: standing.verdict?.label ?? null,
      fraud: hasLabels
        ? this.#labelOf(id)
        : hasFraudId.get(id) === undefined
        ? null
        : 1,
    };
    const { time, cents, label, fraud } = facts;
    put.fired.run(id, outcome, time, cents, label, fraud);
    change.rules.addResult(facts, 1);
    this.#addId(id);
  }

  /** Takes away what a payment of the same id has been, as in the store. */
  #removeFired(id: TransactionId, change: Change): void {
    const before = this.#firedOf(id);
    if (!before) return;
    change.rules.addPayment(before, -1);
    change.rules.addResult(before, -1);
    this.#statements.removeFired.run(id);
  }

  /** Lets a verdict or a label count for the rules that fired on a payment. */
  #judgeFired(
    id: TransactionId,
    news: Partial<Pick<FiredFacts, "label" | "fraud">>,
    change: Change,
  ): void {
    const before = this.#mayHave(bitOfId(id)) ? this.#firedOf(id) : undefined;
    if (!before) return;
    const after = { ...before, ...news };
    change.rules.addResult(before, -1);
    change.rules.addResult(after, 1);
    this.#statements.put.result.run(after.label, after.fraud, id);
  }

  #firedOf(id: TransactionId): FiredFacts | undefined {
    return this.#statements.findFired.get(id) as unknown as
      | FiredFacts
      | undefined;
  }

  /** Puts an alert; one that another payment of the same id had is replaced, as in the store. */
  #putAlert(
    id: TransactionId,
    rows: NewPredictions,
    row: number,
    { outcome, change }: { outcome: number | null; change: Change },
  ): void {
    const { cells, versions, contributions, texts } = rows;
    const { customerId, terminalId, hasLabels } = this.#shape;
    const at = row * PREDICTION_CELLS;
    const amount = cells[at + PREDICTION_CELL.amount];
    const scored = cells[at + PREDICTION_CELL.score];
    const hasScore = !Number.isNaN(scored);
    const cents = amountUnits(amount, this.queries.scale);
    const time = cells[at + PREDICTION_CELL.time];
    const { put, model } = this.#statements;
    put.model.run(versions[row]);
    const before = this.#mayHave(bitOfId(id)) ? this.#find(id) : undefined;
    if (before) change.sums.addAlert(before, -1);
    const standing = this.#hasEvents ? this.#standing(id) : UNTOUCHED;
    const label = standing.verdict?.label ?? null;
    const fraud = hasLabels ? this.#labelOf(id) : null;
    const seq = put.alert.get(
      before?.seq ?? null,
      id,
      time,
      cells[at + PREDICTION_CELL.datetime],
      idOf(customerId, cells[at + PREDICTION_CELL.customer], texts),
      idOf(terminalId, cells[at + PREDICTION_CELL.terminal], texts),
      cents,
      hasScore ? scored : NO_SCORE,
      (hasScore ? scored : 1) * Math.abs(cents),
      Number(model.get(versions[row])?.id),
      label,
      standing.assignee ?? null,
      snoozedMs(standing),
      fraud,
      outcome,
    )?.seq;
    put.detail.run(Number(seq), contributions[row]);
    change.sums.addAlert({ time, cents, label, fraud }, 1);
    this.#addId(id);
    change.cases = true;
  }

  /** Lets a label count, if none of its payment was known later. */
  #putLabel(label: NewLabel, change: Change): void {
    const { id, time, fraud, knownAt, knownTime } = label;
    const cents = amountUnits(label.amount, this.queries.scale);
    const { newestLabel, put } = this.#statements;
    const newest = newestLabel.get(id);
    put.label.run(id, knownAt, knownTime, fraud);
    if (newest && isLater(newest, label)) return;
    const before = fraudOf(newest?.fraud);
    if (fraud === before) return;
    change.sums.addLabel(time, cents, before, -1);
    change.sums.addLabel(time, cents, fraud, 1);
    this.#judgeFired(id, { fraud }, change);
    const alert = this.#mayHave(bitOfId(id)) ? this.#find(id) : undefined;
    if (!alert) return;
    change.sums.addAlert(alert, -1);
    change.sums.addAlert({ ...alert, fraud }, 1);
    put.fraudOf.run(fraud, alert.seq);
    change.cases = true;
  }

  /** TX_FRAUD of the label of a payment that holds; null for none. */
  #labelOf(id: TransactionId): 0 | 1 | null {
    return this.queries.label(id)?.fraud ?? null;
  }

  #removeAlert(id: TransactionId, change: Change): void {
    const found = this.#find(id);
    if (!found) return;
    change.sums.addAlert(found, -1);
    for (const statement of this.#statements.remove) statement.run(found.seq);
    change.cases = true;
  }

  #putEvent(event: CaseEvent): void {
    const { kind } = event;
    this.#statements.put.event.run(
      event.eventId,
      event.transactionId,
      kind,
      event.who,
      event.at,
      event.label ?? null,
      event.note,
      event.until ?? null,
      event.undoes ?? null,
      event.decisionId ?? null,
      kind === "verdict" || kind === "undo" ? 0 : 1,
    );
  }

  /** Lets the events of a payment count for its alert. */
  #stand(id: TransactionId, change: Change): void {
    const standing = this.#standing(id);
    const label = standing.verdict?.label ?? null;
    this.#judgeFired(id, { label }, change);
    const before = this.#find(id);
    if (!before) return;
    change.sums.addAlert(before, -1);
    change.sums.addAlert({ ...before, label }, 1);
    const { put } = this.#statements;
    const { seq } = before;
    put.standing.run(
      label,
      standing.assignee ?? null,
      snoozedMs(standing),
      seq,
    );
  }

  #join(payment: AlertedPayment, change: Change): void {
    const before = this.#find(payment.id);
    if (!before) return;
    const { scenario, features } = payment;
    const fraud = this.#shape.hasLabels
      ? before.fraud
      : payment.fraud < 0
      ? null
      : payment.fraud;
    change.sums.addAlert(before, -1);
    change.sums.addAlert({ ...before, fraud }, 1);
    const { put } = this.#statements;
    put.payment.run(fraud, scenario, before.seq);
    const bytes = new Uint8Array(Float64Array.from(features).buffer);
    put.features.run(bytes, before.seq);
    change.cases = true;
  }

  #find(id: TransactionId): AlertRow | undefined {
    const row = this.#statements.find.get(id);
    return row as unknown as AlertRow | undefined;
  }

  #standing(id: TransactionId): CaseStanding {
    return standingOf(this.#queries.events(id));
  }

  #mayHave(bit: number): boolean {
    return (this.#ids[bit >> 3] & 1 << (bit & 7)) !== 0;
  }

  /** The bit of an id in a cell. */
  #bitOf(cell: number, texts: TextHeap): number {
    const isText = this.#shape.transactionId === "text";
    return (isText ? murmur2(texts.view(cell)) : cell) & (ID_BITS - 1);
  }

  #addId(id: TransactionId): void {
    const bit = bitOfId(id);
    this.#ids[bit >> 3] |= 1 << (bit & 7);
  }

  /** Sums over everything, with the labels that are known at the index's event time. */
  known(): KnownSums {
    return this.#known ??= this.#sumKnown();
  }

  #sumKnown(): KnownSums {
    const { total } = this.#sums;
    const whole = dayOf(this.#time - this.#delaySeconds);
    if (this.#shape.hasLabels) {
      let pending = 0;
      for (const [day, row] of this.#sums.days) {
        if (day >= whole || !this.hasLabels) pending += pendingOf(row);
      }
      return { ...knownSums(total, allKnown(total)), pending };
    }
    let known = this.#boundary();
    for (const [day, row] of this.#sums.days) {
      if (day < whole) known = addKnown(known, row);
    }
    return knownSums(total, known);
  }

  /** The same of one day, and whether all its labels are known. */
  knownOfDay(day: number): KnownSums & { readonly labelled: boolean } {
    const row = this.#sums.days.get(day) ?? new Float64Array(SUMS);
    const whole = dayOf(this.#time - this.#delaySeconds);
    const labelled = day < whole && this.hasLabels;
    if (this.#shape.hasLabels) {
      const pending = labelled ? 0 : pendingOf(row);
      return { ...knownSums(row, allKnown(row)), pending, labelled };
    }
    const known = labelled
      ? addKnown(NOTHING_KNOWN, row)
      : day === whole
      ? this.#boundary()
      : NOTHING_KNOWN;
    return { ...knownSums(row, known), labelled };
  }

  /** What is known of the day whose labels are becoming known. */
  #boundary(): Known {
    const until = this.#time - this.#delaySeconds;
    if (until < 0) return NOTHING_KNOWN;
    const from = dayOf(until) * DAY_SECONDS;
    const { frauds, hits } = this.#statements;
    const known = frauds.get(from, until);
    return {
      frauds: Number(known?.n),
      fraudCents: Number(known?.cents),
      stoppedCents: Number(hits.get(from, until)?.cents),
    };
  }

  /** Takes no verdict for stored any more: the store has been replaced. Throws IndexError. */
  async forgetStored(): Promise<void> {
    const { forgetStored } = this.#statements;
    await this.#sqlite.transaction(() => forgetStored.run());
  }

  /** Whether an error of this index says that its file is damaged; then only reset() helps. */
  isDamage(error: unknown): boolean {
    return isDamage(error);
  }

  /** Closes the file and gives its place free. */
  [Symbol.dispose](): void {
    this.#sqlite.close();
    this.#file[Symbol.dispose]();
  }
}

/** What a step changes beside the rows. */
interface Change {
  readonly sums: DaySums;
  readonly rules: RuleSums;
  /** New outcomes, which are kept in memory once the step is taken. */
  readonly outcomes: (() => void)[];
  readonly numbers: Map<string, number>;
  time: number;
  /** Whether alerts or cases have changed. */
  cases: boolean;
}

/** What tells outcomes from one another. */
type OutcomeTexts = Pick<
  PredictedDecision,
  "decision" | "rules" | "shadowRules" | "reasons" | "rulesVersion"
>;

function outcomeKey(
  { rulesVersion, decision, rules, shadowRules }: OutcomeTexts,
  alert: boolean,
): string {
  return `${rulesVersion} ${decision} ${alert} ${rules ?? "[]"} ${
    shadowRules ?? "[]"
  }`;
}

/** Known frauds, and known frauds among the undecided alerts. */
interface Known {
  readonly frauds: number;
  readonly fraudCents: number;
  readonly stoppedCents: number;
}

const NOTHING_KNOWN: Known = { frauds: 0, fraudCents: 0, stoppedCents: 0 };

const UNTOUCHED: CaseStanding = {
  verdict: undefined,
  assignee: undefined,
  snoozedUntil: undefined,
};

function addKnown(known: Known, row: Float64Array): Known {
  return {
    frauds: known.frauds + row[SUM.frauds],
    fraudCents: known.fraudCents + row[SUM.fraudCents],
    stoppedCents: known.stoppedCents + row[SUM.undecidedFraudCents],
  };
}

/** What is known of a row whose labels arrive later: those that have arrived. */
function allKnown(row: Float64Array): Known {
  return addKnown(NOTHING_KNOWN, row);
}

/** Payments of a row whose label has not arrived. Labels can be read before their payments. */
function pendingOf(row: Float64Array): number {
  return Math.max(0, row[SUM.payments] - row[SUM.labelled]);
}

/** Whether a label of the table was known later than another, or has come later in the stream. */
function isLater(
  { known_at: at, known_time: time }: Readonly<Record<string, unknown>>,
  { knownAt, knownTime }: NewLabel,
): boolean {
  return Number(at) > knownAt ||
    Number(at) === knownAt && Number(time) > knownTime;
}

/** TX_FRAUD in a column; null for a label that was withdrawn, and for none. */
function fraudOf(value: unknown): 0 | 1 | null {
  return value === undefined || value === null ? null : value === 1 ? 1 : 0;
}

/** The place of an id in the filter of ids. */
function bitOfId(id: TransactionId): number {
  const hash = typeof id === "string" ? murmur2(ENCODER.encode(id)) : id;
  return hash & (ID_BITS - 1);
}

const ENCODER = new TextEncoder();

/** The sums of a row, with what is known of its frauds. */
function knownSums(row: Float64Array, known: Known): KnownSums {
  return {
    payments: row[SUM.payments],
    scored: row[SUM.scored],
    alerts: row[SUM.alerts],
    cents: row[SUM.cents],
    frauds: known.frauds,
    fraudCents: known.fraudCents,
    stoppedCents: row[SUM.confirmedCents] + known.stoppedCents,
  };
}

function snoozedMs({ snoozedUntil }: CaseStanding): number | null {
  return snoozedUntil === undefined ? null : Date.parse(snoozedUntil);
}

function placeOf({ topic, partition }: IndexPosition): string {
  return `${topic}/${partition}`;
}

function positionOf(row: Record<string, unknown>): IndexPosition {
  const { topic, partition, topicId, next, markOffset, markCheck } = row;
  return {
    topic: String(topic),
    partition: Number(partition),
    topicId: topicId === null ? undefined : String(topicId),
    next: Number(next),
    mark: markOffset === null
      ? undefined
      : { offset: Number(markOffset), check: Number(markCheck) },
  };
}

/** Opens a file, or a new one in its place where it cannot be used. */
function openUsable(
  file: IndexFile,
  schema: string,
  stream: string,
  replaced: (reason: string) => void,
): Sqlite {
  let found: Sqlite | undefined;
  try {
    found = file.open(schema);
    const problem = problemOf(found, stream);
    if (problem === undefined) return found;
    replaced(problem);
  } catch (error) {
    replaced(error instanceof Error ? error.message : String(error));
  }
  found?.close();
  file.remove();
  return file.open(schema);
}

/** Why a file cannot be used, if so: its pages are damaged, its sums are not those of its rows, or it is another stream's. */
function problemOf(sqlite: Sqlite, stream: string): string | undefined {
  const checked = sqlite.prepare("PRAGMA quick_check(1)").get();
  if (checked?.quick_check !== "ok") {
    return `it is damaged (${checked?.quick_check})`;
  }
  const found = sqlite.prepare("SELECT stream FROM stream").get();
  if (found && found.stream !== stream) return "it is another stream's";
  const counted = sqlite.prepare(
    "SELECT (SELECT coalesce(sum(alerts), 0) FROM day) AS summed, " +
      "(SELECT count(*) FROM alert) AS counted",
  ).get();
  return counted?.summed === counted?.counted
    ? undefined
    : "its sums are not those of its rows";
}

type Statements = ReturnType<typeof prepare>;

const DAY_NAMES = SUM_COLUMNS.join(", ");
const RULE_NAMES = RULE_SUM_COLUMNS.join(", ");

/** Adds to the columns of an existing row. */
function added(columns: readonly string[]): string {
  return columns.map((name) => `${name} = ${name} + excluded.${name}`)
    .join(", ");
}

function prepare(sqlite: Sqlite) {
  const sql = (text: string) => sqlite.prepare(text);
  const marks = (count: number) => Array(count).fill("?").join(", ");
  return {
    begin: sql("INSERT OR IGNORE INTO stream VALUES (0, ?, 0)"),
    stream: sql("SELECT time FROM stream"),
    setTime: sql("UPDATE stream SET time = ?"),
    days: sql(`SELECT day, ${DAY_NAMES} FROM day`),
    positions: sql("SELECT * FROM position"),
    ids: sql("SELECT id FROM alert UNION ALL SELECT id FROM fired"),
    outcomes: sql("SELECT * FROM outcome"),
    outcomeDays: sql(`SELECT outcome, day, ${RULE_NAMES} FROM outcome_day`),
    findFired: sql("SELECT * FROM fired WHERE id = ?"),
    removeFired: sql("DELETE FROM fired WHERE id = ?"),
    hasFraudId: sql("SELECT 1 FROM fraud_id WHERE id = ?"),
    anyEvent: sql("SELECT 1 FROM event LIMIT 1"),
    move: sql("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?, ?)"),
    prune: sql("DELETE FROM fraud WHERE time < ?"),
    forgetStored: sql(
      "UPDATE event SET stored = 0 WHERE kind IN ('verdict', 'undo')",
    ),
    markStored: sql("UPDATE event SET stored = 1 WHERE event_id = ?"),
    model: sql("SELECT id FROM model WHERE version = ?"),
    find: sql("SELECT seq, time, cents, label, fraud FROM alert WHERE id = ?"),
    newestLabel: sql(
      "SELECT known_at, known_time, fraud FROM label WHERE id = ? " +
        "ORDER BY known_at DESC, known_time DESC LIMIT 1",
    ),
    frauds: sql(
      "SELECT count(*) AS n, coalesce(sum(cents), 0) AS cents FROM fraud " +
        "WHERE time BETWEEN ? AND ?",
    ),
    hits: sql(
      "SELECT coalesce(sum(cents), 0) AS cents FROM alert " +
        "WHERE label IS NULL AND fraud = 1 AND time BETWEEN ? AND ?",
    ),
    remove: [
      sql("DELETE FROM alert WHERE seq = ?"),
      sql("DELETE FROM detail WHERE seq = ?"),
    ],
    put: {
      day: sql(
        `INSERT INTO day (day, ${DAY_NAMES}) VALUES (${marks(SUMS + 1)}) ` +
          `ON CONFLICT (day) DO UPDATE SET ${added(SUM_COLUMNS)}`,
      ),
      outcome: sql(
        "INSERT INTO outcome (version, decision, alert, rules, shadowRules, " +
          `reasons) VALUES (${marks(6)}) RETURNING id`,
      ),
      outcomeRule: sql("INSERT OR IGNORE INTO outcome_rule VALUES (?, ?)"),
      outcomeDay: sql(
        `INSERT INTO outcome_day (outcome, day, ${RULE_NAMES}) VALUES ` +
          `(${marks(RULE_SUMS + 2)}) ON CONFLICT (outcome, day) DO UPDATE ` +
          `SET ${added(RULE_SUM_COLUMNS)}`,
      ),
      fired: sql(`INSERT OR REPLACE INTO fired VALUES (${marks(6)})`),
      result: sql("UPDATE fired SET label = ?, fraud = ? WHERE id = ?"),
      fraudId: sql("INSERT OR IGNORE INTO fraud_id VALUES (?)"),
      fraud: sql("INSERT INTO fraud VALUES (?, ?)"),
      model: sql("INSERT OR IGNORE INTO model (version) VALUES (?)"),
      alert: sql(
        "INSERT OR REPLACE INTO alert (seq, id, time, datetime, customer, " +
          "terminal, cents, score, risk, model, label, assignee, snoozed, " +
          `fraud, outcome) VALUES (${marks(15)}) RETURNING seq`,
      ),
      detail: sql(
        "INSERT OR REPLACE INTO detail (seq, contributions) VALUES (?, ?)",
      ),
      event: sql(`INSERT OR IGNORE INTO event VALUES (${marks(11)})`),
      standing: sql(
        "UPDATE alert SET label = ?, assignee = ?, snoozed = ? WHERE seq = ?",
      ),
      payment: sql(
        "UPDATE alert SET fraud = ?, scenario = ?, joined = 1 WHERE seq = ?",
      ),
      label: sql("INSERT OR REPLACE INTO label VALUES (?, ?, ?, ?)"),
      fraudOf: sql("UPDATE alert SET fraud = ? WHERE seq = ?"),
      features: sql("UPDATE detail SET features = ? WHERE seq = ?"),
    },
  };
}
