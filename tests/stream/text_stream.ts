/**
 * A stream with text ids and kept fields whose payments are those of a stream of
 * numbers under other names: each number has one text.
 */
import { readDefinition } from "../../src/definition/read_definition.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import {
  type RecordedDefinition,
  recordedDefinition,
} from "../../src/stream/stream_definition.ts";

/** The definition of such a stream; `more` are further lines. */
function textDefinition(more: string): RecordedDefinition {
  const text = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: merchant
  TX_AMOUNT: amount
  TX_FRAUD: fraud
  TX_FRAUD_SCENARIO: scenario
  keep: { category: text, population: number }
${more}`;
  return recordedDefinition(readDefinition(text, "tests"));
}

/** The definition of the stream. */
export const TEXT_DEFINITION: RecordedDefinition = textDefinition("");

/** The same with labels that arrive later. */
export const TEXT_LABEL_DEFINITION: RecordedDefinition = textDefinition(
  "labels: { from: stream, delay: 7d, grace: 1d }\n",
);

const LONG = "😀".repeat(31);

/** The text of a payment's id. */
export function idText(id: number): string {
  return `${10n ** 18n + BigInt(id)}`;
}

/** The text of a card; some are long, and one needs escapes. */
export function cardText(card: number): string {
  return ["", '"\\', LONG][card % 3] + card;
}

/** The text of a terminal. */
export function terminalText(terminal: number): string {
  return `Müller & ${terminal % 2 ? "Sons" : "Söhne"} ${terminal}`;
}

/** The kept fields of a payment. */
export function keptOf(
  { terminalId }: Payment,
): { category: string | null; population: number | null } {
  return {
    category: terminalId % 4 === 0 ? null : `kind ${terminalId % 4}`,
    population: terminalId % 5 === 0 ? null : terminalId / -8,
  };
}

/** Key and value of a payment's record. */
export function textRecord(payment: Payment): readonly [string, string] {
  const value = {
    TRANSACTION_ID: idText(payment.transactionId),
    TX_DATETIME: formatDatetime(payment.datetimeSeconds),
    CUSTOMER_ID: cardText(payment.customerId),
    TERMINAL_ID: terminalText(payment.terminalId),
    TX_AMOUNT: payment.amount,
    TX_TIME_SECONDS: payment.timeSeconds,
    TX_TIME_DAYS: Math.floor(payment.timeSeconds / DAY_SECONDS),
    TX_FRAUD: payment.fraud,
    TX_FRAUD_SCENARIO: payment.scenario,
    ...keptOf(payment),
    entry: payment.transactionId % 2 ? "chip" : null,
  };
  return [cardText(payment.customerId), JSON.stringify(value)];
}
