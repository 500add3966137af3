/**
 * The operations of the API, as the router validates and the OpenAPI document
 * describes them: paths, parameters, bodies, answers, problems, examples.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { IdKind } from "../../payment/payment_shape.ts";
import { ID_BYTES_MAX } from "../../payment/text_rule.ts";
import { Problem, PROBLEM_STATUS, type ProblemKind } from "../problem.ts";
import type { StreamApi } from "../stream_api.ts";
import { type AnswerExamples, answerExamples } from "./answer_examples.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";
import { type Scope, SCOPES } from "./api_tokens.ts";
import {
  PROBLEM_TITLES,
  PROBLEM_TYPE,
  problemDocument,
} from "./problem_document.ts";

/**
 * The operations by their names.
 *
 * @internal (deno doc --lint would want zod documented)
 */
export type Operations = ReturnType<typeof operationsOf>;

/**
 * The operations of a stream.
 *
 * @internal
 */
// deno-lint-ignore explicit-module-boundary-types
export function operationsOf(api: StreamApi, settings: ApiSettings) {
  const examples = answerExamples(api);
  const make = makerOf(settings);
  return {
    ...decisions(make, examples),
    ...reading(make, examples, api),
    ...rules(make, examples),
    ...lists(make, examples),
    ...health(make),
  };
}

type Make = ReturnType<typeof makerOf>;

/** How each operation is secured, and which problems it may answer. */
function makerOf({ tokensFile, ratePerSecond }: ApiSettings) {
  const guarded = tokensFile !== undefined;
  return {
    security: (scope: Scope) => guarded ? [{ bearer: [scope] }] : [],
    problems: (...kinds: readonly ProblemKind[]) =>
      problemResponses([
        ...guarded ? ["unauthorized"] as const : [],
        "forbidden",
        ...ratePerSecond === undefined ? [] : ["too-many-requests"] as const,
        ...kinds,
        "internal",
      ]),
    open: (...kinds: readonly ProblemKind[]) =>
      problemResponses(["forbidden", ...kinds, "internal"]),
  };
}

const RETRY_AFTER = {
  description: "Seconds after which it may be tried again.",
  schema: { type: "integer", minimum: 1 } as const,
  example: 1,
};

function problemResponses(kinds: readonly ProblemKind[]) {
  const waits: readonly ProblemKind[] = ["too-many-requests", "unavailable"];
  const seen = [...new Set(kinds)];
  return Object.fromEntries(seen.map((kind) => [
    String(PROBLEM_STATUS[kind]),
    {
      description: PROBLEM_TITLES[kind],
      headers: {
        ...waits.includes(kind) && { "Retry-After": RETRY_AFTER },
        ...kind === "unauthorized" && {
          "WWW-Authenticate": {
            description: "How to authenticate.",
            schema: { type: "string" } as const,
            example: 'Bearer realm="fraudstream"',
          },
        },
      },
      content: {
        [PROBLEM_TYPE]: {
          schema: { $ref: "#/components/schemas/Problem" },
          example: problemDocument(new Problem(kind, PROBLEM_EXAMPLES[kind])),
        },
      },
    },
  ]));
}

/** A detail of each kind of problem. */
const PROBLEM_EXAMPLES: Readonly<Record<ProblemKind, string>> = {
  "bad-request": "the body is not a JSON object",
  unauthorized: "the request needs a token that is in the file of tokens; " +
    "send it as Authorization: Bearer TOKEN",
  forbidden: "the token lacks the scope score; use another one, or add the " +
    "scope to its line in the file of tokens",
  "not-found": "there is no such payment",
  "method-not-allowed": "the path does not have the method DELETE; it has POST",
  "conflicting-id": "the stream has another payment with this TRANSACTION_ID",
  outdated: "the rules have changed since; read them again",
  "too-large": "the body may have at most 65536 bytes; send less at once",
  "unsupported-media-type": "the Content-Type must be application/json, in " +
    "UTF-8 and without a Content-Encoding",
  rejected: "TX_AMOUNT -1 is negative",
  "precondition-required": "say which version is replaced: If-Match with the " +
    "ETag of GET, or If-None-Match: * where there is none yet",
  "too-many-requests":
    "more requests per second than --api-rate allows; send fewer",
  internal: "an error of this program; its log has the details",
  unavailable: "too many payments wait for their decision; try again",
  unknown: "no decision within the deadline; ask again with the same payment",
};

