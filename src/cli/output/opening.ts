/** Opening a source of payments, with a bar for what is simulated first. */
import {
  openPayments,
  type PaymentChoice,
  type PaymentSource,
} from "../../files/payment_source.ts";
import { openProgress } from "./progress.ts";

/** Opens a source as openPayments() does. A simulation cannot be interrupted by a signal. */
export async function openPaymentsShown(
  choice: PaymentChoice,
): Promise<PaymentSource> {
  if (choice.kind !== "simulated") return await openPayments(choice);
  using progress = openProgress("simulating", 100);
  return await openPayments({
    kind: "simulated",
    simulation: {
      ...choice.simulation,
      onProgress: (done) => progress.update(Math.round(100 * done)),
    },
  });
}
