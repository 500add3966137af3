/**
 * A stream with an API in this thread: the desk and the reader of outcomes, the
 * stages behind them, each started and stopped alone, on a log and a store in a
 * folder.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { rest } from "../../src/base/clock.ts";
import { syncedApi, type SyncedMethods } from "../../src/api/synced_api.ts";
import type { LogSync } from "../../src/log/log.ts";
import { AnswerDesk } from "../../src/api/answer_desk.ts";
import { DeskApi } from "../../src/api/desk_api.ts";
import {
  type AnswerLimits,
  KnownAnswers,
} from "../../src/api/known_answers.ts";
import { OutcomeReader } from "../../src/api/outcome_reader.ts";
import { Problem, type ProblemKind } from "../../src/api/problem.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { DEFAULT_POLICY } from "../../src/scoring/alert_policy.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { runTogether } from "../../src/roles/together.ts";
import { runWriter } from "../../src/roles/writer.ts";
import {
  PREDICTION_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import { linearModel, writeModel } from "../roles/models.ts";
import {
  type OpenFolder,
  openFolder,
  parametersOf,
} from "../roles/pipeline.ts";

const START_SECONDS = Date.UTC(2026, 0, 1) / 1000;
/** The time of day of the tests, seconds since 1970. */
export const NOW_SECONDS: number = START_SECONDS + 40 * DAY_SECONDS;
const LOOK_MS = 5;
const PATIENCE_MS = 20_000;

/** The stages that can run. */
export type StageName = "processor" | "scorer" | "writer";

/** A payment in a request. */
export type PaymentFields = Readonly<Record<string, unknown>>;

/** What is not as usual. */
export interface DeskStreamOptions {
  /** Partitions of each topic, 2 otherwise. */
  readonly partitions?: number;
  /** How long a request waits, milliseconds. */
  readonly deadlineMs?: number;
  /** Requests that may wait. */
  readonly pendingMax?: number;
  /** How far ahead a payment may be, seconds. */
  readonly aheadSeconds?: number;
  /** How many answers are in memory. */
  readonly limits?: AnswerLimits;
}

interface Running {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** A stream with a desk and stages. */
export class DeskStream {
  /** The log, the store and the context. */
  readonly opened: OpenFolder;
  readonly #options: DeskStreamOptions;
  readonly #modelPath: string;
  readonly #stages = new Map<StageName, Running>();
  #desk:
    | Running & {
      readonly api: DeskApi;
      readonly synced: SyncedMethods;
      readonly desk: AnswerDesk;
      readonly known: KnownAnswers;
    }
    | undefined;

  private constructor(
    opened: OpenFolder,
    modelPath: string,
    options: DeskStreamOptions,
  ) {
    this.opened = opened;
    this.#modelPath = modelPath;
    this.#options = options;
  }

  /** Opens a stream in a folder; nothing runs yet. */
  static async open(
    folder: string,
    options: DeskStreamOptions = {},
  ): Promise<DeskStream> {
    const parameters: StreamParameters = {
      ...parametersOf(options.partitions ?? 2),
      features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
      startSeconds: START_SECONDS,
    };
    const modelPath = join(folder, "model.json");
    writeModel(modelPath, linearModel());
    const opened = await openFolder(folder, parameters);
    await opened.context.control.declareScored();
    return new DeskStream(opened, modelPath, options);
  }

