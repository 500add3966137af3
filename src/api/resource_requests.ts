/** Payments, cards and terminals as the store has them, as JSON with the names of the topics' records. */
import { CUSTOMER_GROUP, TRANSACTION_TOPIC } from "../stream/topics.ts";
import { featureNames } from "../features/parameters.ts";
import type { Log } from "../log/log.ts";
import type { TransactionId } from "../payment/payment.ts";
import type { IdKind, PaymentShape } from "../payment/payment_shape.ts";
import type { PredictionRows } from "../payment/prediction.ts";
import { ID_BYTES_MAX, keepsRule } from "../payment/text_rule.ts";
import type { StoredLabel } from "../store/labels.ts";
import type { StoredCase, StoredPayment } from "../store/look_up.ts";
import type { Store } from "../store/store.ts";
import { readCommit } from "../stream/commit.ts";
import type { StreamParameters } from "../stream/control.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import { answerOf } from "./answer.ts";
import { Problem } from "./problem.ts";

/** Payments of a card or a terminal in an answer. */
const PAYMENTS_MAX = 50;
/** Labels of a payment in an answer; the last ones count. */
const LABELS_MAX = 50;

/** Answers about what is stored. */
export class ResourceRequests {
  readonly #log: Log;
  readonly #store: Store;
  readonly #shape: PaymentShape;
  readonly #names: readonly string[];

  /** Answers from the store of a stream with these parameters. */
  constructor({ log, store, parameters }: {
    readonly log: Log;
    readonly store: Store;
    readonly parameters: StreamParameters;
  }) {
    this.#log = log;
    this.#store = store;
    this.#shape = shapeOfStream(parameters);
    this.#names = featureNames(parameters.features);
  }

  /** A payment with its features, its labels and its prediction. Throws Problem. */
  async payment(text: string): Promise<string> {
    const id = idIn(text, this.#shape.transactionId);
    const lookUp = this.#store.lookUp();
    const found = id === undefined ? undefined : await lookUp.payment(id);
    if (id === undefined || !found) throw notFound("payment");
    const prediction = await lookUp.prediction(id);
    const labels = this.#shape.hasLabels
      ? await this.#store.labels().ofPayment(id)
      : [];
    const json = JSON.stringify({
      ...this.#fields(found.payment),
      ...this.#kept(found),
      FEATURES: this.#features(found),
      LABEL: labelOf(labels.at(-1)),
      LABELS: labels.slice(-LABELS_MAX).map(labelOf),
    });
    const answer = prediction ? this.#answer(prediction) : "null";
    return `${json.slice(0, -1)},"PREDICTION":${answer}}`;
  }

  /** A card: the features of its newest payment and its latest payments. Throws Problem. */
  async customer(text: string): Promise<string> {
    const id = idIn(text, this.#shape.customerId);
    const lookUp = this.#store.lookUp();
    const payments = id === undefined
      ? []
      : await lookUp.ofCustomer(id, await this.#newest());
    if (payments.length === 0) throw notFound("customer");
    return await this.#history({ CUSTOMER_ID: id }, payments);
  }

  /** A terminal, likewise. Throws Problem. */
  async terminal(text: string): Promise<string> {
    const id = idIn(text, this.#shape.terminalId);
    const lookUp = this.#store.lookUp();
    const payments = id === undefined
      ? []
      : await lookUp.ofTerminal(id, await this.#newest());
    if (payments.length === 0) throw notFound("terminal");
    return await this.#history({ TERMINAL_ID: id }, payments);
  }

  async #history(
    about: Readonly<Record<string, unknown>>,
    payments: readonly StoredPayment[],
  ): Promise<string> {
    const { transactionId } = payments[0];
    const newest = await this.#store.lookUp().payment(transactionId);
    const labels = await this.#labels(payments);
    return JSON.stringify({
      ...about,
      FEATURES: newest ? this.#features(newest) : null,
      PAYMENTS: payments.map((payment) => ({
        ...this.#fields(payment),
        LABEL: labelOf(labels.get(payment.transactionId)),
      })),
    });
  }

  /** The newest payments: up to the newest that the first stage has taken, since a look-up passes every period before it. */
  async #newest() {
    const commits = await this.#log.committed(
      CUSTOMER_GROUP,
      TRANSACTION_TOPIC,
    );
    const progress = commits.map((commit) => readCommit(commit)?.progress ?? 0);
    const toSeconds = Math.max(0, ...progress);
    return { fromSeconds: 0, toSeconds, limit: PAYMENTS_MAX };
  }

  async #labels(
    payments: readonly StoredPayment[],
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>> {
    if (!this.#shape.hasLabels) return new Map();
    // Each alone: of a range the store would read all that lies between.
    const store = this.#store.labels();
    const found = await Promise.all(
      payments.map(({ transactionId }) => store.newest([transactionId])),
    );
    return new Map(found.flatMap((labels) => [...labels]));
  }

  /** What /v1/score answers about a payment. */
  #answer(rows: PredictionRows): string {
    const [[partition], [offset]] = [rows.partitions, rows.offsets];
    return answerOf(rows, 0, { partition, offset }, this.#shape).json;
  }

  #fields(payment: StoredPayment): Readonly<Record<string, unknown>> {
    const { hasScenario } = this.#shape;
    return {
      TRANSACTION_ID: payment.transactionId,
      TX_DATETIME: payment.datetime,
      CUSTOMER_ID: payment.customerId,
      TERMINAL_ID: payment.terminalId,
      TX_AMOUNT: payment.amount,
      TX_TIME_SECONDS: payment.timeSeconds,
      TX_FRAUD: payment.fraud < 0 ? null : payment.fraud,
      ...hasScenario && { TX_FRAUD_SCENARIO: payment.scenario },
    };
  }

  #kept({ kept }: StoredCase): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      this.#shape.kept.map(({ name }, i) => [name, kept[i]]),
    );
  }

  /** Features by name; null where a value is missing. */
  #features({ features }: StoredCase): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.#names.map((name, i) => [name, features[i]]),
    );
  }
}

/** The id that a part of a path names; undefined for what is no id, so that there is nothing with it. */
function idIn(text: string, kind: IdKind): number | string | undefined {
  if (kind === "text") {
    return keepsRule(text, ID_BYTES_MAX, "id") ? text : undefined;
  }
  const value = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function notFound(what: string): Problem {
  return new Problem(
    "not-found",
    `no ${what} with this id is stored; a payment is some seconds after it ` +
      "was sent",
  );
}

function labelOf(label: StoredLabel | undefined) {
  if (!label) return null;
  return { KNOWN_AT: label.knownAt, TX_FRAUD: label.fraud ?? null };
}
