import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { z } from "zod";
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../../src/definition/payment_mapper.ts";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { paymentExample } from "../../src/api/http/payment_schema.ts";
import { timeExample } from "../../src/api/http/time_example.ts";
import { timeReader } from "../../src/definition/time_format.ts";
import { Zone } from "../../src/definition/zone.ts";
import { MemoryApi, openApi } from "./memory_api.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

async function documentOf(name: string, tokensFile?: string): Promise<Json> {
  const settings = { ratePerSecond: 1e6, ...tokensFile && { tokensFile } };
  const { ask } = openApi(settings, { api: new MemoryApi(name) });
  return await (await ask("/openapi.json")).json();
}

/** A schema with its references replaced. */
function resolved(schema: Json, document: Json): Json {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((s) => resolved(s, document));
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace("#/components/schemas/", "");
    const found = document.components.schemas[name];
    assert.ok(found, `${schema.$ref} leads nowhere`);
    return resolved(found, document);
  }
  return Object.fromEntries(
    Object.entries(schema).map((
      [key, value],
    ) => [key, resolved(value, document)]),
  );
}

function operationsOf(document: Json): [string, string, Json][] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) =>
      [path, method, operation] as [string, string, Json]
    )
  );
}

/** The bodies, answers and parameters of a document: where, schema, example. */
function examplesOf(document: Json): [string, Json, Json][] {
  return operationsOf(document).flatMap(([path, method, operation]) => {
    const place = `${method} ${path}`;
    const contents = Object.entries<Json>({
      request: operation.requestBody,
      ...operation.responses,
    });
    return [
      ...(operation.parameters ?? []).map((
        parameter: Json,
      ) => [
        `${place} ${parameter.name}`,
        parameter.schema,
        parameter.example ??
          parameter.schema.example,
      ]).filter(([, , example]: Json[]) => example !== undefined),
      ...contents.flatMap(([name, body]) =>
        Object.entries<Json>(body?.content ?? {}).map(
          ([type, { schema, example }]) =>
            [`${place} ${name} ${type}`, schema, example] as [
              string,
              Json,
              Json,
            ],
        )
      ),
    ];
  });
}

for (const name of Object.keys(BUILT_IN_DEFINITIONS)) {
  Deno.test(`the examples of ${name} fit their schemas`, async () => {
    const document = await documentOf(name);
    let seen = 0;
    for (const [place, schema, example] of examplesOf(document)) {
      assert.notEqual(example, undefined, `${place} has no example`);
      const checked = z.fromJSONSchema(resolved(schema, document))
        .safeParse(example);
      assert.ok(checked.success, `${place}: ${checked.error}`);
      seen++;
    }
    assert.ok(seen > 80, `only ${seen} examples were seen`);
  });

  Deno.test(`the example of ${name} is a payment of it`, () => {
    const { definition } = new MemoryApi(name);
    const mapper = new PaymentMapper(definition);
    const payment = paymentExample(definition, 1_700_000_000);
    const values = mapper.fields.map((field) => payment[field]);
    const into = emptyMappedPayment();
    assert.equal(mapper.map(values, 1, into), undefined);
    const { datetimeSeconds } = into;
    assert.equal(datetimeSeconds - datetimeSeconds % 60, 1_699_999_980);
    assert.equal(into.amountUnits, 4250);
  });
}

Deno.test("the document has what OpenAPI 3.1 demands", async () => {
  const document = await documentOf("live");
  assert.match(document.openapi, /^3\.1\.\d$/);
  const ids = new Set<string>();
  const tags = document.tags.map(({ name }: Json) => name);
  for (const [path, method, operation] of operationsOf(document)) {
    assert.match(method, /^(get|put|post)$/);
    assert.ok(!ids.has(operation.operationId), operation.operationId);
    ids.add(operation.operationId);
    assert.ok(operation.tags.every((tag: string) => tags.includes(tag)));
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = (operation.parameters ?? []).filter((p: Json) =>
      p.in === "path"
    );
    assert.deepEqual(parameters.map((p: Json) => p.name), named);
    assert.ok(parameters.every((p: Json) => p.required === true));
    for (const response of Object.values<Json>(operation.responses)) {
      assert.equal(typeof response.description, "string");
    }
  }
  assert.deepEqual([...ids].sort(), [
    ...["addLabels", "addPayments", "customer", "docs", "healthz", "list"],
    ...["lists", "metrics", "openApi", "payment", "readyz", "replaceList"],
    ...["replaceRules", "rules", "score", "terminal"],
  ]);
  assert.deepEqual(Object.keys(document.paths["/v1/score"].post.responses), [
    ...["200", "400", "403", "409", "413", "415", "422", "429", "500", "503"],
    "504",
  ]);
});

