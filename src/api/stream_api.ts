/**
 * What the HTTP application asks of the stream. Every method throws Problem
 * where it cannot do what was asked. Answers are JSON texts: the application
 * sends them as they are, and their schemas are in the OpenAPI document.
 */
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";

/** The answer to a payment. */
export interface ScoreAnswer {
  /** The body: a JSON object, the same for every request about this payment. */
  readonly json: string;
  /** Milliseconds from the request to the append, and from there to the answer; 0 where the answer was known. */
  readonly waitedMs: number;
  /** Milliseconds from the append to the answer. */
  readonly decidedMs: number;
}

/** A format in which several payments or labels may come. */
export type BodyFormat = "json" | "ndjson" | "csv";

/** What the API can do with a stream. */
export interface StreamApi {
  /** What a payment is. */
  readonly shape: PaymentShape;
  /** How a body is a payment. */
  readonly definition: StreamDefinition;
  /** Names of the features, in their order. */
  readonly featureNames: readonly string[];
  /** Why it cannot answer yet; undefined if it can. */
  notReady(): Promise<string | undefined>;
  /** Decides about the payment in a JSON text, with its features if they are wanted. */
  score(body: string, withFeatures: boolean): Promise<ScoreAnswer>;
  /** Appends payments without waiting for their decisions: `{"ACCEPTED":2,"REJECTED":[{"LINE":3,"REASON":"late","MESSAGE":"…"}]}`. */
  addPayments(body: string, format: "json" | "ndjson"): Promise<string>;
  /** Appends labels, all or none: `{"ACCEPTED":2}`. */
  addLabels(body: string, format: BodyFormat): Promise<string>;
  /** A payment with its features, labels and prediction. */
  payment(id: string): Promise<string>;
  /** A card: the features of its newest payment, the latest 50 payments, labels. */
  customer(id: string): Promise<string>;
  /** A terminal, likewise. */
  terminal(id: string): Promise<string>;
  /** The rules: `{"VERSION":"…"|null,"YAML":"…"}`. */
  rules(): Promise<VersionedAnswer>;
  /** Replaces the rules of a version (null: there are none yet) by a YAML text. */
  replaceRules(
    yaml: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer>;
  /** Names, versions and numbers of entries of the lists. */
  lists(): Promise<string>;
  /** A list: `{"NAME":"…","VERSION":"…","CSV":"…"}`. */
  list(name: string): Promise<VersionedAnswer>;
  /** Replaces the list of a version (null: there is none yet) by a CSV text. */
  replaceList(
    name: string,
    csv: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer>;
  /** Numbers for /metrics. */
  metrics(): Promise<readonly ApiMetric[]>;
}

/** A resource that has versions, which are its ETag. */
export interface VersionedAnswer {
  /** The body: a JSON object. */
  readonly json: string;
  /** Its version; null where there is nothing yet. */
  readonly version: string | null;
  /** What a replacement has led to: a proposal waits for a second person. */
  readonly status?: "changed" | "unchanged" | "proposed";
}

/** A number for /metrics. */
export interface ApiMetric {
  /** Its name, without the prefix `fraudstream_api_`. */
  readonly name: string;
  /** Whether it only grows. */
  readonly kind: "counter" | "gauge";
  /** What it counts, in a sentence. */
  readonly help: string;
  /** Its value. */
  readonly value: number;
}

/** A number that only grows. */
export function counter(name: string, value: number, help: string): ApiMetric {
  return { name, kind: "counter", help, value };
}
