/**
 * Waits for servers that may not answer, until a stop signal. After the signal
 * nothing waits, and a resource that is opened too late is closed at once.
 */
import { setImmediate } from "node:timers/promises";

/** The signal of a wait or of work that nobody ends. */
export const UNSTOPPED: AbortSignal = new AbortController().signal;

/** Something that has been opened; closed with the holder. */
export interface Opened<T> extends AsyncDisposable {
  /** What was opened. */
  readonly resource: T;
}

/**
 * Waits for `work`, but not longer than until the signal: null if that comes
 * first. An error of the work is thrown, unless it comes too late.
 */
export async function unlessStopped<T extends object | undefined>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | null> {
  const { promise: stopped, resolve } = Promise.withResolvers<null>();
  const stop = () => resolve(null);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const first = signal.aborted ? null : await Promise.race([work, stopped]);
    // Nothing is left to report an error to.
    if (first === null) work.catch(() => {});
    return first;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The same for something that has to be closed, also if it is opened too late. */
export async function openUnlessStopped<T extends AsyncDisposable>(
  opening: Promise<T>,
  signal: AbortSignal,
): Promise<Opened<T> | null> {
  const opened = opening.then((resource): Opened<T> => ({
    resource,
    [Symbol.asyncDispose]: () => resource[Symbol.asyncDispose](),
  }));
  const first = await unlessStopped(opened, signal);
  if (first === null) {
    opened.then((late) => late[Symbol.asyncDispose]()).catch(() => {});
  }
  return first;
}

/** Waits for a promise; throws the signal's reason if that comes first; the promise's outcome is then ignored. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Lets signals be heard between two pieces of work; throws the reason if one was. */
export async function nextTurn(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

/** Waits for a promise, but not longer than `ms` milliseconds, and then throws the error; the promise's outcome is then ignored. */
export async function unlessLate<T>(
  promise: Promise<T>,
  ms: number,
  late: () => Error,
): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ms);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
