/**
 * How much memory the processor's state takes for payments that come as those
 * of a sample: what the ledger and the windows of both stages hold once their
 * time is full, labels that arrive later included. Buffers and the runtime come
 * on top.
 */
import {
  CustomerOperator,
  TerminalOperator,
} from "../features/feature_operator.ts";
import { type DeclaredPart, declaredPart } from "../features/declared_part.ts";
import type { LabelSample } from "../features/label_windows.ts";
import { IdDigests } from "../features/id_digest.ts";
import { hasHandbook } from "../features/parameters.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { HANDBOOK_SHAPE } from "../payment/payment_shape.ts";
import { rememberedSeconds, type StreamParameters } from "../stream/control.ts";
import { LEDGER_BYTES } from "../stream/ledger.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  declaredSlackSeconds,
  terminalSlackSeconds,
} from "./terminal_stage.ts";

/** Payments of some time. */
export interface PaymentSample {
  /** How long they took, more than 0. */
  readonly seconds: number;
  /** Of each card, how many there are. */
  readonly ofCards: Iterable<number>;
  /** Of each terminal, how many there are. */
  readonly ofTerminals: Iterable<number>;
  /** Of streams whose labels arrive later, how many payments get one. */
  readonly labels?: Pick<LabelSample, "labelled" | "frauds"> | undefined;
  /** What a definition declares, which has counted the payments; undefined where it declares nothing. */
  readonly declared?: DeclaredPart | undefined;
}

const NO_LABELS = { labelled: 0, frauds: 0 };

/** What one of the states holds. */
export interface StateMemory {
  /** Its name: "ledger", "card windows", "terminal windows", or the fields of a key of declared features. */
  readonly state: string;
  /** How long it keeps a payment, in seconds. */
  readonly keepSeconds: number;
  /** How many payments that is. */
  readonly payments: number;
  /** Bytes for all of them and their keys, on all partitions. */
  readonly bytes: number;
}

/** What counts payments, rows without features, for predictMemory(); undefined where nothing is declared. */
export function declaredSample(
  parameters: StreamParameters,
): DeclaredPart | undefined {
  return declaredPart(parameters.features, {
    part: "all",
    shape: shapeOfStream(parameters),
    keptFrom: PAYMENT_CELLS,
    slackSeconds: declaredSlackSeconds(parameters),
  });
}

/** The memory of each state, within about a fifth. */
export function predictMemory(
  parameters: StreamParameters,
  { seconds, ofCards, ofTerminals, labels = NO_LABELS, declared }:
    PaymentSample,
): StateMemory[] {
  const { features, latenessSeconds } = parameters;
  const shape = shapeOfStream(parameters);
  const digests = shape === HANDBOOK_SHAPE ? undefined : new IdDigests(shape);
  const cards = [...ofCards];
  const perSecond = cards.reduce((sum, count) => sum + count, 0) / seconds;
  const state = (
    state: StateMemory["state"],
    keepSeconds: number,
    bytes: number,
  ) => ({
    state,
    keepSeconds,
    payments: Math.round(perSecond * keepSeconds),
    bytes: Math.round(bytes),
  });
  const keepSeconds = rememberedSeconds(parameters);
  const ledgerBytes = digests?.hasTextId
    ? LEDGER_BYTES.textId
    : LEDGER_BYTES.numberId;
  const states = [
    state("ledger", keepSeconds, ledgerBytes * perSecond * keepSeconds),
  ];
  const within = (events: readonly number[], keepSeconds: number) =>
    countsWithin(events, keepSeconds / seconds);
  const sample: LabelSample = { ...labels, within };
  if (hasHandbook(features)) {
    const slack = terminalSlackSeconds(features);
    const ofCard = new CustomerOperator(features, latenessSeconds, digests);
    const ofTerminal = new TerminalOperator(features, slack, digests);
    const terminals = [...ofTerminals];
    const { keepSeconds } = ofCard.windows;
    const cardBytes = ofCard.bytesFor(within(cards, keepSeconds));
    states.push(state("card windows", keepSeconds, cardBytes));
    const keep = ofTerminal.windows.keepSeconds;
    const bytes = ofTerminal.bytesFor(within(terminals, keep)) +
      ofTerminal.labelBytesFor(terminals, sample);
    states.push(state("terminal windows", keep, bytes));
  }
  for (const { by, keepSeconds, bytes } of declared?.memory(sample) ?? []) {
    states.push(state(by.join(" + "), keepSeconds, bytes));
  }
  return states;
}

/**
 * How many payments keys have in `times` the time in which they have had these.
 * A key with less than one has one now and then. In a longer time there are
 * further keys: their number grows by a power (Heaps), whose exponent is the
 * share of the keys with one payment (Good and Turing).
 */
function countsWithin(counts: readonly number[], times: number): number[] {
  const single = counts.filter((count) => count === 1).length;
  const share = single / Math.max(1, counts.length);
  let rare = times > 1 ? counts.length * (times ** share - 1) : 0;
  const all = counts.reduce((sum, count) => sum + count, 0);
  const each = times > 1 ? times - rare / Math.max(1, all) : times;
  const expected: number[] = [];
  for (const count of counts) {
    const number = count * each;
    if (number < 1) rare += number;
    else expected.push(number);
  }
  for (; rare >= 0.5; rare--) expected.push(1);
  return expected;
}
