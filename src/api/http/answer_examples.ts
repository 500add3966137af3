/** An example of each answer of the API, for a stream. */
import type { StreamApi } from "../stream_api.ts";
import { type ExampleValue, paymentExample } from "./payment_schema.ts";

/** The examples. */
export interface AnswerExamples {
  /** Ids as they stand in paths. */
  readonly ids: {
    /** TRANSACTION_ID. */
    readonly payment: string;
    /** CUSTOMER_ID. */
    readonly customer: string;
    /** TERMINAL_ID. */
    readonly terminal: string;
  };
  /** A payment as it is sent. */
  readonly payment: Readonly<Record<string, ExampleValue>>;
  /** Several. */
  readonly payments: readonly Readonly<Record<string, ExampleValue>>[];
  /** Labels as they are sent. */
  readonly labels: readonly {
    /** TRANSACTION_ID. */
    readonly TRANSACTION_ID: ExampleValue;
    /** The label. */
    readonly TX_FRAUD: 0 | 1;
  }[];
  /** The answer of /v1/score. */
  readonly decision: object;
  /** The answer of /v1/payments. */
  readonly accepted: object;
  /** A stored payment. */
  readonly stored: object;
  /** A card. */
  readonly customer: object;
  /** A terminal. */
  readonly terminal: object;
  /** The rules. */
  readonly rules: { readonly VERSION: string; readonly YAML: string };
  /** Names of the lists. */
  readonly lists: object;
  /** A list. */
  readonly list: {
    readonly NAME: string;
    readonly VERSION: string;
    readonly CSV: string;
  };
}

const VERSION = "3f1c9a0b7d24e586";

/** The examples of a stream; its payments are of this moment. */
export function answerExamples(
  { shape, definition, featureNames }: StreamApi,
): AnswerExamples {
  const id = (kind: string, letter: string, number: number) =>
    kind === "text" ? `${letter}${number}` : number;
  const TRANSACTION_ID = id(shape.transactionId, "T", 1_000_001);
  const CUSTOMER_ID = id(shape.customerId, "C", 4711);
  const TERMINAL_ID = id(shape.terminalId, "T", 805);
  const seconds = Math.floor(Date.now() / 1000);
  const payment = paymentExample(definition, seconds);
  const PAYMENT = {
    TRANSACTION_ID,
    TX_DATETIME: new Date(seconds * 1000).toISOString().slice(0, 19)
      .replace("T", " "),
    CUSTOMER_ID,
    TERMINAL_ID,
    TX_AMOUNT: 42.5,
    TX_TIME_SECONDS: seconds % 86_400,
    TX_FRAUD: 1,
    LABEL: { KNOWN_AT: "2026-11-30 12:00:00", TX_FRAUD: 1 },
  };
  const FEATURES = Object.fromEntries(featureNames.map((name) => [name, 1]));
  const decision = {
    TRANSACTION_ID,
    DECISION: "review",
    SCORE: 0.62,
    ALERT: 1,
    REASONS: ["Large amount"],
    RULES: ["large"],
    SHADOW_RULES: [],
    CONTRIBUTIONS: { TX_AMOUNT: 0.31 },
    SHADOW_SCORES: null,
    MODEL_VERSION: "built-in-1",
    RULES_VERSION: VERSION,
    LISTS_VERSION: null,
    THRESHOLD: 0.5,
    RECORD: { PARTITION: 0, OFFSET: 12 },
  };
  return {
    ids: {
      payment: String(TRANSACTION_ID),
      customer: String(CUSTOMER_ID),
      terminal: String(TERMINAL_ID),
    },
    payment,
    payments: [payment],
    labels: [{ TRANSACTION_ID, TX_FRAUD: 1 }],
    decision: { ...decision, FEATURES },
    accepted: {
      ACCEPTED: 1,
      REJECTED: [{
        LINE: 2,
        REASON: "late",
        MESSAGE: "the payment is older than --lateness allows",
      }],
    },
    stored: {
      ...PAYMENT,
      LABELS: [PAYMENT.LABEL],
      FEATURES,
      PREDICTION: decision,
    },
    customer: { CUSTOMER_ID, FEATURES, PAYMENTS: [PAYMENT] },
    terminal: { TERMINAL_ID, FEATURES, PAYMENTS: [PAYMENT] },
    rules: {
      VERSION,
      YAML: "version: 1\nrules:\n  - id: large\n    when: TX_AMOUNT > 500\n" +
        "    then: review\n    reason: Large amount\n",
    },
    lists: { LISTS: [{ NAME: "blocked_cards", VERSION, ENTRIES: 1 }] },
    list: {
      NAME: "blocked_cards",
      VERSION,
      CSV: `value,expires\n${CUSTOMER_ID},\n`,
    },
  };
}
