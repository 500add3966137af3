/** What a thread can do with labelled payments: each kind of task, and its outcome. */
import type { LabelledPayments } from "../data/payments.ts";
import {
  type FeedbackOutcome,
  type FeedbackTask,
  runFeedbackTask,
} from "../judge/feedback.ts";
import { type FitOutcome, type FitTask, runFitTask } from "./fit_task.ts";

/** A task of any kind. */
export type AnyTask = FitTask | FeedbackTask;

/** The outcome of a kind of task. */
export type OutcomeOf<Task extends AnyTask> = Task extends FeedbackTask
  ? FeedbackOutcome
  : FitOutcome;

/** Does a task. Throws ModelError, for example where the training has one class only. */
export function runTask<Task extends AnyTask>(
  payments: LabelledPayments,
  task: Task,
): Promise<OutcomeOf<Task>> {
  const outcome = "cards" in task
    ? runFeedbackTask(payments, task)
    : runFitTask(payments, task);
  return outcome as Promise<OutcomeOf<Task>>;
}