/** A body or an answer of a component's schema. */
function ofSchema(name: string, example: unknown) {
  return { schema: { $ref: `#/components/schemas/${name}` }, example };
}

function answer(description: string, name: string, example: unknown) {
  return {
    description,
    content: { "application/json": ofSchema(name, example) },
  };
}

/** A text as an example, and its schema. */
function textBody(example: string) {
  return { schema: { type: "string" } as const, example };
}

const ETAG = {
  description: "The version, for If-Match.",
  schema: { type: "string" } as const,
  example: '"3f1c9a0b7d24e586"',
};

function decisions({ security, problems }: Make, examples: AnswerExamples) {
  const { payment, payments, labels } = examples;
  const lines = (rows: readonly object[]) =>
    rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  return {
    score: createRoute({
      method: "post",
      path: "/v1/score",
      operationId: "score",
      tags: ["Decisions"],
      summary: "Decide about a payment",
      description:
        "Appends the payment to the stream and answers with its committed " +
        "decision. The same payment again gets the same answer, so a request " +
        "without an answer can be repeated. Another payment with a known " +
        "TRANSACTION_ID is refused (409).",
      security: security("score"),
      request: {
        query: z.strictObject({
          features: z.enum(["true", "false"]).optional().openapi({
            description: "Whether the answer has the payment's FEATURES.",
            example: "true",
          }),
        }),
        body: {
          required: true,
          content: { "application/json": ofSchema("Payment", payment) },
        },
      },
      responses: {
        200: {
          ...answer("The decision.", "Decision", examples.decision),
          headers: {
            "Server-Timing": {
              description:
                "Milliseconds until the payment was appended, and from then " +
                "until it was decided.",
              schema: { type: "string" } as const,
              example: "append;dur=0.41, decide;dur=3.2",
            },
          },
        },
        ...problems(
          ...["bad-request", "conflicting-id", "too-large"] as const,
          ...["unsupported-media-type", "rejected"] as const,
          ...["unavailable", "unknown"] as const,
        ),
      },
    }),
    addPayments: createRoute({
      method: "post",
      path: "/v1/payments",
      operationId: "addPayments",
      tags: ["Decisions"],
      summary: "Append payments without waiting for their decisions",
      description:
        "Takes a payment as JSON, or a payment per line (NDJSON). Lines that " +
        "the stream does not take are listed with their numbers; the others " +
        "are appended.",
      security: security("payments"),
      request: {
        body: {
          required: true,
          content: {
            "application/json": ofSchema("Payment", payment),
            "application/x-ndjson": textBody(lines(payments)),
          },
        },
      },
      responses: {
        202: answer("What was appended.", "Accepted", examples.accepted),
        ...problems(
          ...["bad-request", "too-large", "unsupported-media-type"] as const,
          ...["rejected", "unavailable"] as const,
        ),
      },
    }),
    addLabels: createRoute({
      method: "post",
      path: "/v1/labels",
      operationId: "addLabels",
      tags: ["Decisions"],
      summary: "Append labels",
      description:
        "Takes a label as JSON, a label per line (NDJSON), or CSV with a " +
        "header. All of them are appended, or none.",
      security: security("labels"),
      request: {
        body: {
          required: true,
          content: {
            "application/json": ofSchema("Label", labels[0]),
            "application/x-ndjson": textBody(lines(labels)),
            "text/csv": textBody(
              `TRANSACTION_ID,TX_FRAUD\n${labels[0].TRANSACTION_ID},1\n`,
            ),
          },
        },
      },
      responses: {
        202: answer("All were appended.", "AcceptedLabels", { ACCEPTED: 1 }),
        ...problems(
          ...["bad-request", "too-large", "unsupported-media-type"] as const,
          ...["rejected", "unavailable"] as const,
        ),
      },
    }),
  };
}