  /** The requests. */
  get api(): DeskApi {
    assert.ok(this.#desk);
    return this.#desk.api;
  }

  /** Its desk. */
  get desk(): AnswerDesk {
    assert.ok(this.#desk);
    return this.#desk.desk;
  }

  /** Starts the desk and its reader, and waits until it has read what is in the log. */
  async startDesk(): Promise<void> {
    const { store, context } = this.opened;
    const { deadlineMs = PATIENCE_MS, pendingMax = 1000, aheadSeconds = 3600 } =
      this.#options;
    const stop = new AbortController();
    const own = { ...context, signal: stop.signal };
    const known = new KnownAnswers(this.#options.limits);
    const predictions = store.predictions();
    const desk = new AnswerDesk({
      context: own,
      startSeconds: START_SECONDS,
      predictions,
      deadlineMs,
      pendingMax,
      aheadSeconds,
      timeOfDay: () => NOW_SECONDS,
    }, known);
    const reader = new OutcomeReader({
      context: own,
      predictions,
      known,
      desk,
    });
    const producer = await context.log.appender(stop.signal);
    const api = new DeskApi({
      context: own,
      startSeconds: START_SECONDS,
      store,
      desk,
      known,
      producer,
      deadlineMs,
      hmacKey: undefined,
    });
    const done = runTogether(own, [
      async ({ signal }) => await desk.run(producer, signal),
      async ({ signal }) => await reader.run(signal),
    ]);
    const { log } = context;
    const sync: LogSync = {
      syncs: { count: 0, milliseconds: 0 },
      sync: () => log.sync(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const synced = syncedApi(api, sync, deadlineMs);
    this.#desk = { stop, done, api, synced, desk, known };
    await until(() => Promise.resolve(reader.isCaughtUp));
    api.open();
  }

  /** Stops the desk. */
  async stopDesk(): Promise<void> {
    this.#desk?.stop.abort();
    await this.#desk?.done;
    this.#desk = undefined;
  }

  /** Starts stages, all that are not named otherwise. */
  async start(
    names: readonly StageName[] = ["processor", "scorer", "writer"],
  ): Promise<void> {
    for (const name of names) {
      if (this.#stages.has(name)) continue;
      const stop = new AbortController();
      const control = new Control(this.opened.log);
      await control.refresh();
      const context = {
        ...this.opened.context,
        control,
        signal: stop.signal,
        storesSynced: true,
      };
      this.#stages.set(name, { stop, done: this.#run(name, context) });
    }
  }

  /** Stops stages after their current steps. */
  async stop(
    names: readonly StageName[] = ["processor", "scorer", "writer"],
  ): Promise<void> {
    for (const name of names) {
      const running = this.#stages.get(name);
      running?.stop.abort();
      await running?.done;
      this.#stages.delete(name);
    }
  }

  /** The answer to a payment. */
  async score(
    payment: PaymentFields,
    wantsFeatures = false,
  ): Promise<string> {
    assert.ok(this.#desk);
    const { json } = await this.#desk.synced.score(
      JSON.stringify(payment),
      wantsFeatures,
    );
    return json;
  }

  /** Frees the answers that are stored, after all are. */
  async forget(): Promise<void> {
    const ends = await this.opened.log.endOffsets(PREDICTION_TOPIC) ?? [];
    await until(async () => {
      const below = await this.storedBelow();
      return ends.every((end, partition) => (below.get(partition) ?? 0) >= end);
    });
    this.#desk?.known.forget(await this.storedBelow());
  }

  /** Offsets below which predictions are stored. */
  async storedBelow(): Promise<Map<number, number>> {
    const positions = await this.opened.store.predictions().positions();
    return new Map(
      positions.filter(({ topic }) => topic === PREDICTION_TOPIC)
        .map(({ partition, next }) => [partition, next]),
    );
  }

  /** Frees what is stored by now. */
  async forgetSome(): Promise<void> {
    this.#desk?.known.forget(await this.storedBelow());
  }

  /** How many answers are in memory. */
  get kept(): number {
    return this.#desk?.known.size ?? 0;
  }

  /** The payments of the log. */
  async payments(): Promise<Record<string, unknown>[]> {
    return await this.#values(TRANSACTION_TOPIC);
  }

  /** The predictions of the log. */
  async predictions(): Promise<Record<string, unknown>[]> {
    return await this.#values(PREDICTION_TOPIC);
  }

  /** Asserts that an answer says what the record says that it names. */
  async assertRecorded(json: string): Promise<void> {
    const answer = JSON.parse(json);
    const { PARTITION, OFFSET } = answer.RECORD;
    const topic = await topicRecords(this.opened.log, PREDICTION_TOPIC);
    const record = JSON.parse(topic[PARTITION][OFFSET].value);
    for (
      const name of ["TRANSACTION_ID", "SCORE", "ALERT", "MODEL_VERSION"]
    ) {
      assert.ok(record[name] !== undefined, name);
      assert.deepEqual(answer[name], record[name], name);
    }
  }

  async #values(topic: string): Promise<Record<string, unknown>[]> {
    const records = await topicRecords(this.opened.log, topic);
    return records.flat().map(({ value }) => JSON.parse(value));
  }

  async #run(
    name: StageName,
    context: OpenFolder["context"],
  ): Promise<void> {
    const startSeconds = START_SECONDS;
    const { store } = this.opened;
    if (name === "processor") return await runProcessor(context, startSeconds);
    if (name === "scorer") {
      const scoring = {
        model: { kind: "file", path: this.#modelPath },
        policy: DEFAULT_POLICY,
        explain: "alerts",
      } as const;
      return await runScorer(context, { scoring, startSeconds });
    }
    await runTogether(context, [
      (context) => runWriter(context, { store, startSeconds }),
      (context) =>
        runPredictionWriter(context, {
          store: store.predictions(),
          startSeconds,
          stored: new AbortController().signal,
        }),
    ]);
  }

  /** Stops all and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDesk();
    await this.stop();
    await this.opened[Symbol.asyncDispose]();
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    assert.ok(performance.now() < deadline, "the condition was not met");
    await rest(LOOK_MS, new AbortController().signal);
  }
}

/** A payment of a card at a second of the tests' time. */
export function payment(
  id: number,
  { at = 0, ...more }: Record<string, number> = {},
): PaymentFields {
  return {
    TRANSACTION_ID: id,
    TX_DATETIME: formatDatetime(NOW_SECONDS + at),
    CUSTOMER_ID: 1,
    TERMINAL_ID: 2,
    TX_AMOUNT: 42.5,
    ...more,
  };
}

/** Asserts that a request ends with a kind of problem, and returns it. */
export async function problemOf(
  request: Promise<unknown>,
  kind: ProblemKind,
): Promise<Problem> {
  const outcome = await request.catch((error) => error);
  assert.ok(outcome instanceof Problem, String(outcome));
  assert.equal(outcome.kind, kind, outcome.message);
  return outcome;
}
