/** The thread of thread_test.ts: what it does is its work. */
import { ConfigError } from "../../src/base/error.ts";
import { runThread, type Starter } from "../../src/base/thread.ts";

/** What the thread is to do. */
export type Work =
  | "add up"
  | "wait"
  | "pass the stop on"
  | "refuse"
  | "reject with a text"
  | "throw elsewhere"
  | "hang";

runThread(async (work: Work, starter: Starter<number, number>) => {
  const { signal, send, receive } = starter;
  switch (work) {
    case "add up": {
      const { promise, resolve } = Promise.withResolvers<void>();
      let sum = 0;
      receive((more) => {
        if (more === 0) return resolve();
        sum += more;
        send(sum);
      });
      return await promise;
    }
    case "wait":
    case "pass the stop on":
      send(0);
      await new Promise((resolve) => signal.onabort = resolve);
      if (work !== "wait") signal.throwIfAborted();
      return;
    case "refuse":
      throw new ConfigError("--this cannot be");
    case "reject with a text":
      return await Promise.reject("no error at all");
    case "throw elsewhere":
      setTimeout(() => {
        throw new Error("out of nowhere");
      });
      return await new Promise(() => {});
    case "hang":
      send(0);
      for (;;);
  }
});
