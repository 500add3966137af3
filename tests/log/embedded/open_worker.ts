/** Opens new logs in step with other threads, in a thread of its own. */
import { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";

/** What to do. */
export interface ToOpener {
  /** The logs' files, none of them there yet. */
  readonly paths: readonly string[];
  /** How many threads do the same. */
  readonly threads: number;
  /** Counts the arrivals of all threads. */
  readonly arrivals: Int32Array;
}

/** What went wrong, if anything. */
export interface FromOpener {
  readonly errors: readonly string[];
}

declare const self: {
  onmessage: (event: MessageEvent<ToOpener>) => void;
  postMessage(message: FromOpener): void;
};

self.onmessage = async ({ data: { paths, threads, arrivals } }) => {
  const errors: string[] = [];
  for (const [i, path] of paths.entries()) {
    Atomics.add(arrivals, 0, 1);
    while (Atomics.load(arrivals, 0) < (i + 1) * threads);
    try {
      await using log = new EmbeddedLog({ path, durable: false });
      await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    } catch (error) {
      errors.push(String(error));
    }
  }
  self.postMessage({ errors });
};
