/** A customer or a terminal as JSON text, keys in file order. */
import type { Customer, Terminal } from "./payment.ts";

/** The JSON object of a profile, on one line. */
export function profileJson(profile: Customer | Terminal): string {
  if ("customerId" in profile) {
    return JSON.stringify({
      CUSTOMER_ID: profile.customerId,
      X_CUSTOMER_ID: profile.x,
      Y_CUSTOMER_ID: profile.y,
      MEAN_ACCOUNT: profile.meanAmount,
      STD_ACCOUNT: profile.stdAmount,
      MEAN_NB_TX_PER_DAY: profile.meanPaymentsPerDay,
    });
  }
  return JSON.stringify({
    TERMINAL_ID: profile.terminalId,
    X_TERMINAL_ID: profile.x,
    Y_TERMINAL_ID: profile.y,
  });
}
