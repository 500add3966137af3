/**
 * What takes labels in a stream, as a program that can be killed: the
 * processor, the writer and the label intake over what a folder holds, until
 * all of it is taken and a file says that no more comes.
 *
 *   deno run --allow-read --allow-write tests/faults/intake_stream.ts \
 *     FOLDER PARTITIONS
 */
import { join } from "node:path";
import { rest } from "../../src/base/clock.ts";
import { runLabelIntake } from "../../src/roles/label_intake.ts";
import { runLabelWriter } from "../../src/roles/label_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { Control } from "../../src/stream/control.ts";
import {
  hasTaken,
  type StreamContext,
} from "../../src/stream/stream_context.ts";
import { LABELLING, PIPELINE } from "../../src/stream/topics.ts";
import { START_SECONDS } from "../roles/stages.ts";
import { openFolder } from "../roles/pipeline.ts";
import { labelParameters } from "./label_stream.ts";

/** The file in a folder that says that no more labels come. */
export const ALL_SAID = "all-said";

/** Groups and their topics, each behind those that it waits for. */
const ORDER = [LABELLING[0], ...PIPELINE, LABELLING[1]];

async function isOver({ log }: StreamContext, folder: string) {
  try {
    Deno.statSync(join(folder, ALL_SAID));
  } catch {
    return false;
  }
  for (const { group, topic } of ORDER) {
    if (!await hasTaken(log, group, topic)) return false;
  }
  return true;
}

async function run(folder: string, partitions: number): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  const parameters = labelParameters(partitions);
  await using opened = await openFolder(folder, parameters, signal);
  const { context, store } = opened;
  // Each role has its own view of the control topic, as its own thread would.
  const own = async () => {
    const control = new Control(context.log);
    await control.refresh();
    const snapshotFolder = join(folder, "snapshots");
    return { ...context, control, snapshotFolder };
  };
  const options = { startSeconds: START_SECONDS };
  const roles = [
    runProcessor(await own(), START_SECONDS),
    runWriter(await own(), { ...options, store }),
    runLabelWriter(await own(), { ...options, store: store.labels() }),
    runLabelIntake(await own(), store),
  ].map(async (role) => {
    try {
      await role;
    } catch (error) {
      if (error !== signal.reason) throw error;
    }
  });
  const watch = async () => {
    while (!await isOver(context, folder)) await rest(50, signal);
    stop.abort();
  };
  await Promise.all([...roles, watch()]);
}

if (import.meta.main) {
  const [folder, partitions] = Deno.args;
  await run(folder, Number(partitions));
}
