/**
 * The stream as the thread of the HTTP server sees it: each call goes to the
 * thread that decides, and its reply comes back. Calls and replies of one
 * moment cross together, because every crossing wakes a thread.
 */
import { Problem, type ProblemKind } from "./problem.ts";
import { errorOf, type Failure, failureOf } from "../base/thread.ts";
import type { StreamApi } from "./stream_api.ts";

/** What the stream is; does not change. */
export type ApiDescription = Pick<
  StreamApi,
  "shape" | "definition" | "featureNames"
>;

/** What can be asked of it. */
export type ApiMethod = Exclude<keyof StreamApi, keyof ApiDescription>;

/** A call on its way to the deciding thread. */
export interface ApiCall {
  /** Number of the call. */
  readonly call: number;
  /** What is asked. */
  readonly method: ApiMethod;
  /** The arguments: plain data. */
  readonly args: readonly unknown[];
}

/** What became of a call. */
export interface ApiReply {
  /** Number of the call. */
  readonly call: number;
  /** What it resolved to; plain data. */
  readonly value?: unknown;
  /** How it failed. */
  readonly failure?: CallFailure;
}

/** An error of a call as it crosses threads. */
export interface CallFailure extends Failure {
  /** What else a Problem has. */
  readonly problem?: Pick<Problem, "kind" | "members" | "retryAfter">;
}

/** All methods; the compiler finds one that is missing. */
const METHODS: Readonly<Record<ApiMethod, true>> = {
  notReady: true,
  score: true,
  addPayments: true,
  addLabels: true,
  payment: true,
  customer: true,
  terminal: true,
  rules: true,
  replaceRules: true,
  lists: true,
  list: true,
  replaceList: true,
  metrics: true,
};

/** The calling side. */
export interface RemoteApi {
  /** The stream. */
  readonly api: StreamApi;
  /** Takes replies. */
  receive(replies: readonly ApiReply[]): void;
}

/** A stream whose calls go out by `send`. */
export function remoteApi(
  description: ApiDescription,
  send: (calls: readonly ApiCall[]) => void,
): RemoteApi {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const out = new Batch<ApiCall>(send);
  let calls = 0;
  const ask = (method: ApiMethod) => (...args: readonly unknown[]) => {
    const call = ++calls;
    const reply = Promise.withResolvers<unknown>();
    waiting.set(call, reply);
    out.add({ call, method, args });
    return reply.promise;
  };
  const methods = Object.keys(METHODS) as ApiMethod[];
  const api = Object.fromEntries(methods.map((name) => [name, ask(name)]));
  return {
    api: { ...description, ...api } as StreamApi,
    receive(replies) {
      for (const { call, value, failure } of replies) {
        const reply = waiting.get(call);
        waiting.delete(call);
        if (failure) reply?.reject(failedAs(failure));
        else reply?.resolve(value);
      }
    },
  };
}

/** The answering side: gives calls to the stream, and their replies to `send`. */
export function answering(
  api: StreamApi,
  send: (replies: readonly ApiReply[]) => void,
): (calls: readonly ApiCall[]) => void {
  const out = new Batch<ApiReply>(send);
  const take = async ({ call, method, args }: ApiCall) => {
    try {
      const run = api[method] as (...args: readonly unknown[]) => unknown;
      out.add({ call, value: await run.call(api, ...args) });
    } catch (error) {
      out.add({ call, failure: crossing(error) });
    }
  };
  return (calls) => {
    for (const call of calls) take(call);
  };
}

/** Gathers what is added before the running task and its microtasks end. */
class Batch<T> {
  readonly #send: (items: readonly T[]) => void;
  #items: T[] = [];

  constructor(send: (items: readonly T[]) => void) {
    this.#send = send;
  }

  add(item: T): void {
    this.#items.push(item);
    if (this.#items.length > 1) return;
    queueMicrotask(() => {
      const items = this.#items;
      this.#items = [];
      this.#send(items);
    });
  }
}

function crossing(error: unknown): CallFailure {
  const failure = failureOf(error);
  if (!(error instanceof Problem)) return failure;
  const { kind, members, retryAfter } = error;
  return { ...failure, problem: { kind, members, retryAfter } };
}

function failedAs(failure: CallFailure): Error {
  const { problem, message } = failure;
  if (!problem) return errorOf(failure);
  const { kind, members, retryAfter } = problem;
  return new Problem(kind satisfies ProblemKind, message, {
    members,
    ...retryAfter !== undefined && { retryAfter },
  });
}
