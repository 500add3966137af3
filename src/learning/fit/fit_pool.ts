/**
 * Fits many models on all cores. What comes out does not depend on the number
 * of threads: each task is a function of the payments and its settings, and
 * the outcomes stand in the order of the tasks.
 */
import { ModelError } from "../../base/error.ts";
import { type FitOutcome, type FitTask, runFitTask } from "./fit_task.ts";
import type { FromFitWorker, ToFitWorker } from "./fit_worker.ts";
import type { LabelledPayments } from "../data/payments.ts";

/** How the work is done. */
export interface PoolOptions {
  /**
   * Threads. With 1 no other thread is started; then the signal is heard
   * between two fits only.
   */
  readonly threads: number;
  /** Told after each task how many are done, and which was the last. */
  readonly onDone: (done: number, last: FitTask) => void;
  /** Ends the work by throwing its reason. */
  readonly signal: AbortSignal;
}

/** Does all tasks; the outcomes stand in their order. Throws the first error, as runFitTask(). */
export async function runFits(
  payments: LabelledPayments,
  tasks: readonly FitTask[],
  options: PoolOptions,
): Promise<FitOutcome[]> {
  const outcomes = new Array<FitOutcome>(tasks.length);
  let next = 0;
  let done = 0;
  const takeTurns = async (
    run: (task: FitTask, index: number) => Promise<FitOutcome>,
  ) => {
    while (next < tasks.length) {
      options.signal.throwIfAborted();
      const index = next++;
      outcomes[index] = await run(tasks[index], index);
      options.onDone(++done, tasks[index]);
    }
  };
  if (options.threads <= 1) {
    await takeTurns(async (task) => {
      const outcome = await runFitTask(payments, task);
      // Lets the signal be heard between two tasks.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return outcome;
    });
    options.signal.throwIfAborted();
    return outcomes;
  }
  const length = Math.min(options.threads, tasks.length);
  const workers = Array.from({ length }, () => {
    return new FitThread(payments, options.signal);
  });
  try {
    await Promise.all(workers.map((worker) => {
      return takeTurns((task, index) => worker.run(task, index));
    }));
  } finally {
    for (const worker of workers) worker.end();
  }
  return outcomes;
}

/** One thread, doing one task at a time. */
class FitThread {
  readonly #worker: Worker;
  readonly #signal: AbortSignal;

  constructor(payments: LabelledPayments, signal: AbortSignal) {
    this.#worker = new Worker(new URL("./fit_worker.ts", import.meta.url), {
      type: "module",
      name: "fit",
    });
    this.#signal = signal;
    this.#send({ kind: "payments", payments });
  }

  async run(task: FitTask, index: number): Promise<FitOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<FitOutcome>();
    const stop = () => reject(this.#signal.reason);
    this.#worker.onmessage = ({ data }: MessageEvent<FromFitWorker>) => {
      if (data.kind === "done") resolve(data.outcome);
      else reject(errorOf(data.error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`a thread that fits models failed: ${event.message}`));
    };
    this.#signal.addEventListener("abort", stop);
    try {
      this.#send({ kind: "task", index, task });
      return await promise;
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }

  end(): void {
    this.#worker.terminate();
  }

  #send(message: ToFitWorker): void {
    this.#worker.postMessage(message);
  }
}

/** An error as it was before it crossed the threads. */
function errorOf(
  { name, message, stack }: (FromFitWorker & { kind: "failed" })["error"],
): Error {
  const error = name === "ModelError"
    ? new ModelError(message)
    : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
