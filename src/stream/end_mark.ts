/** How a stage marks its output as complete. */
import { controlRecords } from "./control.ts";
import type { StreamContext } from "./stream_context.ts";
import { addCounters, noCounters, parseCommit } from "./commit.ts";

/** Marks the output as complete: it holds what all partitions have emitted. */
export async function markEnd(
  context: StreamContext,
  group: string,
  input: string,
  output: string,
): Promise<void> {
  const { log, control, logger, parameters } = context;
  const counters = noCounters();
  for (const commit of await log.committed(group, input)) {
    addCounters(counters, parseCommit(commit).counters);
  }
  const rows = counters.emitted;
  const records = controlRecords();
  records.putEnd(output, { rows });
  // All workers of the group come here, each with the same number.
  await control.settle(
    `${group}-end`,
    () => control.end(output)?.rows === rows,
    (producer) => producer.append(records.appends()),
  );
  const { frauds, ...others } = counters;
  // Where labels arrive later, rows have no frauds to count.
  const known = parameters.features.graceSeconds === undefined
    ? { frauds }
    : {};
  logger.info("stage complete", { group, ...others, ...known });
}
