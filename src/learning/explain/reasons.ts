/**
 * Why a score is high or low, in sentences: the value of each input that moved
 * the score, and what is usual. Inputs are recognised by their names, because a
 * model from elsewhere has names and nothing more; features that the stream's
 * definition declares have sentences from their declarations.
 */
import { thousands } from "../../base/counted.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { declaredWords } from "./declared_words.ts";
import type { UsualValues } from "./usual_values.ts";
import {
  CARD_AGE,
  cardReachDays,
  COUNT,
  counted,
  FLAG,
  LABEL_AGE,
  labelReachDays,
  MONEY,
  NUMBER,
  percent,
  RATIO,
  SHARE,
  type StreamFacts,
  timesOf,
  type Unit,
} from "./value_text.ts";

/** An input that moved a score, for people. */
export interface Reason {
  /** Name of the input. */
  readonly feature: string;
  /** The value and what is usual, without capital and full stop: "paid at night (usual: 17 % of payments)". */
  readonly sentence: string;
  /** The value alone, with its unit: "4.1×", "12", "80 %", "3 hours". */
  readonly value: string;
  /** What it added to the score's margin. */
  readonly contribution: number;
}

/** The reasons for a score, each list with the strongest first. */
export interface Reasons {
  /** Those that raised it. */
  readonly raised: readonly Reason[];
  /** Those that lowered it. */
  readonly lowered: readonly Reason[];
}

/** Numbers by the name of the input; NaN where one is missing. */
export type ByInput = Readonly<Record<string, number>>;

/** Contributions below this share of the strongest are not worth a sentence. */
const SHARE_MIN = 0.05;

/**
 * The reasons for a score. `features` are the payment's inputs by name,
 * TX_AMOUNT among them; `contributions` are those that its prediction names.
 * An input that `features` does not name is left out. Without `usual` (older model files,
 * ONNX files) the sentences state the value alone.
 */
export function reasonsOf(
  features: ByInput,
  contributions: ByInput,
  usual: UsualValues | undefined,
  facts: StreamFacts,
): Reasons {
  const strongest = Math.max(0, ...Object.values(contributions).map(Math.abs));
  const reasons = Object.entries(contributions)
    .filter(([feature, contribution]) =>
      contribution !== 0 && Object.hasOwn(features, feature) &&
      Math.abs(contribution) >= SHARE_MIN * strongest
    )
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([feature, contribution]): Reason => ({
      feature,
      ...inWords(feature, features, usual, facts),
      contribution,
    }));
  return {
    raised: reasons.filter(({ contribution }) => contribution > 0),
    lowered: reasons.filter(({ contribution }) => contribution < 0),
  };
}

/** The sentence about one input, and its value. */
function inWords(
  feature: string,
  features: ByInput,
  usual: UsualValues | undefined,
  facts: StreamFacts,
): { sentence: string; value: string } {
  const value = features[feature];
  const declared = declaredWords(feature, facts.declared);
  if (Number.isNaN(value)) {
    return missing(
      feature,
      declared?.missing ?? `${feature} is missing`,
      usual,
    );
  }
  const { say, match, ...wording } = wordingOf(feature);
  const unit = declared?.unit ?? wording.unit;
  const text = unit.write(value, facts);
  const days = Number(match?.[1]);
  const statement = declared?.say(value, text) ??
    say?.({ value, text, days, features, facts }) ??
    `${feature} is ${text}`;
  const known = usual && Object.hasOwn(usual, feature) &&
      !Number.isNaN(usual[feature].median)
    ? ` (usual: ${unit.usual(usual[feature], value, facts)})`
    : "";
  return { sentence: statement + known, value: text };
}

/** The sentence about an input without a value. */
function missing(
  feature: string,
  statement: string,
  usual: UsualValues | undefined,
): { sentence: string; value: string } {
  const share = usual?.[feature]?.missing;
  const known = share === undefined
    ? ""
    : ` (usual: missing in ${percent(share)} of payments)`;
  return { sentence: statement + known, value: "missing" };
}

/** What a statement is made from. */
interface Said {
  /** The input's value. */
  readonly value: number;
  /** The value with its unit. */
  readonly text: string;
  /** Days of the window that the input's name says; NaN if it says none. */
  readonly days: number;
  /** All inputs of the payment. */
  readonly features: ByInput;
  /** What is known of the stream. */
  readonly facts: StreamFacts;
}

