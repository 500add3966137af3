/** The OpenAPI 3.1 document of the API, from the operations that the router serves. */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { PROBLEM_STATUS, type ProblemKind } from "../problem.ts";
import type { IdKind } from "../../payment/payment_shape.ts";
import type { StreamApi } from "../stream_api.ts";
import type { ApiSettings } from "./api_settings.ts";
import { SCOPE_LIST } from "./operations.ts";
import { paymentSchema } from "./payment_schema.ts";
import { problemType } from "./problem_document.ts";

const DESCRIPTION =
  "Sends card payments to a stream and answers with its decisions. Errors " +
  "are problem documents by RFC 9457. A path that is not described gets 404, " +
  "another method of a path 405 with Allow.";

/**
 * Adds the schemas to an application; returns the document's maker.
 *
 * @internal (deno doc --lint would want hono documented)
 */
export function openApiDocument(
  // deno-lint-ignore no-explicit-any
  app: OpenAPIHono<any>,
  api: StreamApi,
  { tokensFile }: ApiSettings,
): () => object {
  const registry = app.openAPIRegistry;
  for (const [name, schema] of Object.entries(schemasOf(api))) {
    registry.register(name, schema);
  }
  const payment = { ...paymentSchema(api.definition) };
  registry.registerComponent("schemas", "Payment", payment);
  if (tokensFile !== undefined) {
    registry.registerComponent("securitySchemes", "bearer", {
      type: "http",
      scheme: "bearer",
      description: `A token with a scope: ${SCOPE_LIST}.`,
    });
  }
  return () =>
    app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "fraudstream", version: "1", description: DESCRIPTION },
      servers: [{ url: "/" }],
      tags: ["Decisions", "Reading", "Rules and lists", "Operation"]
        .map((name) => ({ name })),
    });
}

function schemasOf({ shape, featureNames }: StreamApi) {
  const names = z.array(z.string());
  const idOf = (kind: IdKind) => kind === "text" ? z.string() : z.int().min(0);
  const numbers = z.record(z.string(), z.number());
  const features = z.object(
    Object.fromEntries(featureNames.map((name) => [name, z.number()])),
  );
  const version = z.string().nullable();
  const decision = z.object({
    TRANSACTION_ID: idOf(shape.transactionId),
    DECISION: z.enum(["approve", "review", "decline"]),
    SCORE: z.number().min(0).max(1).nullable(),
    ALERT: z.union([z.literal(0), z.literal(1)]),
    REASONS: names,
    RULES: names,
    SHADOW_RULES: names,
    CONTRIBUTIONS: numbers.nullable(),
    SHADOW_SCORES: numbers.nullable(),
    MODEL_VERSION: z.string(),
    RULES_VERSION: version,
    LISTS_VERSION: version,
    THRESHOLD: z.number().nullable(),
    RECORD: z.object({ PARTITION: z.int().min(0), OFFSET: z.int().min(0) }),
    FEATURES: features.optional(),
  });
  const stored = z.looseObject({ TRANSACTION_ID: idOf(shape.transactionId) });
  const label = z.looseObject({
    TRANSACTION_ID: z.union([z.string(), z.int()]),
    TX_FRAUD: z.union([z.literal(0), z.literal(1), z.null()]),
    KNOWN_AT: z.string().optional(),
    REASON: z.string().max(1000).optional(),
    SOURCE: z.string().max(1000).optional(),
  });
  const history = {
    FEATURES: features.nullable(),
    PAYMENTS: z.array(stored),
    LABELS: z.array(z.looseObject({})),
  };
  const payment = z.any().openapi(
    { $ref: "#/components/schemas/Payment" } as never,
  );
  const kinds = Object.keys(PROBLEM_STATUS) as ProblemKind[];
  return {
    Payments: z.union([z.array(payment), payment]),
    Label: label,
    Labels: z.union([z.array(label), label]),
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
    StoredPayment: z.looseObject({
      PAYMENT: stored,
      FEATURES: features,
      LABELS: z.array(z.looseObject({})),
      PREDICTION: z.looseObject({}).nullable(),
    }),
    Customer: z.looseObject({
      CUSTOMER_ID: idOf(shape.customerId),
      ...history,
    }),
    Terminal: z.looseObject({
      TERMINAL_ID: idOf(shape.terminalId),
      ...history,
    }),
    Rules: z.object({ VERSION: version, YAML: z.string() }),
    Lists: z.looseObject({
      LISTS: z.array(z.looseObject({ NAME: z.string() })),
    }),
    List: z.object({ NAME: z.string(), VERSION: version, CSV: z.string() }),
    Problem: z.looseObject({
      type: z.enum(kinds.map(problemType)),
      title: z.string(),
      status: z.int().min(400).max(599),
      detail: z.string(),
    }),
  };
}
