/**
 * A stand-in for the scorer: gives each payment of the sink topic a score that
 * follows from its amount and its terminal's risk, so that the page has alerts
 * without a model having been trained.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Log, READ_LIMIT } from "../../src/log/log.ts";
import { RecordBatchBuilder, recordValue } from "../../src/log/record_batch.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";

/** Scores until the signal, or until the sink topic has nothing more. */
export async function scoreStandIn(
  log: Log,
  until: AbortSignal | "end",
): Promise<number> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const producer = await log.producer("stand-in-scorer");
  const offsets = (await log.endOffsets(SINK_TOPIC) ?? []).map(() => 0);
  let scored = 0;
  for (;;) {
    let moved = false;
    for (const [partition, offset] of offsets.entries()) {
      const batch = await log.read(SINK_TOPIC, partition, offset, READ_LIMIT);
      if (batch.count === 0) continue;
      moved = true;
      const records = new RecordBatchBuilder();
      for (let i = 0; i < batch.count; i++) {
        const row = JSON.parse(decoder.decode(recordValue(batch, i)));
        const value = JSON.stringify(predictionOf(row));
        const key = encoder.encode(String(row.TRANSACTION_ID));
        records.add(key, encoder.encode(value), batch.timestamps[i]);
      }
      await producer.append([{ topic: PREDICTION_TOPIC, partition, records }]);
      offsets[partition] = batch.next;
      scored += batch.count;
    }
    if (moved) continue;
    if (until === "end" || until.aborted) return scored;
    await delay(50, undefined, { signal: until }).catch(() => {});
  }
}

function predictionOf(row: Record<string, number>): Record<string, unknown> {
  const risk = row.TERMINAL_ID_RISK_30DAY_WINDOW;
  const ratio = row.TX_AMOUNT / row.CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW;
  const contributions = {
    TERMINAL_ID_RISK_30DAY_WINDOW: 6 * risk,
    TX_AMOUNT: (row.TX_AMOUNT - 120) / 60,
    CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW: Math.min(3, ratio) - 1.6,
  };
  const sum = Object.values(contributions).reduce((a, b) => a + b, -2);
  const score = 1 / (1 + Math.exp(-sum));
  return {
    TRANSACTION_ID: row.TRANSACTION_ID,
    TX_DATETIME: row.TX_DATETIME,
    CUSTOMER_ID: row.CUSTOMER_ID,
    TERMINAL_ID: row.TERMINAL_ID,
    TX_AMOUNT: row.TX_AMOUNT,
    TX_TIME_SECONDS: row.TX_TIME_SECONDS,
    SCORE: score,
    ALERT: score >= 0.9 ? 1 : 0,
    MODEL_VERSION: "5ca1ab1e0000",
    CONTRIBUTIONS: contributions,
  };
}
