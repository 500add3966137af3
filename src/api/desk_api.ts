/** What the HTTP application asks of a stream, answered by the desk, the log and the store. */
import { featureNames } from "../features/parameters.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";
import type { LogProducer } from "../log/log.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { Store } from "../store/store.ts";
import type { Refusal } from "../stream/checks.ts";
import { MappedRecords } from "../stream/mapped_records.ts";
import {
  definitionOfStream,
  shapeOfStream,
} from "../stream/stream_definition.ts";
import { featuresOf, type StreamContext } from "../stream/stream_context.ts";
import { withFeatures } from "./answer.ts";
import {
  type AnswerDesk,
  type Decided,
  type Incoming,
  rejected,
} from "./answer_desk.ts";
import { FeatureReader } from "./feature_reader.ts";
import type { KnownAnswers } from "./known_answers.ts";
import { PaymentBody } from "./payment_body.ts";
import { Problem } from "./problem.ts";
import { LabelRequests } from "./label_requests.ts";
import { ResourceRequests } from "./resource_requests.ts";
import { RuleRequests } from "./rule_requests.ts";
import {
  type ApiMetric,
  type BodyFormat,
  counter,
  type ScoreAnswer,
  type StreamApi,
  type VersionedAnswer,
} from "./stream_api.ts";

/** Payments of one append. */
const APPEND_ROWS = 4096;

/** What it is made from. */
export interface DeskApiOptions {
  /** The stream. */
  readonly context: StreamContext;
  /** Midnight of the stream's first day, seconds since 1970. */
  readonly startSeconds: number;
  /** The stream's store. */
  readonly store: Store;
  /** Decides about payments. */
  readonly desk: AnswerDesk;
  /** The desk's newest answers. */
  readonly known: KnownAnswers;
  /** Appends payments that nobody waits for. */
  readonly producer: LogProducer;
  /** How long a request waits for a decision, milliseconds. */
  readonly deadlineMs: number;
  /** The key of pseudonyms, where the definition has any. */
  readonly hmacKey: Uint8Array | undefined;
}

/** A stream, as the HTTP application sees it. */
export class DeskApi implements StreamApi {
  readonly shape: PaymentShape;
  readonly definition: StreamDefinition;
  readonly featureNames: readonly string[];
  readonly #options: DeskApiOptions;
  readonly #body: PaymentBody;
  readonly #features: FeatureReader;
  readonly #labels: LabelRequests;
  readonly #rules: RuleRequests;
  readonly #resources: ResourceRequests;
  #state: "starting" | "open" | "ready" | "stopping" = "starting";

  /** Answers for a stream; not ready until open(). Throws ConfigError where its definition needs a key that is missing. */
  constructor(options: DeskApiOptions) {
    const { context, store, hmacKey } = options;
    const { log, control, parameters } = context;
    this.#options = options;
    this.shape = shapeOfStream(context.parameters);
    this.definition = definitionOfStream(context.parameters);
    this.featureNames = featureNames(featuresOf(context));
    this.#body = new PaymentBody(this.definition, hmacKey);
    this.#features = new FeatureReader(context, store.lookUp());
    this.#labels = new LabelRequests(context);
    this.#rules = new RuleRequests({ control, parameters });
    this.#resources = new ResourceRequests({ log, store, parameters });
  }

