/** The thread of the API, and of the roles that decide about its payments. */
import { runThread } from "../base/thread.ts";
import {
  type FromRole,
  type RoleWork,
  runRole,
  withContext,
} from "../roles/run_role.ts";
import { runApi } from "./run_api.ts";

runThread<RoleWork, never, FromRole>((work, starter) =>
  withContext(work, starter, async (context) => {
    const { settings, beside } = work;
    const { send } = starter;
    // They end after the API, which still answers those that wait.
    const over = new AbortController();
    const failed = new AbortController();
    const others = beside.map((role) =>
      runRole(role, { ...context, signal: over.signal }, settings, send)
        .catch((error) => {
          failed.abort();
          throw error;
        })
    );
    const signal = AbortSignal.any([context.signal, failed.signal]);
    const serving = (address: string) => send({ kind: "serving", address });
    const options = { log: work.log, serving };
    const api = runApi({ ...context, signal }, settings, options)
      .finally(() => over.abort());
    const outcomes = await Promise.allSettled([...others, api]);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
  })
);