Deno.test("tokens are described only where they are needed", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, `a score ${"0".repeat(64)}`);
    const { components, paths } = await documentOf("live", path);
    assert.equal(components.securitySchemes.bearer.scheme, "bearer");
    assert.deepEqual(paths["/v1/score"].post.security, [{ bearer: ["score"] }]);
    assert.ok(paths["/v1/score"].post.responses["401"]);
    assert.deepEqual(paths["/healthz"].get.security, []);
  } finally {
    await Deno.remove(path);
  }
  const open = await documentOf("live");
  assert.equal(open.components.securitySchemes, undefined);
  assert.equal(open.paths["/v1/score"].post.responses["401"], undefined);
});

Deno.test("the payments of the document are of when it is asked for", async () => {
  let now = 0;
  const { ask } = openApi({}, { now: () => now });
  const clock = Date.now;
  const timeAt = async (hours: number) => {
    now = hours * 3_600_000;
    Date.now = () => Date.UTC(2030, 0, 1) + now;
    const { paths } = await (await ask("/openapi.json")).json();
    const { content } = paths["/v1/score"].post.requestBody;
    return content["application/json"].example.TX_DATETIME;
  };
  try {
    assert.equal(await timeAt(1), "2030-01-01T01:00:00Z");
    assert.equal(await timeAt(49), "2030-01-03T01:00:00Z");
  } finally {
    Date.now = clock;
  }
});

Deno.test("a document is not made for each request", async () => {
  let now = 0;
  const api = new MemoryApi();
  let made = 0;
  const { featureNames } = api;
  Object.defineProperty(api, "featureNames", {
    get: () => (made++, featureNames),
  });
  const { ask } = openApi({}, { api, now: () => now });
  const readsOf = async (path: string) => {
    const before = made;
    await (await ask(path)).text();
    return made - before;
  };
  assert.ok(await readsOf("/openapi.json") > 0);
  now = 59_999;
  assert.equal(await readsOf("/docs"), 0);
  assert.equal(await readsOf("/openapi.json"), 0);
  now = 60_000;
  assert.ok(await readsOf("/docs") > 0);
});

Deno.test("the page shows each operation and asks no other host", async () => {
  const { ask } = openApi();
  const response = await ask("/docs");
  const page = await response.text();
  const policy = response.headers.get("content-security-policy") ?? "";
  const [, style] = /<style>([^]*)<\/style>/.exec(page) ?? [];
  const digest = createHash("sha256").update(style).digest("base64");
  assert.ok(policy.includes(`style-src 'sha256-${digest}'`));
  assert.match(policy, /^default-src 'none'/);
  assert.doesNotMatch(page, /<script|<img|<link|src=/);
  for (const [, url] of page.matchAll(/href="([^"]*)"/g)) {
    assert.match(url, /^(#|\/openapi\.json$)/);
    if (url.startsWith("#")) {
      assert.ok(page.includes(`id="${url.slice(1)}"`), url);
    }
  }
  assert.equal(page.match(/<section /g)?.length, 16);
});

Deno.test("timeExample() writes what a format reads", () => {
  const seconds = 1_700_000_007;
  for (
    const format of [
      ...["iso", "epoch-s", "epoch-ms", "epoch-us"],
      "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
      "EEE, d MMM yyyy h:mm:ss a",
      "EEEE dd MMMM yy HH:mm:ss Z",
      "M/d/yyyy HH:mm:ss",
    ]
  ) {
    for (const zone of ["UTC", "America/New_York", "Asia/Kolkata"]) {
      const written = String(timeExample({ format, zone }, seconds));
      const read = timeReader(format, new Zone(zone))(written);
      assert.equal(read, seconds, `${format} ${zone}: ${written}`);
    }
  }
});
