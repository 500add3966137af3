/**
 * The view of a case: a payment, what its score was computed from, and the
 * verdict. A verdict goes to the label topic and to the store's table of
 * verdicts. It changes nothing else.
 */
import {
  featureNames,
  type FeatureParameters,
  longestWindowSeconds,
} from "../../features/parameters.ts";
import type { Log } from "../../log/log.ts";
import { IdPartitioner } from "../../log/partitioner.ts";
import { RecordBatchBuilder } from "../../log/record_batch.ts";
import { LABEL_TOPIC } from "../../stream/topics.ts";
import type { LookUp, StoredCase, StoredPayment } from "../../store/look_up.ts";
import { type Verdict, verdictJson } from "../../payment/label_json.ts";
import { parseDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import caseJs from "../page/case.js" with { type: "text" };
import timelineJs from "../page/timeline.js" with { type: "text" };
import verdictJs from "../page/verdict.js" with { type: "text" };
import type { Alert, LivePayment, LiveState } from "./live_state.ts";
import { placeOf, type PlaceView, radiusOf, reachOf } from "./map.ts";
import {
  BODY,
  NotThereError,
  type PageView,
  storeOf,
  turns,
  wholeOf,
} from "./page_view.ts";

/** Payments of one timeline. */
const TIMELINE_MAX = 500;
/** Characters of a name and of a note. */
const ANALYST_MAX = 100;
const NOTE_MAX = 2000;

/** A case: a payment and all that is known about it. */
export interface Case {
  /** The payment. */
  readonly payment: LivePayment;
  /** Its features with their names; empty before it is stored. */
  readonly features: readonly {
    readonly name: string;
    readonly value: number;
  }[];
  /** What the model said, where the page has read it. */
  readonly alert: Alert | undefined;
  /** All verdicts, newest first. */
  readonly verdicts: readonly Verdict[];
  /** The card's payments in its longest window, newest first. */
  readonly ofCard: readonly StoredPayment[];
  /** The terminal's payments in its longest window and the delay, newest first. */
  readonly ofTerminal: readonly StoredPayment[];
  /** Days of the windows, and until a fraud is known. */
  readonly windows: Pick<FeatureParameters, "windowDays" | "delayDays">;
}

/** The answers of this view, by path. */
export interface CaseAnswers {
  /** The case, and where its card and terminal are. */
  readonly "/api/cases/:id": Case & {
    /** The card's place; undefined before the page has seen it. */
    readonly card: PlaceView | undefined;
    /** The terminal's place; undefined before the page has seen it. */
    readonly terminal: PlaceView | undefined;
    /** Ids of the terminals that the card reaches. */
    readonly reach: readonly number[];
    /** The radius within which it does; undefined where that is not known. */
    readonly radius: number | undefined;
  };
  /** The verdict as it was kept, and all of the payment, newest first. */
  readonly "/api/cases/:id/verdicts": {
    /** The new one. */
    readonly verdict: Verdict;
    /** All. */
    readonly verdicts: readonly Verdict[];
  };
}

/** The view of a case. */
export const cases: PageView = {
  scripts: {
    "case.js": caseJs,
    "timeline.js": timelineJs,
    "verdict.js": verdictJs,
  },
  serve(router, page) {
    const { state, log, control, parameters: { features } } = page;
    const { get, post } = router<CaseAnswers>();
    const inTurn = turns();
    let lastMs = 0;
    get("/api/cases/:id", async (asked) => {
      const id = wholeOf(asked.part("id"), "the case");
      const lookUp = storeOf(page);
      const found = await readCase(id, { state, lookUp, features });
      if (!found) throw new NotThereError(`there is no payment ${id}`);
      const card = state.customers.get(found.payment.customer);
      const radius = radiusOf(control);
      return {
        ...found,
        card: placeOf(state, card),
        terminal: placeOf(state, state.terminals.get(found.payment.terminal)),
        reach: reachOf(state, card, radius),
        radius,
      };
    });
    post("/api/cases/:id/verdicts", async (asked) => {
      const id = wholeOf(asked.part("id"), "the case");
      const decided = checkVerdict(await asked.body());
      const lookUp = storeOf(page);
      return await inTurn(async () => {
        const payment = state.payment(id) ?? state.alerts.get(id) ??
          (await lookUp.payment(id))?.payment;
        if (!payment) throw new NotThereError(`there is no payment ${id}`);
        // The time tells a payment's verdicts apart.
        lastMs = Math.max(Date.now(), lastMs + 1);
        const decidedAt = new Date(lastMs).toISOString();
        const verdict: Verdict = { transactionId: id, decidedAt, ...decided };
        const timestampMs = (parseDatetime(payment.datetime) ?? 0) * 1000;
        await keepVerdict(verdict, { log, lookUp, timestampMs });
        state.addVerdict(verdict);
        return { verdict, verdicts: await lookUp.verdicts(id) };
      });
    });
  },
};

/** Everything about a payment; undefined if nobody knows it. */
export async function readCase(
  transactionId: number,
  { state, lookUp, features }: {
    readonly state: LiveState;
    readonly lookUp: LookUp;
    readonly features: FeatureParameters;
  },
): Promise<Case | undefined> {
  const stored = await lookUp.payment(transactionId);
  const alert = state.alerts.get(transactionId);
  const payment = state.payment(transactionId) ?? liveOf(stored);
  if (!payment) return undefined;
  const { time } = payment;
  const longest = longestWindowSeconds(features);
  const delay = features.delayDays * DAY_SECONDS;
  const range = (fromSeconds: number) => ({
    fromSeconds,
    toSeconds: time,
    limit: TIMELINE_MAX,
  });
  return {
    payment: alert ? { ...payment, score: alert.score, alert: 1 } : payment,
    features: stored
      ? featureNames(features).map((name, i) => ({
        name,
        value: stored.features[i],
      }))
      : [],
    alert,
    verdicts: await lookUp.verdicts(transactionId),
    ofCard: await lookUp.ofCustomer(payment.customer, range(time - longest)),
    ofTerminal: await lookUp.ofTerminal(
      payment.terminal,
      range(time - longest - delay),
    ),
    windows: { windowDays: features.windowDays, delayDays: features.delayDays },
  };
}

function liveOf(stored: StoredCase | undefined): LivePayment | undefined {
  if (!stored) return undefined;
  const { payment } = stored;
  return {
    id: payment.transactionId,
    datetime: payment.datetime,
    customer: payment.customerId,
    terminal: payment.terminalId,
    amount: payment.amount,
    time: payment.timeSeconds,
    fraud: payment.fraud,
    scenario: payment.scenario,
  };
}

/** Throws DataError unless a verdict from outside is one. */
export function checkVerdict(
  body: Readonly<Record<string, unknown>>,
): Pick<Verdict, "label" | "analyst" | "note"> {
  const { label } = body;
  if (label !== 0 && label !== 1) {
    throw BODY.error("label must be 1 (fraud) or 0 (no fraud)");
  }
  const analyst = BODY.string(body.analyst ?? "", "analyst").trim();
  BODY.check(
    analyst !== "" && analyst.length <= ANALYST_MAX,
    `analyst must be a name of up to ${ANALYST_MAX} characters`,
  );
  const note = BODY.string(body.note ?? "", "note");
  BODY.check(
    note.length <= NOTE_MAX,
    `note must be text of up to ${NOTE_MAX} characters`,
  );
  return { label, analyst, note: note.trim() };
}

/**
 * Appends a verdict to the label topic, whose records trainers take for the
 * label, and keeps it in the store. Throws LogError or StoreError; whoever
 * tries again then decides the same once more.
 */
export async function keepVerdict(
  verdict: Verdict,
  { log, lookUp, timestampMs }: {
    readonly log: Log;
    readonly lookUp: LookUp;
    /** Event time of the payment. */
    readonly timestampMs: number;
  },
): Promise<void> {
  const ends = await log.endOffsets(LABEL_TOPIC) ?? [];
  const id = verdict.transactionId;
  const partition = new IdPartitioner(Math.max(1, ends.length)).partition(id);
  const records = new RecordBatchBuilder();
  const utf8 = new TextEncoder();
  const key = utf8.encode(String(id));
  records.add(key, utf8.encode(verdictJson(verdict)), timestampMs);
  const producer = await log.producer("fraudstream-verdicts");
  await producer.append([{ topic: LABEL_TOPIC, partition, records }]);
  await lookUp.addVerdict(verdict);
}
