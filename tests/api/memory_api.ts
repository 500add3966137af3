/** A stream that keeps what it is sent in memory, for tests of the HTTP application. */
import type { Logger } from "../../src/base/logger.ts";
import { parseExactly } from "../../src/base/exact_json.ts";
import { shapeOf } from "../../src/definition/definition_shape.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { Problem } from "../../src/api/problem.ts";
import type {
  ApiMetric,
  BodyFormat,
  ScoreAnswer,
  StreamApi,
  VersionedAnswer,
} from "../../src/api/stream_api.ts";
import { type ApiServer, apiServer } from "../../src/api/http/api_server.ts";
import { answerExamples } from "../../src/api/http/answer_examples.ts";
import { type ApiSettings, BODY_LIMITS } from "../../src/roles/api_settings.ts";

/** What a call got. */
export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The stream. */
export class MemoryApi implements StreamApi {
  readonly definition;
  readonly shape;
  readonly featureNames: readonly string[] = ["CUSTOMER_NB_TX_1DAY"];
  /** What notReady() says. */
  waitsFor: string | undefined;
  readonly calls: Call[] = [];
  /** Thrown by the next calls, if set. */
  failure: Error | undefined;
  /** Awaited by score(). */
  wait: Promise<void> | undefined;
  #rules: string | null = null;
  #lists = new Map<string, string>();

  constructor(name = "live") {
    this.definition = readDefinition(BUILT_IN_DEFINITIONS[name], name);
    this.shape = shapeOf(this.definition);
  }

  async score(body: string, withFeatures: boolean): Promise<ScoreAnswer> {
    this.#call("score", body, withFeatures);
    await this.wait;
    try {
      parseExactly(body);
    } catch {
      throw new Problem("bad-request", "the body is not JSON");
    }
    const json = JSON.stringify(answerExamples(this).decision);
    return { json, waitedMs: 0.4123, decidedMs: 3.2 };
  }

  addPayments(body: string, format: "json" | "ndjson"): Promise<string> {
    this.#call("addPayments", body, format);
    return Promise.resolve('{"ACCEPTED":1,"REJECTED":[]}');
  }

  addLabels(body: string, format: BodyFormat): Promise<string> {
    this.#call("addLabels", body, format);
    return Promise.resolve('{"ACCEPTED":1}');
  }

  payment(id: string): Promise<string> {
    this.#call("payment", id);
    return Promise.resolve(JSON.stringify(answerExamples(this).stored));
  }

  customer(id: string): Promise<string> {
    this.#call("customer", id);
    return Promise.resolve(JSON.stringify(answerExamples(this).customer));
  }

  terminal(id: string): Promise<string> {
    this.#call("terminal", id);
    return Promise.resolve(JSON.stringify(answerExamples(this).terminal));
  }

  // deno-lint-ignore require-await
  async rules(): Promise<VersionedAnswer> {
    this.#call("rules");
    return this.#rulesAnswer();
  }

  // deno-lint-ignore require-await
  async replaceRules(
    yaml: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    this.#call("replaceRules", yaml, version, who);
    if (version !== this.#rulesAnswer().version) {
      throw new Problem("outdated", "the rules have changed");
    }
    this.#rules = yaml;
    return this.#rulesAnswer();
  }

  // deno-lint-ignore require-await
  async lists(): Promise<string> {
    this.#call("lists");
    const LISTS = [...this.#lists].map(([NAME, csv]) => ({
      NAME,
      VERSION: versionOf(csv),
      ENTRIES: csv.split("\n").length - 1,
    }));
    return JSON.stringify({ LISTS });
  }

  // deno-lint-ignore require-await
  async list(name: string): Promise<VersionedAnswer> {
    this.#call("list", name);
    const csv = this.#lists.get(name);
    if (csv === undefined) throw new Problem("not-found", "no such list");
    return listAnswer(name, csv);
  }

  // deno-lint-ignore require-await
  async replaceList(
    name: string,
    csv: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    this.#call("replaceList", name, csv, version, who);
    const before = this.#lists.get(name);
    if (version !== (before === undefined ? null : versionOf(before))) {
      throw new Problem("outdated", "the list has changed");
    }
    this.#lists.set(name, csv);
    return listAnswer(name, csv);
  }

  notReady(): Promise<string | undefined> {
    return Promise.resolve(this.waitsFor);
  }

  metrics(): Promise<readonly ApiMetric[]> {
    return Promise.resolve([{
      name: "waiting",
      kind: "gauge",
      help: "Payments that wait.",
      value: 7,
    }]);
  }

  #call(method: string, ...args: unknown[]): void {
    this.calls.push({ method, args });
    if (this.failure) throw this.failure;
  }

  #rulesAnswer(): VersionedAnswer {
    const yaml = this.#rules;
    const version = yaml === null ? null : versionOf(yaml);
    return {
      json: JSON.stringify({ VERSION: version, YAML: yaml ?? "" }),
      version,
    };
  }
}

function versionOf(text: string): string {
  return `v${text.length}`;
}

function listAnswer(name: string, csv: string): VersionedAnswer {
  const version = versionOf(csv);
  const json = JSON.stringify({ NAME: name, VERSION: version, CSV: csv });
  return { json, version };
}

/** A logger that keeps its lines. */
export function keptLog(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const write = (message: string, fields?: Record<string, unknown>) => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { lines, info: write, warn: write, error: write };
}

/** The settings of an API on this machine without tokens. */
export const SETTINGS: ApiSettings = {
  host: "127.0.0.1",
  port: 0,
  tokensFile: undefined,
  tls: undefined,
  ratePerSecond: undefined,
  allowOrigins: [],
  bodies: BODY_LIMITS,
};

/** An application over a stream in memory, and how it is asked. */
export interface OpenedApi {
  readonly api: MemoryApi;
  readonly server: ApiServer;
  readonly logger: ReturnType<typeof keptLog>;
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  readonly post: (
    path: string,
    body: BodyInit,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

/** Makes one. */
export function openApi(
  settings: Partial<ApiSettings> = {},
  { api = new MemoryApi(), now }: {
    readonly api?: MemoryApi;
    readonly now?: () => number;
  } = {},
): OpenedApi {
  const logger = keptLog();
  const server = apiServer(api, { ...SETTINGS, ...settings }, {
    logger,
    ...now && { now },
  });
  const ask = (path: string, init?: RequestInit) =>
    server.fetch(new Request(`http://127.0.0.1${path}`, init), "127.0.0.1");
  const post = (
    path: string,
    body: BodyInit,
    headers: Record<string, string> = {},
  ) =>
    ask(path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    });
  return { api, server, logger, ask, post };
}
