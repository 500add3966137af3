/**
 * Fits many models on all cores. The result does not depend on the number of
 * threads: each task is a function of the payments and its settings, and the
 * outcomes stand in the order of the tasks.
 */
import { Thread } from "../../base/thread.ts";
import { type AnyTask, type OutcomeOf, runTask } from "./fit_work.ts";
import type { LabelledPayments } from "../data/payments.ts";

/** How the work is done. */
export interface PoolOptions {
  /**
   * Threads. With 1 no other thread is started; then the signal counts only
   * between two fits.
   */
  readonly threads: number;
  /** Called after each task with the number done, and the last one. */
  readonly onDone: (done: number, last: AnyTask) => void;
  /** Ends the work by throwing its reason. */
  readonly signal: AbortSignal;
}

/** Does all tasks; the outcomes stand in their order. Throws the first error, as runTask(). */
export async function runFits<Task extends AnyTask>(
  payments: LabelledPayments,
  tasks: readonly Task[],
  options: PoolOptions,
): Promise<OutcomeOf<Task>[]> {
  const outcomes = new Array<OutcomeOf<Task>>(tasks.length);
  let next = 0;
  let done = 0;
  const takeTurns = async (
    run: (task: Task) => Promise<OutcomeOf<Task>>,
  ) => {
    while (next < tasks.length) {
      options.signal.throwIfAborted();
      const index = next++;
      outcomes[index] = await run(tasks[index]);
      options.onDone(++done, tasks[index]);
    }
  };
  if (options.threads <= 1) {
    await takeTurns(async (task) => {
      const outcome = await runTask(payments, task);
      // Lets the event loop see the signal between two tasks.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return outcome;
    });
    options.signal.throwIfAborted();
    return outcomes;
  }
  const length = Math.min(options.threads, tasks.length);
  const workers = Array.from({ length }, () => {
    return new FitThread<Task>(payments, options.signal);
  });
  try {
    await Promise.all(workers.map((worker) => {
      return takeTurns((task) => worker.run(task));
    }));
  } finally {
    for (const worker of workers) worker.end();
  }
  return outcomes;
}

/** One thread, doing one task at a time. */
class FitThread<Task extends AnyTask> {
  readonly #thread: Thread<LabelledPayments, Task, OutcomeOf<Task>>;
  readonly #signal: AbortSignal;
  #done: (outcome: OutcomeOf<Task>) => void = () => {};

  /** Starts it; the payments are in shared memory. */
  constructor(payments: LabelledPayments, signal: AbortSignal) {
    this.#thread = new Thread({
      module: new URL("./fit_worker.ts", import.meta.url),
      name: "a thread that fits models",
      work: payments,
      received: (outcome) => this.#done(outcome),
    });
    this.#signal = signal;
  }

  async run(task: Task): Promise<OutcomeOf<Task>> {
    const { promise, resolve, reject } = Promise.withResolvers<
      OutcomeOf<Task>
    >();
    const stop = () => reject(this.#signal.reason);
    this.#done = resolve;
    this.#thread.ended.catch(reject);
    this.#signal.addEventListener("abort", stop);
    try {
      this.#thread.send(task);
      return await promise;
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }

  end(): void {
    this.#thread.end();
  }
}
