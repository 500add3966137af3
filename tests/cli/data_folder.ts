/** Looks at data folders that programs have made, or are still at work on. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { Control } from "../../src/stream/control.ts";
import { readStatus, type StreamStatus } from "../../src/stream/status.ts";
import { CONTROL_TOPIC } from "../../src/stream/topics.ts";
import { runMain } from "./program_runner.ts";

const DEADLINE_MS = 60_000;
/** A look opens the log, and takes as long as some thousand payments. */
const POLL_MS = 20;

/** SHA-256 of what `export --out -` prints. */
export async function exportSum(data: string): Promise<string> {
  const { code, stdout, stderr } = await runMain([
    "export",
    `--data=${data}`,
    "--out=-",
  ]);
  assert.equal(code, 0, stderr);
  return createHash("sha256").update(stdout).digest("hex");
}

/** Looks at a running data folder until the condition holds. */
export async function waitFor(
  data: string,
  condition: (status: StreamStatus) => boolean,
): Promise<StreamStatus> {
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    const status = await statusOf(data);
    if (status && condition(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("the condition was not met within a minute");
}

/** The status of a data folder; undefined before it is made. */
export async function statusOf(
  data: string,
): Promise<StreamStatus | undefined> {
  const path = join(data, "log.db");
  try {
    Deno.statSync(path);
  } catch {
    return undefined;
  }
  await using log = new EmbeddedLog({ path, durable: false });
  if (!await log.endOffsets(CONTROL_TOPIC)) return undefined;
  return await readStatus(log, new Control(log));
}
