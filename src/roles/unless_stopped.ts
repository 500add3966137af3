/**
 * Opening something that may take long, because a server does not answer, by
 * somebody who may be told to stop meanwhile: he then no longer waits, and
 * what is opened too late is closed at once.
 */

/** Something that has been opened; closed with the holder. */
export interface Opened<T> extends AsyncDisposable {
  /** What was opened. */
  readonly resource: T;
}

/**
 * Waits for `opening`, but not longer than until the signal: null if that
 * comes first. An error of the opening is thrown, unless it comes too late.
 */
export async function openUnlessStopped<T extends AsyncDisposable>(
  opening: Promise<T>,
  signal: AbortSignal,
): Promise<Opened<T> | null> {
  const { promise: stopped, resolve } = Promise.withResolvers<null>();
  const stop = () => resolve(null);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  const opened = opening.then((resource): Opened<T> => ({
    resource,
    [Symbol.asyncDispose]: () => resource[Symbol.asyncDispose](),
  }));
  try {
    const first = await Promise.race([opened, stopped]);
    if (first === null) {
      // Nobody is left who could be told of an error.
      opened.then((late) => late[Symbol.asyncDispose]()).catch(() => {});
    }
    return first;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
