/** The thread that fits models: takes payments once, then task after task. */
import { runThread, type Starter } from "../../base/thread.ts";
import type { LabelledPayments } from "../data/payments.ts";
import { type AnyTask, type OutcomeOf, runTask } from "./fit_work.ts";

runThread(fitUntilItFails);

/** Sends back the outcome of each task, in their order; the first that fails ends the thread. */
function fitUntilItFails(
  payments: LabelledPayments,
  { send, receive }: Starter<AnyTask, OutcomeOf<AnyTask>>,
): Promise<never> {
  return new Promise((_, reject) => {
    receive((task) => runTask(payments, task).then(send, reject));
  });
}
