/**
 * The features of the extended set beyond the handbook's: their names, what
 * they mean, and the whole numbers that they are made of. Each has its own
 * total, a whole number, and its value is that total over the scale.
 *
 * All look back over the longest window W: a card's payments within W before
 * the payment, a terminal's within W before the label delay, and of either no
 * more than the newest HISTORY_MAX. What lies further back, or is missing, is
 * as if it had been there exactly at the end of that reach: a card's first
 * payment has CUSTOMER_ID_SECONDS_SINCE_LAST_TX = W.
 */

/** A feature of the extended set. */
export interface ExtendedColumn {
  /** Its name. */
  readonly name: string;
  /** What its total is divided by: 1 for counts and seconds, RATIO_SCALE for ratios. */
  readonly scale: number;
}

/** Most payments of a card or a terminal that a feature looks back at. */
export const HISTORY_MAX = 64;

/** Ratios are whole thousandths, so that they are exact. */
export const RATIO_SCALE = 1000;

/** Greatest ratio, in thousandths; larger ones add no information. */
export const RATIO_MAX: number = 1000 * RATIO_SCALE;

/** From this many thousandths of its card's median amount on, a payment is an outlier. */
export const OUTLIER_RATIO = 2500;

/** Below this many thousandths of its card's median amount, the amount does not explain a fraud. */
export const UNUSUAL_RATIO = 2000;

/** The customer's, computed on the customers' side. */
export function customerColumns(
  windowDays: readonly number[],
): ExtendedColumn[] {
  return [
    // Since the card's payment before this one.
    whole("CUSTOMER_ID_SECONDS_SINCE_LAST_TX"),
    // TX_AMOUNT over the median and the greatest amount before; 1 if none.
    ratio("CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN"),
    ratio("CUSTOMER_ID_AMOUNT_RATIO_TO_MAX"),
    // Payments before of at least this amount.
    whole("CUSTOMER_ID_NB_TX_AS_LARGE"),
    // Payments before that are outliers by today's median, in each window.
    ...windowDays.map((days) =>
      whole(`CUSTOMER_ID_NB_OUTLIERS_${days}DAY_WINDOW`)
    ),
    // Since the newest of them.
    whole("CUSTOMER_ID_SECONDS_SINCE_OUTLIER"),
    // The card's known frauds, and the time since the newest.
    whole("CUSTOMER_ID_NB_KNOWN_FRAUDS"),
    whole("CUSTOMER_ID_SECONDS_SINCE_KNOWN_FRAUD"),
  ];
}

/** The terminal's, computed on the terminals' side. */
export function terminalColumns(
  windowDays: readonly number[],
): ExtendedColumn[] {
  return [
    // Known payments later than the newest known genuine one: all are frauds.
    whole("TERMINAL_ID_FRAUD_STREAK"),
    // Since the first of them, 0 if there is none.
    whole("TERMINAL_ID_SECONDS_SINCE_STREAK_BEGAN"),
    // Since the newest known genuine payment, and the newest known fraud.
    whole("TERMINAL_ID_SECONDS_SINCE_GENUINE"),
    whole("TERMINAL_ID_SECONDS_SINCE_FRAUD"),
    // Known payments later than that fraud.
    whole("TERMINAL_ID_NB_TX_SINCE_FRAUD"),
    // Frauds whose amount was usual for their card, in each window.
    ...windowDays.map((days) =>
      whole(`TERMINAL_ID_NB_USUAL_FRAUDS_${days}DAY_WINDOW`)
    ),
    // Since the newest and the oldest of them.
    whole("TERMINAL_ID_SECONDS_SINCE_USUAL_FRAUD"),
    whole("TERMINAL_ID_SECONDS_SINCE_FIRST_USUAL_FRAUD"),
    // Known genuine payments later than the newest of them.
    whole("TERMINAL_ID_NB_GENUINE_SINCE_USUAL_FRAUD"),
  ];
}

function whole(name: string): ExtendedColumn {
  return { name, scale: 1 };
}

function ratio(name: string): ExtendedColumn {
  return { name, scale: RATIO_SCALE };
}

/** `cents` over `other` cents in thousandths, rounded half up, at most RATIO_MAX; one where `other` is 0. */
export function ratioTotal(cents: number, other: number): number {
  if (other === 0) return RATIO_SCALE;
  // Amounts are at most 10^11 cents: all is exact below 2^53.
  const doubled = 2 * cents * RATIO_SCALE + other;
  const total = (doubled - doubled % (2 * other)) / (2 * other);
  return Math.min(total, RATIO_MAX);
}