function idParameter(kind: IdKind, means: string, example: string) {
  const id = kind === "number"
    ? z.string().regex(/^(0|[1-9][0-9]{0,15})$/)
    : z.string().min(1).max(ID_BYTES_MAX);
  return z.object({
    id: id.openapi({
      param: { name: "id", in: "path" },
      description: means,
      example,
    }),
  });
}

function reading(
  { security, problems }: Make,
  examples: AnswerExamples,
  { shape }: StreamApi,
) {
  const shared = {
    method: "get" as const,
    tags: ["Reading"],
    security: security("read"),
  };
  const refused = problems("bad-request", "not-found", "unavailable");
  return {
    payment: createRoute({
      ...shared,
      path: "/v1/payments/{id}",
      operationId: "payment",
      summary: "A payment with its features, label and prediction",
      request: {
        params: idParameter(
          shape.transactionId,
          "TRANSACTION_ID.",
          examples.ids.payment,
        ),
      },
      responses: {
        200: answer("The payment.", "StoredPayment", examples.stored),
        ...refused,
      },
    }),
    customer: createRoute({
      ...shared,
      path: "/v1/customers/{id}",
      operationId: "customer",
      summary: "A card: its newest features and its latest 50 payments",
      request: {
        params: idParameter(
          shape.customerId,
          "CUSTOMER_ID, as the stream keeps it.",
          examples.ids.customer,
        ),
      },
      responses: {
        200: answer("The card.", "Customer", examples.customer),
        ...refused,
      },
    }),
    terminal: createRoute({
      ...shared,
      path: "/v1/terminals/{id}",
      operationId: "terminal",
      summary: "A terminal: its newest features and its latest 50 payments",
      request: {
        params: idParameter(
          shape.terminalId,
          "TERMINAL_ID, as the stream keeps it.",
          examples.ids.terminal,
        ),
      },
      responses: {
        200: answer("The terminal.", "Terminal", examples.terminal),
        ...refused,
      },
    }),
  };
}

/** The headers of a replacement. */
const REPLACEMENT = z.object({
  "If-Match": z.string()
    .regex(/^(\*|"[!#-~]{1,200}")$/, "must be one ETag in quotes, or *")
    .optional().openapi({
      description: "The ETag of the version that is replaced, or * for any.",
      example: ETAG.example,
    }),
  "If-None-Match": z.literal("*").optional().openapi({
    description: "* where there is none yet.",
  }),
});

/** The header of a read that is only wanted where something has changed. */
const KNOWN = z.object({
  "If-None-Match": z.string().optional().openapi({
    description: "ETags of the versions that are known.",
  }),
});

function versions(name: string, example: unknown) {
  const headers = { ETag: ETAG };
  return {
    read: {
      200: { ...answer("The newest version.", name, example), headers },
      304: { description: "The version is known.", headers },
    },
    written: {
      200: { ...answer("The new version.", name, example), headers },
      201: { ...answer("The first version.", name, example), headers },
      202: {
        ...answer("A second person has to approve it.", name, example),
        headers,
      },
    },
  };
}

function rules({ security, problems }: Make, examples: AnswerExamples) {
  const { read, written } = versions("Rules", examples.rules);
  const shared = {
    path: "/v1/rules",
    tags: ["Rules and lists"],
    security: security("rules"),
  };
  return {
    rules: createRoute({
      ...shared,
      method: "get",
      operationId: "rules",
      summary: "The rules",
      request: { headers: KNOWN },
      responses: { ...read, ...problems("unavailable") },
    }),
    replaceRules: createRoute({
      ...shared,
      method: "put",
      operationId: "replaceRules",
      summary: "Replace the rules",
      description:
        "Takes the text of a file of rules. Rules that cannot work are refused " +
        "(422) with the place of the mistake.",
      request: {
        headers: REPLACEMENT,
        body: {
          required: true,
          content: { "application/yaml": textBody(examples.rules.YAML) },
        },
      },
      responses: { ...written, ...problems(...REPLACING, "unavailable") },
    }),
  };
}

