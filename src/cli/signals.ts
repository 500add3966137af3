/**
 * Ctrl-C and SIGTERM: the first asks the work to stop, leaving nothing
 * incomplete; the second ends the program at once.
 */

/** The work was stopped by a signal before it was complete. Exit 1. */
export class StoppedError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "StoppedError";
}

/** A signal to stop, while it is listened for. */
export interface StopSignal {
  /** Aborted by the first SIGINT or SIGTERM; its reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Stops listening; a signal then ends the program as usual. */
  [Symbol.dispose](): void;
}

/**
 * One Ctrl-C may come as several signals: from the terminal, and from `deno
 * task` and `npx`, which forward theirs.
 */
const SAME_PRESS_MS = 500;

/** Exit code of a program ended by SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;

/**
 * Listens for SIGINT and SIGTERM. Open it just before work that must not be
 * left incomplete: while it is open, Ctrl-C cannot stop work that blocks the
 * event loop.
 */
export function listenForStop(): StopSignal {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM"];
  let firstMs = Infinity;
  const listeners = signals.map((name) => ({
    name,
    listener: () => {
      if (!controller.signal.aborted) {
        firstMs = performance.now();
        controller.abort(name);
      } else if (performance.now() - firstMs > SAME_PRESS_MS) {
        Deno.exit(EXIT_INTERRUPTED);
      }
    },
  }));
  for (const { name, listener } of listeners) {
    Deno.addSignalListener(name, listener);
  }
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) {
        Deno.removeSignalListener(name, listener);
      }
    },
  };
}

/** Throws StoppedError with what `describe` says once the signal is aborted. */
export function throwIfStopped(
  signal: AbortSignal,
  describe: () => string,
): void {
  if (signal.aborted) {
    throw new StoppedError(`stopped by ${signal.reason}: ${describe()}`);
  }
}
