/**
 * A stream of the handbook's payments whose labels arrive later, as a program
 * that can be killed: publishes, processes and stores what is missing in a
 * folder.
 *
 *   deno run --allow-read --allow-write tests/faults/label_stream.ts \
 *     FOLDER PARTITIONS SET
 */
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { runLabelWriter } from "../../src/roles/label_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import type { RunSettings } from "../../src/roles/role.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { openFolder, parametersOf, SET_A, SET_B } from "../roles/pipeline.ts";

/** The data sets, by the names of their reference. */
export const SETS: Readonly<Record<string, RunSettings["data"]>> = {
  A: SET_A,
  B: SET_B,
  DEFAULT: { parameters: HANDBOOK_PARAMETERS, rng: "handbook", seed: "" },
};

/** A stream whose labels count a day after they are known. */
export function labelParameters(partitions: number): StreamParameters {
  return {
    ...parametersOf(partitions),
    features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
  };
}

async function run(folder: string, partitions: number, set: string) {
  const parameters = labelParameters(partitions);
  await using opened = await openFolder(folder, parameters);
  const { context, store } = opened;
  // Each role has its own view of the control topic, as its own thread would.
  const own = () => ({
    ...context,
    control: new Control(context.log),
    snapshotFolder: join(folder, "snapshots"),
  });
  const control = own();
  await control.control.refresh();
  const fill = { startSeconds: undefined, clears: true };
  await Promise.all([
    runProducer(own(), { data: SETS[set], pace: { kind: "max" } }),
    runProcessor(control, undefined),
    runWriter(own(), { ...fill, store }),
    runLabelWriter(own(), { ...fill, store: store.labels() }),
  ]);
}

if (import.meta.main) {
  const [folder, partitions, set] = Deno.args;
  await run(folder, Number(partitions), set);
}
