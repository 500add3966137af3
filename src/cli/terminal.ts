/**
 * What the person at the terminal sees: lines on stderr and stdout, written
 * at once, so that nothing is pending when the program exits.
 */
import { OutputClosedError } from "../files/output_file.ts";

/** Writes text to stderr; a stderr that is gone is no reason to fail. */
export function writeError(text: string): void {
  try {
    writeAll(Deno.stderr, text);
  } catch {
    // There is nowhere left to say so.
  }
}

/** Writes text to stdout. Throws OutputClosedError when its reader has gone. */
export function writeResult(text: string): void {
  try {
    writeAll(Deno.stdout, text);
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    throw new OutputClosedError("the reader of stdout has gone", {
      cause: error,
    });
  }
}

function writeAll(stream: typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    at += stream.writeSync(bytes.subarray(at));
  }
}

/** A whole number with commas: 1,754,155. */
export function thousands(count: number): string {
  return count.toLocaleString("en-US");
}

/** A number of things: '1 file', '183 files'. */
export function counted(count: number, noun: string): string {
  return `${thousands(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Seconds since a time of performance.now(), for summaries: '3.2 s'. */
export function elapsed(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
