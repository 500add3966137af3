/**
 * Threads: one shell for all of them. The starter hands a thread its work,
 * may send more, hears what it sends back, and sees how it ends; the thread
 * does the work until it is done, fails, or is asked to stop.
 */
import {
  ConfigError,
  DataError,
  LogError,
  ModelError,
  StoreError,
} from "./error.ts";

/** What crosses to a thread: first its work, then more, at the end perhaps the request to stop. */
type ToThread<Work, More> =
  | { readonly kind: "work"; readonly work: Work }
  | { readonly kind: "more"; readonly more: More }
  | { readonly kind: "stop" };

/** What crosses back. */
type FromThread<Sent> =
  | { readonly kind: "sent"; readonly sent: Sent }
  | { readonly kind: "ended"; readonly error?: Failure };

/** An error as it crosses threads. */
export interface Failure {
  /** Name of its class. */
  readonly name: string;
  /** Its message. */
  readonly message: string;
  /** Its stack, if it had one. */
  readonly stack: string | undefined;
}

/** How a thread is started. */
export interface ThreadOptions<Work, Sent> {
  /** Its module, which calls runThread(). */
  readonly module: URL;
  /** What it is called in error messages. */
  readonly name: string;
  /** What it has to do. */
  readonly work: Work;
  /** Called with each message from the thread, in order. */
  readonly received: (sent: Sent) => void;
}

/** A thread, as its starter sees it. */
export class Thread<Work, More, Sent> {
  /**
   * Resolves once the thread has ended. Rejects if it failed: with its error,
   * of the same class and with its stack.
   */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #end: () => void;

  /** Starts the thread with its work. */
  constructor({ module, name, work, received }: ThreadOptions<Work, Sent>) {
    const worker = new Worker(module, { type: "module", name });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // A failure does not crash code that never awaits `ended`.
    promise.catch(() => {});
    worker.onmessage = ({ data }: MessageEvent<FromThread<Sent>>) => {
      if (data.kind === "sent") return received(data.sent);
      worker.terminate();
      if (data.error) reject(errorOf(data.error));
      else resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      reject(new Error(`${name}: ${event.message}`));
    };
    this.ended = promise;
    this.#worker = worker;
    this.#end = () => {
      worker.terminate();
      resolve();
    };
    this.#post({ kind: "work", work });
  }

  /** Sends the thread a message; one that has ended does not get it. */
  send(more: More): void {
    this.#post({ kind: "more", more });
  }

  /**
   * Asks the thread to stop, and ends it if it has not stopped in time.
   * Returns whether it stopped by itself; how it ended is in `ended`.
   */
  async stop(withinMs: number): Promise<boolean> {
    let inTime = true;
    const patience = setTimeout(() => {
      inTime = false;
      this.#end();
    }, withinMs);
    this.#post({ kind: "stop" });
    await this.ended.catch(() => {});
    clearTimeout(patience);
    return inTime;
  }

  /** Ends the thread at once, whatever it does. */
  end(): void {
    this.#end();
  }

  #post(message: ToThread<Work, More>): void {
    this.#worker.postMessage(message);
  }
}

/** The starter, as its thread sees it. */
export interface Starter<More, Sent> {
  /** Aborted when the thread is to stop. */
  readonly signal: AbortSignal;
  /** Sends the starter a message. */
  send(sent: Sent): void;
  /** Has later messages of the starter go to a handler. They must not come before it is set. */
  receive(handler: (more: More) => void): void;
}

declare const self: {
  onmessage: (event: MessageEvent<ToThread<unknown, unknown>>) => void;
  postMessage(message: FromThread<unknown>): void;
};

/**
 * Makes this module a thread that does the work its starter gives it. The
 * thread ends when the work does; a stop that the work passes on by throwing
 * the signal's reason is no failure. The types are those of the Thread.
 */
export function runThread<Work, More, Sent>(
  run: (work: Work, starter: Starter<More, Sent>) => Promise<void>,
): void {
  const stop = new AbortController();
  let handler: ((more: More) => void) | undefined;
  const starter: Starter<More, Sent> = {
    signal: stop.signal,
    send: (sent) => self.postMessage({ kind: "sent", sent }),
    receive: (given) => handler = given,
  };
  self.onmessage = ({ data }) => {
    if (data.kind === "stop") stop.abort();
    else if (data.kind === "more") handler?.(data.more as More);
    else {
      run(data.work as Work, starter).then(
        () => self.postMessage({ kind: "ended" }),
        (error) => {
          // A wait for a server that the stop has ended throws the stop's
          // reason.
          const stopped = stop.signal.aborted && error === stop.signal.reason;
          self.postMessage({
            kind: "ended",
            ...stopped ? {} : { error: failureOf(error) },
          });
        },
      );
    }
  };
}

/** An error, to send it to another thread. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), stack: undefined };
  }
  const { name, message, stack } = error;
  return { name, message, stack };
}

const ERROR_CLASSES = {
  ConfigError,
  DataError,
  LogError,
  ModelError,
  StoreError,
};

/** The error of another thread as one of this thread. */
export function errorOf({ name, message, stack }: Failure): Error {
  const known = Object.hasOwn(ERROR_CLASSES, name)
    ? ERROR_CLASSES[name as keyof typeof ERROR_CLASSES]
    : Error;
  const error = new known(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
