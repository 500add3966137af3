/** The OpenAPI 3.1 document of the API, from the operations that the router serves. */
import { OpenAPIHono, z } from "@hono/zod-openapi";
import { PROBLEM_STATUS, type ProblemKind } from "../problem.ts";
import type { JsonSchema } from "../../definition/shape.ts";
import type { IdKind } from "../../payment/payment_shape.ts";
import { ID_BYTES_MAX } from "../../payment/text_rule.ts";
import type { StreamApi } from "../stream_api.ts";
import type { ApiSettings } from "../../roles/api_settings.ts";
import { operationsOf, SCOPE_LIST } from "./operations.ts";
import { paymentSchema } from "./payment_schema.ts";
import { problemType } from "./problem_document.ts";

/** The texts that TX_FRAUD may be, as in files: in any case, empty to withdraw. */
const FRAUD_WORDS =
  "^([01](\\.0)?|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo])?$";

const DESCRIPTION =
  "Sends card payments to a stream and answers with its decisions. Errors " +
  "are problem documents by RFC 9457. A path that is not described gets 404, " +
  "another method of a path 405 with Allow.";

/** How long a document is shown: making one keeps decisions waiting, and its payments are of that moment. */
const FRESH_MS = 60_000;

/** The document, made when it is asked for; `now` is a clock in milliseconds. */
export function openApiDocument(
  api: StreamApi,
  settings: ApiSettings,
  now: () => number,
): () => object {
  let made: { readonly at: number; readonly document: object } | undefined;
  return () => {
    if (made === undefined || now() - made.at >= FRESH_MS) {
      made = { at: now(), document: documentOf(api, settings) };
    }
    return made.document;
  };
}

function documentOf(api: StreamApi, settings: ApiSettings): object {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  for (const operation of Object.values(operationsOf(api, settings))) {
    registry.registerPath(operation);
  }
  for (const [name, schema] of Object.entries(schemasOf(api))) {
    registry.register(name, schema);
  }
  for (const [name, schema] of Object.entries(bodySchemas(api))) {
    registry.registerComponent("schemas", name, { ...schema });
  }
  if (settings.tokensFile !== undefined) {
    registry.registerComponent("securitySchemes", "bearer", {
      type: "http",
      scheme: "bearer",
      description: `A token with a scope: ${SCOPE_LIST}.`,
    });
  }
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "fraudstream", version: "1", description: DESCRIPTION },
    servers: [{ url: "/" }],
    tags: ["Decisions", "Reading", "Rules and lists", "Operation"]
      .map((name) => ({ name })),
  });
}

/** The schemas of bodies, which the stream validates itself. */
function bodySchemas(
  { definition, shape }: StreamApi,
): Readonly<Record<string, JsonSchema>> {
  const id = shape.transactionId === "number"
    ? { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
    : { type: ["string", "integer"], minLength: 1, maxLength: ID_BYTES_MAX };
  return {
    Payment: paymentSchema(definition),
    Label: {
      type: "object",
      description: "What is said about a payment.",
      properties: {
        TRANSACTION_ID: id,
        TX_FRAUD: {
          description:
            "1: a fraud; 0: none; null: labels before are withdrawn.",
          anyOf: [
            { enum: [0, 1, false, true, null] },
            { type: "string", pattern: FRAUD_WORDS },
          ],
        },
        KNOWN_AT: {
          type: ["string", "null"],
          description: "When it became known, 'YYYY-MM-DD HH:MM:SS' in UTC.",
        },
        REASON: { type: ["string", "null"], maxLength: 1000 },
        SOURCE: { type: ["string", "null"], maxLength: 1000 },
      },
      required: ["TRANSACTION_ID", "TX_FRAUD"],
    },
  };
}

/** The schemas of answers. */
function schemasOf({ shape, featureNames }: StreamApi) {
  const names = z.array(z.string());
  const idOf = (kind: IdKind) => kind === "text" ? z.string() : z.int().min(0);
  const numbers = z.record(z.string(), z.number());
  const features = z.object(
    Object.fromEntries(
      featureNames.map((name) => [name, z.number().nullable()]),
    ),
  );
  const version = z.string().nullable();
  const decision = z.object({
    TRANSACTION_ID: idOf(shape.transactionId),
    DECISION: z.enum(["approve", "review", "decline"]),
    SCORE: z.number().min(0).max(1).nullable(),
    ALERT: z.int().min(0).max(1),
    REASONS: names,
    RULES: names,
    SHADOW_RULES: names,
    CONTRIBUTIONS: numbers.nullable(),
    SHADOW_SCORES: numbers.nullable(),
    MODEL_VERSION: z.string(),
    RULES_VERSION: version,
    LISTS_VERSION: version,
    THRESHOLD: z.number().nullable(),
    RECORD: z.object({ PARTITION: z.int().min(0), OFFSET: z.int().min(0) })
      .nullable(),
    FEATURES: features.optional(),
  });
  const label = z.object({
    KNOWN_AT: z.string(),
    TX_FRAUD: z.int().min(0).max(1).nullable(),
  });
  const payment = z.looseObject({
    TRANSACTION_ID: idOf(shape.transactionId),
    TX_DATETIME: z.string(),
    CUSTOMER_ID: idOf(shape.customerId),
    TERMINAL_ID: idOf(shape.terminalId),
    TX_AMOUNT: z.number(),
    TX_TIME_SECONDS: z.int(),
    TX_FRAUD: z.int().min(0).max(1).nullable(),
    LABEL: label.nullable(),
  });
  const history = {
    FEATURES: features.nullable(),
    PAYMENTS: z.array(payment),
  };
  const status = z.enum(["changed", "unchanged", "proposed"]).optional();
  const kinds = Object.keys(PROBLEM_STATUS) as ProblemKind[];
  return {
    Decision: decision,
    Accepted: z.object({
      ACCEPTED: z.int().min(0),
      REJECTED: z.array(
        z.object({
          LINE: z.int().min(1),
          REASON: z.string(),
          MESSAGE: z.string(),
        }),
      ),
    }),
    AcceptedLabels: z.object({ ACCEPTED: z.int().min(0) }),
    StoredPayment: payment.extend({
      LABELS: z.array(label),
      FEATURES: features,
      PREDICTION: decision.nullable(),
    }),
    Customer: z.looseObject({
      CUSTOMER_ID: idOf(shape.customerId),
      ...history,
    }),
    Terminal: z.looseObject({
      TERMINAL_ID: idOf(shape.terminalId),
      ...history,
    }),
    Rules: z.object({
      VERSION: version,
      YAML: z.string(),
      STATUS: status,
    }),
    Lists: z.looseObject({
      LISTS: z.array(z.looseObject({ NAME: z.string() })),
    }),
    List: z.object({
      NAME: z.string(),
      VERSION: version,
      CSV: z.string(),
      STATUS: status,
    }),
    Problem: z.looseObject({
      type: z.enum(kinds.map(problemType)),
      title: z.string(),
      status: z.int().min(400).max(599),
      detail: z.string(),
    }),
  };
}
