/** The thread that fits models: takes payments once, then task after task. */
import { type FitOutcome, type FitTask, runFitTask } from "./fit_task.ts";
import type { LabelledPayments } from "../data/payments.ts";

/** What the pool sends: first the payments, in shared memory, then tasks. */
export type ToFitWorker =
  | { readonly kind: "payments"; readonly payments: LabelledPayments }
  | {
    readonly kind: "task";
    readonly index: number;
    readonly task: FitTask;
  };

/** What the thread sends back for each task. */
export type FromFitWorker =
  | {
    readonly kind: "done";
    readonly index: number;
    readonly outcome: FitOutcome;
  }
  | {
    readonly kind: "failed";
    readonly index: number;
    readonly error: {
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
    };
  };

declare const self: {
  onmessage: (event: MessageEvent<ToFitWorker>) => void;
  postMessage(message: FromFitWorker): void;
};

let payments: LabelledPayments | undefined;

self.onmessage = ({ data }) => {
  if (data.kind === "payments") payments = data.payments;
  else if (payments !== undefined) answer(payments, data.index, data.task);
};

function answer(
  of: LabelledPayments,
  index: number,
  task: FitTask,
): Promise<void> {
  return runFitTask(of, task).then(
    (outcome) => self.postMessage({ kind: "done", index, outcome }),
    (thrown) => {
      const error = thrown instanceof Error ? thrown : new Error(`${thrown}`);
      const { name, message, stack } = error;
      self.postMessage({
        kind: "failed",
        index,
        error: { name, message, stack },
      });
    },
  );
}