/** How an input is put into words. */
interface Wording {
  /** Its name; a group holds the days of its window. */
  readonly name: RegExp;
  readonly unit: Unit;
  readonly say: (said: Said) => string;
}

function wordingOf(feature: string): Partial<Wording> & {
  readonly unit: Unit;
  readonly match?: RegExpExecArray;
} {
  for (const wording of WORDINGS) {
    const match = wording.name.exec(feature);
    if (match) return { ...wording, match };
  }
  return { unit: NUMBER };
}

const HANDBOOK_WORDINGS: readonly Wording[] = [
  { name: /^TX_AMOUNT$/, unit: MONEY, say: amount },
  {
    name: /^TX_DURING_WEEKEND$/,
    unit: FLAG,
    say: ({ value }) => value === 0 ? "paid on a weekday" : "paid on a weekend",
  },
  {
    name: /^TX_DURING_NIGHT$/,
    unit: FLAG,
    say: ({ value }) => value === 0 ? "paid during the day" : "paid at night",
  },
  {
    name: /^CUSTOMER_ID_NB_TX_(\d+)DAY_WINDOW$/,
    unit: COUNT,
    say: ({ value, days }) =>
      `${counted(value, "payment")} of this card ${lately(days)}`,
  },
  {
    name: /^CUSTOMER_ID_AVG_AMOUNT_(\d+)DAY_WINDOW$/,
    unit: MONEY,
    say: ({ text, days }) => `this card's ${days}-day average is ${text}`,
  },
  {
    name: /^TERMINAL_ID_NB_TX_(\d+)DAY_WINDOW$/,
    unit: COUNT,
    say: ({ value, days, facts }) =>
      `${counted(value, "payment")} at this terminal ${before(days, facts)}`,
  },
  { name: /^TERMINAL_ID_RISK_(\d+)DAY_WINDOW$/, unit: SHARE, say: risk },
];

const CARD_WORDINGS: readonly Wording[] = [
  {
    name: /^CUSTOMER_ID_SECONDS_SINCE_LAST_TX$/,
    unit: CARD_AGE,
    say: ({ value, text, facts }) =>
      isWithin(value, cardReachDays(facts))
        ? `${text} after this card's previous payment`
        : `no earlier payment of this card in ${cardReachDays(facts)} days`,
  },
  {
    name: /^CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN$/,
    unit: RATIO,
    say: ({ value, facts }) =>
      `amount ${timesOf(value)} this card's ${cardReachDays(facts)}-day median`,
  },
  {
    name: /^CUSTOMER_ID_AMOUNT_RATIO_TO_MAX$/,
    unit: RATIO,
    say: ({ value, facts }) =>
      `amount ${timesOf(value)} this card's greatest in ` +
      `${cardReachDays(facts)} days`,
  },
  {
    name: /^CUSTOMER_ID_NB_TX_AS_LARGE$/,
    unit: COUNT,
    say: ({ value, facts }) =>
      `${counted(value, "earlier payment")} of this card in ` +
      `${cardReachDays(facts)} days ${value === 1 ? "was" : "were"} as large`,
  },
  {
    name: /^CUSTOMER_ID_NB_OUTLIERS_(\d+)DAY_WINDOW$/,
    unit: COUNT,
    say: ({ value, days }) =>
      `${counted(value, "earlier payment")} of this card ${lately(days)} ` +
      `${value === 1 ? "was" : "were"} far above its median`,
  },
  {
    name: /^CUSTOMER_ID_SECONDS_SINCE_OUTLIER$/,
    unit: CARD_AGE,
    say: ({ value, text, facts }) =>
      isWithin(value, cardReachDays(facts))
        ? `${text} after this card last paid far above its median`
        : "no earlier payment of this card in " +
          `${cardReachDays(facts)} days was far above its median`,
  },
  {
    name: /^CUSTOMER_ID_NB_KNOWN_FRAUDS$/,
    unit: COUNT,
    say: ({ value, facts }) =>
      `${counted(value, "known fraud")} of this card ${
        before(cardReachDays(facts), facts)
      }`,
  },
  {
    name: /^CUSTOMER_ID_SECONDS_SINCE_KNOWN_FRAUD$/,
    unit: LABEL_AGE,
    say: sinceLabel("known fraud of this card"),
  },
];