const REPLACING = [
  ...["bad-request", "outdated", "too-large"] as const,
  ...["unsupported-media-type", "rejected", "precondition-required"] as const,
];

const LIST = z.object({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/).openapi({
    param: { name: "name", in: "path" },
    description: "Its name in the rules.",
    example: "blocked_cards",
  }),
});

function lists({ security, problems }: Make, examples: AnswerExamples) {
  const { read, written } = versions("List", examples.list);
  const shared = { tags: ["Rules and lists"], security: security("rules") };
  return {
    lists: createRoute({
      ...shared,
      method: "get",
      path: "/v1/lists",
      operationId: "lists",
      summary: "The lists that rules ask",
      responses: {
        200: answer("The lists.", "Lists", examples.lists),
        ...problems("unavailable"),
      },
    }),
    list: createRoute({
      ...shared,
      method: "get",
      path: "/v1/lists/{name}",
      operationId: "list",
      summary: "A list",
      request: { params: LIST, headers: KNOWN },
      responses: {
        ...read,
        ...problems("bad-request", "not-found", "unavailable"),
      },
    }),
    replaceList: createRoute({
      ...shared,
      method: "put",
      path: "/v1/lists/{name}",
      operationId: "replaceList",
      summary: "Replace a list",
      description:
        "Takes CSV with the columns value and expires; a note is not kept.",
      request: {
        params: LIST,
        headers: REPLACEMENT,
        body: {
          required: true,
          content: { "text/csv": textBody(examples.list.CSV) },
        },
      },
      responses: {
        ...written,
        ...problems(...REPLACING, "not-found", "unavailable"),
      },
    }),
  };
}

function health({ security, problems, open }: Make) {
  const plain = (description: string, example: string) => ({
    description,
    content: { "text/plain": textBody(example) },
  });
  const shared = { method: "get" as const, tags: ["Operation"] };
  return {
    healthz: createRoute({
      ...shared,
      path: "/healthz",
      operationId: "healthz",
      summary: "Whether the program runs",
      security: [],
      responses: { 200: plain("It runs.", "ok\n"), ...open() },
    }),
    readyz: createRoute({
      ...shared,
      path: "/readyz",
      operationId: "readyz",
      summary: "Whether it can decide",
      security: [],
      responses: { 200: plain("It can.", "ready\n"), ...open("unavailable") },
    }),
    metrics: createRoute({
      ...shared,
      path: "/metrics",
      operationId: "metrics",
      summary: "Numbers for Prometheus",
      security: security("metrics"),
      responses: {
        200: plain(
          "The numbers.",
          'fraudstream_api_requests_total{route="/v1/score",method="POST",' +
            'status="200"} 12\n',
        ),
        ...problems(),
      },
    }),
    openApi: createRoute({
      ...shared,
      path: "/openapi.json",
      operationId: "openApi",
      summary: "This description, by OpenAPI 3.1",
      security: [],
      responses: {
        200: {
          description: "The description.",
          content: {
            "application/json": {
              schema: { type: "object" } as const,
              example: { openapi: "3.1.0" },
            },
          },
        },
        ...open(),
      },
    }),
    docs: createRoute({
      ...shared,
      path: "/docs",
      operationId: "docs",
      summary: "This description as a page",
      security: [],
      responses: {
        200: {
          description: "The page.",
          content: { "text/html": textBody("<!doctype html>") },
        },
        ...open(),
      },
    }),
  };
}

/** The scopes, for the description of the security scheme. */
export const SCOPE_LIST: string = SCOPES.join(", ");