  /** Takes requests from now on: what becomes of payments is being read. */
  open(): void {
    if (this.#state === "starting") this.#state = "open";
  }

  /** Says that requests are answered soon: the stages have caught up. */
  ready(): void {
    if (this.#state === "open") this.#state = "ready";
  }

  /** Takes no more requests; those that wait are still answered. */
  close(): void {
    this.#state = "stopping";
  }

  notReady(): Promise<string | undefined> {
    return Promise.resolve(NOT_READY[this.#state]);
  }

  async score(body: string, wantsFeatures: boolean): Promise<ScoreAnswer> {
    this.#requireOpen();
    const began = performance.now();
    const incoming = this.#read(body);
    const { desk, deadlineMs } = this.#options;
    const decided = await desk.ask(incoming, wantsFeatures);
    const { answer: { json }, waitedMs, decidedMs } = decided;
    if (!wantsFeatures) return { json, waitedMs, decidedMs };
    const id = incoming.payment.transactionId;
    const values = await this.#featuresOf(id, decided, began + deadlineMs);
    const whole = withFeatures(json, this.#features.names, values);
    return { json: whole, waitedMs, decidedMs };
  }

  async addPayments(body: string, format: "json" | "ndjson"): Promise<string> {
    this.#requireOpen();
    const { context, desk, producer, startSeconds } = this.#options;
    const refused: {
      readonly LINE: number;
      readonly REASON: string;
      readonly MESSAGE: string;
    }[] = [];
    const records = new MappedRecords(context.parameters);
    let [accepted, waiting] = [0, 0];
    const append = async () => {
      await producer.append(records.appends());
      accepted += waiting;
      waiting = 0;
      records.clear();
    };
    for (const [index, line] of linesOf(body, format).entries()) {
      if (line.trim() === "" && format === "ndjson") continue;
      const incoming = this.#body.read(line) ?? NOT_AN_OBJECT;
      const refusal = "reason" in incoming
        ? incoming
        : desk.untimely(incoming.payment);
      if (refusal && format === "json") throw problemOf(refusal);
      if (refusal) {
        const { reason, message } = refusal;
        refused.push({ LINE: index + 1, REASON: reason, MESSAGE: message });
        continue;
      }
      const { payment, rest } = incoming as Incoming;
      records.add(payment, startSeconds, rest);
      if (++waiting === APPEND_ROWS) await append();
    }
    if (waiting > 0) await append();
    await context.log.sync();
    return JSON.stringify({ ACCEPTED: accepted, REJECTED: refused });
  }

  async addLabels(body: string, format: BodyFormat): Promise<string> {
    this.#requireOpen();
    return await this.#labels.add(body, format);
  }

  async payment(id: string): Promise<string> {
    return await this.#resources.payment(id);
  }

  async customer(id: string): Promise<string> {
    return await this.#resources.customer(id);
  }

  async terminal(id: string): Promise<string> {
    return await this.#resources.terminal(id);
  }

  async rules(): Promise<VersionedAnswer> {
    return await this.#rules.rules();
  }

  async replaceRules(
    yaml: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    return await this.#rules.replaceRules(yaml, version, who);
  }

  async lists(): Promise<string> {
    return await this.#rules.lists();
  }

  async list(name: string): Promise<VersionedAnswer> {
    return await this.#rules.list(name);
  }

  async replaceList(
    name: string,
    csv: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    return await this.#rules.replaceList(name, csv, version, who);
  }

  metrics(): Promise<readonly ApiMetric[]> {
    const { desk, known } = this.#options;
    const { counters } = desk;
    return Promise.resolve([
      counter("decided_total", counters.decided, "Payments decided about"),
      counter(
        "repeated_total",
        counters.repeated,
        "Requests that were answered as before",
      ),
      counter("rejected_total", counters.rejected, "Payments rejected"),
      counter(
        "unknown_total",
        counters.late,
        "Requests without a decision at their deadline",
      ),
      counter(
        "turned_away_total",
        counters.turnedAway,
        "Requests turned away because too many waited",
      ),
      counter(
        "appends_total",
        counters.groups,
        "Appends of payments to the log",
      ),
      {
        name: "pending",
        kind: "gauge",
        help: "Requests that wait for a decision",
        value: desk.pending,
      },
      {
        name: "kept_answers",
        kind: "gauge",
        help: "Answers in memory",
        value: known.size,
      },
    ]);
  }

  #requireOpen(): void {
    if (this.#state === "open" || this.#state === "ready") return;
    const detail = `${NOT_READY[this.#state]}; ask again in a second`;
    throw new Problem("unavailable", detail, { retryAfter: 1 });
  }

  /** The payment in a body. Throws Problem. */
  #read(body: string): Incoming {
    const incoming = this.#body.read(body) ?? NOT_AN_OBJECT;
    if ("reason" in incoming) throw problemOf(incoming);
    return incoming;
  }

  /** The features of a payment that was decided about. Throws Problem if they are not there in time. */
  async #featuresOf(
    id: number | string,
    { answer: { partition }, sinkFrom }: Decided,
    deadline: number,
  ): Promise<readonly number[]> {
    const from = sinkFrom?.[partition];
    const values = from === undefined
      ? undefined
      : await this.#features.fromLog(id, partition, from);
    const found = values ?? await this.#features.fromStore(id, deadline);
    if (found) return found;
    throw new Problem(
      "unknown",
      "the payment was decided about, but the store does not have its " +
        "features yet; ask again",
      { retryAfter: 1 },
    );
  }
}

const NOT_READY = {
  starting: "the program is starting",
  open:
    "the stages are not there yet, or still take what was in the log before",
  ready: undefined,
  stopping: "the program is stopping",
} as const;

const NOT_AN_OBJECT = {
  reason: "not JSON",
  message: "the body is not a JSON object",
} as const satisfies Refusal;

/** The problem of a body that is no payment. */
function problemOf(refusal: Refusal): Problem {
  return refusal === NOT_AN_OBJECT
    ? new Problem("bad-request", refusal.message)
    : rejected(refusal);
}

function linesOf(body: string, format: "json" | "ndjson"): readonly string[] {
  return format === "json" ? [body] : body.split("\n");
}
