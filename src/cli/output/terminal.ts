/**
 * Output for the terminal: lines on stderr and stdout, written at once, so that
 * nothing is pending when the program exits.
 */
import { OutputClosedError } from "../../base/output_file.ts";
import { visible, visibleLines, writeText } from "../../base/terminal_text.ts";

export {
  asTyped,
  shellWord,
  visible,
  writeError,
} from "../../base/terminal_text.ts";

/**
 * Writes text or JSON to stdout, its control characters escaped. Throws
 * OutputClosedError when its reader has gone.
 */
export function writeResult(text: string): void {
  try {
    writeText(Deno.stdout, visibleLines(text));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    throw new OutputClosedError("stdout was closed", {
      cause: error,
    });
  }
}

/** Shows text in place of the line that the cursor is in, on a stderr that is a terminal. */
export function rewriteLine(text: string): void {
  try {
    writeText(Deno.stderr, `\r\x1b[2K${visible(text)}`);
  } catch {
    // There is nowhere left to write it.
  }
}

/** Seconds since a time of performance.now(), for summaries: '3.2 s'. */
export function elapsed(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
