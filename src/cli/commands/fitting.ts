/** Fits on all cores, for the commands: the flag, the progress bar and Ctrl-C. */
import {
  type FeatureParameters,
  nullableNames,
} from "../../features/parameters.ts";
import { runFits } from "../../learning/fit/fit_pool.ts";
import type { AnyTask, OutcomeOf } from "../../learning/fit/fit_work.ts";
import type { LabelledPayments } from "../../learning/data/payments.ts";
import type { ModelSpec } from "../../learning/fit/fit_task.ts";
import { checkNullable, takesInputs } from "../../learning/kinds/kinds.ts";
import type { FlagGroup } from "../flags/flag.ts";
import type { NamedSpec } from "../flags/model_flags.ts";
import { wholeNumber } from "../flags/flag_value.ts";
import { openProgress } from "../output/progress.ts";
import { writeError } from "../output/terminal.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";

const THREADS_MAX = 256;

/** The flag of commands that train. */
export const THREADS_FLAGS = {
  flags: {
    threads: {
      value: "<n>",
      help: "training threads",
      read: wholeNumber(1, THREADS_MAX),
      default: "as many as cores",
    },
  },
} as const satisfies FlagGroup;

/** Number of threads that train: as given, or one per core; one if the program may not read its own sources, which starting a thread needs. */
export function threadsOf(asked: number | undefined): number {
  const path = new URL("../../learning/fit/fit_worker.ts", import.meta.url);
  const { state } = Deno.permissions.querySync({ name: "read", path });
  if (state !== "granted") return 1;
  return asked ?? Math.max(1, navigator.hardwareConcurrency);
}

/** The models of an experiment. */
export interface StudiedModels {
  /** The models. */
  readonly named: readonly NamedSpec[];
  /** Whether a flag names them. */
  readonly origin: "chosen" | "default";
}

/**
 * The models among `specs` that can learn from payments with these features.
 * Throws ConfigError for one that was chosen and cannot; of those that are
 * trained by default it says so, and leaves it out.
 */
export function specsFor<Spec extends ModelSpec>(
  specs: readonly Spec[],
  features: FeatureParameters,
  origin: "chosen" | "default",
): readonly Spec[] {
  const nullable = nullableNames(features);
  if (origin === "chosen") {
    for (const { kind } of specs) checkNullable(kind, nullable);
    return specs;
  }
  const left = specs.filter(({ kind }) => !takesInputs(kind, nullable));
  for (const kind of new Set(left.map(({ kind }) => kind))) {
    writeError(
      `${kind} is left out: it needs a value for every feature, and ` +
        `${nullable[0]} can be missing\n`,
    );
  }
  return specs.filter((spec) => !left.includes(spec));
}

/** Does all fits with a progress bar, until a signal. */
export async function fitAll<Task extends AnyTask>(
  payments: LabelledPayments,
  tasks: readonly Task[],
  threads: number,
): Promise<OutcomeOf<Task>[]> {
  using progress = openProgress("training", tasks.length);
  using stop = listenForStop();
  try {
    return await runFits(payments, tasks, {
      threads,
      onDone: (done, { model }) => progress.update(done, model.kind),
      signal: stop.signal,
    });
  } catch (error) {
    throwIfStopped(stop.signal, () => "the models are not all trained");
    throw error;
  }
}
