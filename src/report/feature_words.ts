/** What a feature is called in words, and the unit of its values. */
import type { DeclaredFeatures } from "../features/declared_features.ts";
import { declaredWords } from "../learning/explain/declared_words.ts";
import { MONEY } from "../learning/explain/value_text.ts";
import { type AmountForm, amountUnit } from "./numbers.ts";

/** Words about a feature. */
export interface FeatureWords {
  /** Title of its figure; its name where no words are known. */
  readonly title: string;
  /** What its values are, with the unit. */
  readonly unit: string;
}

/** Features that have no window in their name: title and unit. */
const WORDS: Readonly<Record<string, readonly [title: string, unit: string]>> =
  {
    TX_AMOUNT: ["Amount of the payment", "amount"],
    TX_DURING_WEEKEND: ["Payment at the weekend", ""],
    TX_DURING_NIGHT: ["Payment at night, before 07:00", ""],
    CUSTOMER_ID_SECONDS_SINCE_LAST_TX: [
      "Time since the card's last payment",
      "seconds",
    ],
    CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN: [
      "Amount compared with the card's median",
      "ratio of amounts",
    ],
    CUSTOMER_ID_AMOUNT_RATIO_TO_MAX: [
      "Amount compared with the card's greatest",
      "ratio of amounts",
    ],
    CUSTOMER_ID_NB_TX_AS_LARGE: [
      "Earlier payments of the card of at least this amount",
      "number of payments",
    ],
    CUSTOMER_ID_SECONDS_SINCE_OUTLIER: [
      "Time since the card's last unusually large payment",
      "seconds",
    ],
    CUSTOMER_ID_NB_KNOWN_FRAUDS: [
      "Known frauds of the card",
      "number of frauds",
    ],
    CUSTOMER_ID_SECONDS_SINCE_KNOWN_FRAUD: [
      "Time since the card's last known fraud",
      "seconds",
    ],
    TERMINAL_ID_FRAUD_STREAK: [
      "Latest known payments at the terminal that are all frauds",
      "number of frauds",
    ],
    TERMINAL_ID_SECONDS_SINCE_STREAK_BEGAN: [
      "Time since the terminal's run of frauds began",
      "seconds",
    ],
    TERMINAL_ID_SECONDS_SINCE_GENUINE: [
      "Time since the terminal's last known genuine payment",
      "seconds",
    ],
    TERMINAL_ID_SECONDS_SINCE_FRAUD: [
      "Time since the terminal's last known fraud",
      "seconds",
    ],
    TERMINAL_ID_NB_TX_SINCE_FRAUD: [
      "Known payments at the terminal since its last fraud",
      "number of payments",
    ],
    TERMINAL_ID_SECONDS_SINCE_USUAL_FRAUD: [
      "Time since the terminal's last fraud of a usual amount",
      "seconds",
    ],
    TERMINAL_ID_SECONDS_SINCE_FIRST_USUAL_FRAUD: [
      "Time since the terminal's first fraud of a usual amount",
      "seconds",
    ],
    TERMINAL_ID_NB_GENUINE_SINCE_USUAL_FRAUD: [
      "Genuine payments at the terminal since a fraud of a usual amount",
      "number of payments",
    ],
  };

/** The same of features that end in _7DAY_WINDOW, before ", 7-day window". */
const WINDOW_WORDS: Readonly<
  Record<string, readonly [title: string, unit: string]>
> = {
  CUSTOMER_ID_NB_TX: ["Payments of the card", "number of payments"],
  CUSTOMER_ID_AVG_AMOUNT: ["Mean amount of the card's payments", "amount"],
  CUSTOMER_ID_NB_OUTLIERS: [
    "Unusually large payments of the card",
    "number of payments",
  ],
  TERMINAL_ID_NB_TX: ["Known payments at the terminal", "number of payments"],
  TERMINAL_ID_RISK: ["Risk of the terminal", "share of frauds, 0 to 1"],
  TERMINAL_ID_NB_USUAL_FRAUDS: [
    "Frauds of a usual amount at the terminal",
    "number of frauds",
  ],
};

/** The words about the feature of a name, in whichever set, or of a definition that declares it. */
export function featureWords(
  name: string,
  amounts: Pick<AmountForm, "currency">,
  declared?: DeclaredFeatures,
): FeatureWords {
  const own = declaredWords(name, declared);
  if (own) return words(own.title, own.unit === MONEY ? "amount" : "value");
  const [, stem, days] = /^(.+)_(\d+)DAY_WINDOW$/.exec(name) ?? [];
  const windowed = WINDOW_WORDS[stem];
  if (windowed) {
    const [title, unit] = windowed;
    return words(`${title}, ${days}-day window`, unit);
  }
  const [title, unit] = WORDS[name] ?? [name, "value"];
  return words(title, unit);

  function words(title: string, unit: string): FeatureWords {
    return { title, unit: unit === "amount" ? amountUnit(amounts) : unit };
  }
}