const TERMINAL_WORDINGS: readonly Wording[] = [
  { name: /^TERMINAL_ID_FRAUD_STREAK$/, unit: COUNT, say: streak },
  {
    name: /^TERMINAL_ID_SECONDS_SINCE_STREAK_BEGAN$/,
    unit: LABEL_AGE,
    say: ({ value, text }) =>
      value === 0
        ? "the last known payment at this terminal was genuine"
        : `for ${text} all known payments at this terminal have been frauds`,
  },
  {
    name: /^TERMINAL_ID_SECONDS_SINCE_GENUINE$/,
    unit: LABEL_AGE,
    say: sinceLabel("known genuine payment at this terminal"),
  },
  {
    name: /^TERMINAL_ID_SECONDS_SINCE_FRAUD$/,
    unit: LABEL_AGE,
    say: sinceLabel("known fraud at this terminal"),
  },
  {
    name: /^TERMINAL_ID_NB_TX_SINCE_FRAUD$/,
    unit: COUNT,
    say: ({ value }) =>
      `${counted(value, "known payment")} at this terminal since its last ` +
      "known fraud",
  },
  {
    name: /^TERMINAL_ID_NB_USUAL_FRAUDS_(\d+)DAY_WINDOW$/,
    unit: COUNT,
    say: ({ value, days, facts }) =>
      `${counted(value, "fraud")} of ordinary amount at this terminal ${
        before(days, facts)
      }`,
  },
  {
    name: /^TERMINAL_ID_SECONDS_SINCE_USUAL_FRAUD$/,
    unit: LABEL_AGE,
    say: sinceLabel("known fraud of ordinary amount at this terminal"),
  },
  {
    name: /^TERMINAL_ID_SECONDS_SINCE_FIRST_USUAL_FRAUD$/,
    unit: LABEL_AGE,
    say: sinceLabel("known fraud of ordinary amount at this terminal", "first"),
  },
  {
    name: /^TERMINAL_ID_NB_GENUINE_SINCE_USUAL_FRAUD$/,
    unit: COUNT,
    say: ({ value }) =>
      `${counted(value, "known genuine payment")} at this terminal since its ` +
      "last known fraud of ordinary amount",
  },
];

const WORDINGS: readonly Wording[] = [
  ...HANDBOOK_WORDINGS,
  ...CARD_WORDINGS,
  ...TERMINAL_WORDINGS,
];

/** The amount beside the average of the card's longest window, if the card has paid before in it. */
function amount({ value, text, features, facts }: Said): string {
  const days = cardReachDays(facts);
  const average = features[`CUSTOMER_ID_AVG_AMOUNT_${days}DAY_WINDOW`];
  const payments = features[`CUSTOMER_ID_NB_TX_${days}DAY_WINDOW`];
  // The window contains the payment itself.
  if (!(average > 0) || !(payments > 1)) return `amount ${text}`;
  const ratio = timesOf(value / average);
  return `amount ${ratio} this card's ${days}-day average: ${text}`;
}

function risk({ value, text, days, features, facts }: Said): string {
  const payments = features[`TERMINAL_ID_NB_TX_${days}DAY_WINDOW`];
  const when = `at this terminal ${before(days, facts)}`;
  if (payments === undefined) return `${text} of payments ${when} were frauds`;
  if (payments === 0) return `no payments ${when}, so no known frauds`;
  const frauds = Math.round(value * payments);
  if (payments === 1) {
    return `the only payment ${when} was ${
      frauds === 1 ? "a fraud" : "genuine"
    }`;
  }
  const of = `of ${thousands(payments)} payments ${when}`;
  if (frauds === 0) return `none ${of} was a fraud`;
  return frauds === 1
    ? `1 ${of} was a fraud`
    : `${thousands(frauds)} ${of} were frauds`;
}

function streak({ value }: Said): string {
  if (value === 0) return "the last known payment at this terminal was genuine";
  return value === 1
    ? "the last known payment at this terminal was a fraud"
    : `the last ${value} known payments at this terminal were frauds`;
}

/** How long ago something became known, or that it was not. */
function sinceLabel(what: string, which = "last"): Wording["say"] {
  return ({ value, text, facts }) =>
    isWithin(value, labelReachDays(facts))
      ? `${text} after the ${which} ${what}`
      : `no ${what} in ${labelReachDays(facts)} days`;
}

function isWithin(seconds: number, days: number): boolean {
  return seconds < days * DAY_SECONDS;
}

/** The window of a card. */
function lately(days: number): string {
  return days === 1 ? "in the last day" : `in the last ${days} days`;
}

/** The window of labels, which ends where they are known. */
function before(days: number, { delayDays }: StreamFacts): string {
  return `${delayDays} to ${delayDays + days} days ago`;
}
