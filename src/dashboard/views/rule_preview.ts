/**
 * What other rules would decide about the newest payments, against what was
 * decided: the last records of the log, with the features and scores that they
 * had, so that an answer takes the same short time in a stream of any length.
 */
import { rest } from "../../base/clock.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../../payment/payment_cells.ts";
import { idOf, type PaymentShape } from "../../payment/payment_shape.ts";
import { PREDICTION_CELL, PREDICTION_CELLS } from "../../payment/prediction.ts";
import { amountUnits } from "../../payment/validation.ts";
import { Backtest } from "../../scoring/backtest.ts";
import {
  DecisionRules,
  type DecisionSetting,
  ruleRows,
} from "../../scoring/decision_rules.ts";
import type { Decision, Rule } from "../../scoring/rule_file.ts";
import { labelDays } from "../../stream/control.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../stream/topics.ts";
import type { Log } from "../../log/log.ts";
import type { RecordBatch } from "../../log/record_batch.ts";
import type { Page } from "./page_view.ts";
import { type PaymentRows, RecordDecoder } from "./records.ts";

/** Payments of a preview. */
const PREVIEW_MAX = 20_000;
const READ_LIMIT = { records: 1024, bytes: 1 << 20 };

/** What rules would decide about the newest payments. */
export interface RulesPreview {
  /** Payments that were looked at: the newest that have been decided about. */
  readonly payments: number;
  /** TX_DATETIME of the first and the last of them; undefined without any. */
  readonly from?: string;
  /** See from. */
  readonly to?: string;
  /** What was decided. */
  readonly before: SidePreview;
  /** What the rules would decide. */
  readonly after: SidePreview;
  /** Payments that were approved and would not be. */
  readonly alertsGained: number;
  /** Payments that would be approved and were not. */
  readonly alertsLost: number;
  /** Payments that would be declined and were not. */
  readonly declinesGained: number;
  /** Payments that were declined and would not be. */
  readonly declinesLost: number;
  /** On how many each rule fires. */
  readonly rules: readonly { readonly id: string; readonly fired: number }[];
  /** Ids of payments that become alerts, and that no longer are; at most ten each. */
  readonly examples: {
    readonly gained: readonly TransactionId[];
    readonly lost: readonly TransactionId[];
  };
}

/** What one side decides. */
export interface SidePreview {
  /** Payments to be reviewed. */
  readonly reviews: number;
  /** Payments declined. */
  readonly declines: number;
  /** Known frauds among both. */
  readonly caught: number;
}

/** What is recorded of a payment. */
interface Recorded {
  readonly score: number;
  readonly alert: boolean;
  readonly decision: Decision;
}

/** Evaluates rules on the newest payments. */
export async function previewRules(
  page: Page,
  setting: DecisionSetting,
): Promise<RulesPreview> {
  const { log, parameters, reader } = page;
  const { features } = parameters;
  const shape = shapeOfStream(parameters);
  const decoder = new RecordDecoder(features, shape);
  const recorded = new Map<TransactionId, Recorded>();
  for await (const batch of newest(log, PREDICTION_TOPIC)) {
    for (const [id, one] of recordedIn(decoder, batch, shape)) {
      recorded.set(id, one);
    }
  }
  const rows = ruleRows(features, shape);
  const rules = new DecisionRules(setting, rows);
  const backtest = new Backtest<TransactionId>();
  const row = new Float64Array(rows.width);
  const times = { from: Infinity, to: -Infinity };
  for await (const batch of newest(log, SINK_TOPIC)) {
    const found = decoder.payments(batch, reader.startSeconds);
    for (let i = 0; i < found.count; i++) {
      const at = i * found.width;
      const id = idOf(
        shape.transactionId,
        found.cells[at + CELL.id],
        found.texts,
      );
      const one = recorded.get(id);
      if (!one) continue;
      row.set(found.cells.subarray(at, at + found.width));
      row[rows.scoreCell] = one.score;
      const outcome = rules.decide(row, 0, found.texts, one.alert);
      const seconds = row[CELL.datetime];
      times.from = Math.min(times.from, seconds);
      times.to = Math.max(times.to, seconds);
      backtest.add(
        {
          fraud: knownFraud(page, found, at, id),
          scenario: 0,
          units: amountUnits(row[CELL.amount], 10 ** shape.decimals),
          day: Math.floor(seconds / DAY_SECONDS),
          before: one.decision,
        },
        outcome,
        () => id,
      );
    }
  }
  const { total, examples } = backtest;
  const { payments, alertsGained, alertsLost } = total;
  const { declinesGained, declinesLost } = total;
  return {
    ...{ payments, alertsGained, alertsLost, declinesGained, declinesLost },
    ...payments > 0 && {
      from: formatDatetime(times.from),
      to: formatDatetime(times.to),
    },
    before: sideOf(total.before),
    after: sideOf(total.after),
    rules: backtest.rules(setting.rules.rules.filter(isEvaluated))
      .map(({ rule: { id }, fired }) => ({ id, fired })),
    examples,
  };
}

function isEvaluated({ state }: Rule): boolean {
  return state !== "off";
}

function sideOf({ reviews, declines, caught }: SidePreview): SidePreview {
  return { reviews, declines, caught };
}

/** Whether a payment is a fraud, as far as that is known now: by a label that has arrived, or one whose delay has passed. */
function knownFraud(
  { index, parameters }: Page,
  { cells }: PaymentRows,
  at: number,
  id: TransactionId,
): number {
  if (shapeOfStream(parameters).hasLabels) {
    return index.queries.label(id)?.fraud ?? FRAUD_UNKNOWN;
  }
  const delay = labelDays(parameters) * DAY_SECONDS;
  const isKnown = cells[at + CELL.time] <= index.timeSeconds - delay;
  return isKnown ? cells[at + CELL.fraud] : FRAUD_UNKNOWN;
}

function* recordedIn(
  decoder: RecordDecoder,
  batch: RecordBatch,
  shape: PaymentShape,
): Generator<[TransactionId, Recorded]> {
  const { cells, count, decisions, texts } = decoder.predictions(batch);
  for (let row = 0; row < count; row++) {
    const at = row * PREDICTION_CELLS;
    const alert = cells[at + PREDICTION_CELL.alert] === 1;
    const decided = decisions[row]?.decision as Decision | undefined;
    yield [idOf(shape.transactionId, cells[at], texts), {
      alert,
      score: cells[at + PREDICTION_CELL.score],
      decision: decided ?? (alert ? "review" : "approve"),
    }];
  }
}

/** The last records of a topic, partition by partition; other work of the thread has its turn after each batch. */
async function* newest(log: Log, topic: string): AsyncGenerator<RecordBatch> {
  const [state] = await log.topics([topic]);
  if (!state) return;
  const { signal } = new AbortController();
  const each = Math.ceil(PREVIEW_MAX / state.endOffsets.length);
  for (const [partition, end] of state.endOffsets.entries()) {
    let offset = Math.max(state.startOffsets[partition], end - each);
    while (offset < end) {
      const batch = await log.read(topic, partition, offset, READ_LIMIT);
      if (batch.next === offset) break;
      yield batch;
      offset = batch.next;
      await rest(0, signal);
    }
  }
}
