/**
 * The processor: both stages concurrently. Each ends when its topic is complete
 * and read.
 */
import { CommitReader } from "../stream/commit.ts";
import { runStage } from "../stream/stage.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { customerStage } from "./customer_stage.ts";
import { terminalStage } from "./terminal_stage.ts";
import { runTogether } from "./together.ts";

/** Runs both stages until they are done or the context's signal. */
export async function runProcessor(
  context: StreamContext,
  startSeconds: number | undefined,
): Promise<void> {
  const commits = new CommitReader();
  await runTogether(context, [
    async (context) => {
      await runStage(context, customerStage(context, commits, startSeconds));
    },
    async (context) => {
      await runStage(context, terminalStage(context));
    },
  ]);
}
