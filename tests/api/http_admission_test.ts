import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/base/error.ts";
import { checkApiExposure } from "../../src/roles/api_settings.ts";
import {
  ApiTokens,
  makeToken,
  parseApiTokens,
  readScopes,
} from "../../src/api/http/api_tokens.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { keptLog, openApi } from "./memory_api.ts";

const scopeOf = (text: string) => readScopes(text);

Deno.test("a token opens what its scopes name", async () => {
  await using folder = temporaryFolder();
  const tokensFile = join(folder.path, "tokens");
  const till = makeToken("till", scopeOf("score"));
  const all = makeToken("admin", scopeOf("all"));
  Deno.writeTextFileSync(tokensFile, `# tokens\n\n${till.line}\n${all.line}\n`);
  const { api, ask, post } = openApi({ tokensFile });
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  for (const headers of [{}, as("fst_wrong"), { authorization: till.token }]) {
    const response = await post(
      "/v1/score",
      "{}",
      headers as Record<string, string>,
    );
    assert.equal(response.status, 401);
    assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
  }
  assert.equal((await ask("/metrics")).status, 401);
  assert.equal((await ask("/healthz")).status, 200);
  assert.equal(api.calls.length, 0);
  assert.equal((await post("/v1/score", "{}", as(till.token))).status, 200);
  const forbidden = await post("/v1/labels", "{}", as(till.token));
  assert.equal(forbidden.status, 403);
  assert.match((await forbidden.json()).detail, /lacks the scope labels/);
  const put = await ask("/v1/rules", {
    method: "PUT",
    body: "a",
    headers: {
      ...as(all.token),
      "content-type": "application/yaml",
      "if-none-match": "*",
    },
  });
  assert.equal(put.status, 201);
  assert.deepEqual(api.calls.at(-1)?.args, ["a", null, "admin"]);
});

Deno.test("a file of tokens that changes counts at once", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "tokens");
  const first = makeToken("first", scopeOf("score"));
  const second = makeToken("second", scopeOf("read,rules"));
  Deno.writeTextFileSync(path, first.line);
  const logger = keptLog();
  const tokens = new ApiTokens(path, logger);
  const nameOf = (token: string) => tokens.find(`bearer ${token}`)?.name;
  assert.equal(nameOf(first.token), "first");
  const changed = async (until: () => boolean) => {
    const latest = Date.now() + 10_000;
    while (!until()) {
      assert.ok(Date.now() < latest, "the change was not seen");
      await new Promise((resolve) => setTimeout(resolve, 20));
      await tokens.refresh();
    }
  };
  Deno.writeTextFileSync(path, second.line);
  await changed(() => nameOf(second.token) === "second");
  assert.equal(nameOf(first.token), undefined);
  Deno.writeTextFileSync(path, "broken");
  await changed(() => logger.lines.length > 0);
  assert.match(logger.lines[0], /the tokens of before still count.*:1: /);
  Deno.removeSync(path);
  await changed(() => logger.lines.at(-1)?.includes("no such file") === true);
  assert.equal(nameOf(second.token), "second");
  const warnings = logger.lines.length;
  Deno.writeTextFileSync(path, first.line);
  await changed(() => nameOf(first.token) === "first");
  assert.equal(logger.lines.length, warnings);
});

Deno.test("a bad file of tokens is refused with the line", () => {
  const { line } = makeToken("a", scopeOf("score"));
  for (
    const [text, message] of [
      ["", /tokens has no token/],
      ["# none\n", /tokens has no token/],
      [`${line}\n\n${line}`, /tokens:3: line 1 has the same token/],
      ["\na score 00", /tokens:2: a line must be a name/],
      [`${line} more`, /tokens:1: a line must be/],
      [line.replace("score", "scores"), /tokens:1: the scopes must be/],
      [line.replace("a ", "/ "), /tokens:1: the name of a token must be/],
    ] as const
  ) {
    const expected = { name: "ConfigError", message };
    assert.throws(() => parseApiTokens(text, "tokens"), expected);
  }
});

Deno.test("without tokens only this machine may reach the API", () => {
  checkApiExposure({ host: "::1", tokensFile: undefined });
  checkApiExposure({ host: "0.0.0.0", tokensFile: "tokens" });
  const open = { host: "0.0.0.0", tokensFile: undefined };
  assert.throws(() => checkApiExposure(open), ConfigError);
});

Deno.test("a client that asks too often has to wait", async () => {
  let now = 0;
  const { server } = openApi({ ratePerSecond: 2 }, { now: () => now });
  const ask = async (address: string, path = "/v1/rules") => {
    const request = new Request(`http://127.0.0.1${path}`);
    const response = await server.fetch(request, address);
    return [response.status, response.headers.get("retry-after")];
  };
  assert.deepEqual(await ask("a"), [200, null]);
  assert.deepEqual(await ask("a"), [200, null]);
  assert.deepEqual(await ask("a"), [429, "1"]);
  assert.deepEqual(await ask("b"), [200, null]);
  assert.deepEqual(await ask("a", "/healthz"), [200, null]);
  now = 499;
  assert.deepEqual(await ask("a"), [429, "1"]);
  now = 500;
  assert.deepEqual(await ask("a"), [200, null]);
  assert.deepEqual(await ask("a"), [429, "1"]);
  now = 60_000;
  for (let i = 0; i < 2; i++) assert.deepEqual(await ask("a"), [200, null]);
  assert.deepEqual(await ask("a"), [429, "1"]);
});

Deno.test("pages of other origins and foreign names are refused", async () => {
  const { api, post } = openApi();
  for (
    const [headers, status] of [
      [{ origin: "https://evil.example" }, 403],
      [{ origin: "null" }, 403],
      [{ host: "evil.example:8090" }, 403],
      [{ host: "evil.example", origin: "http://evil.example" }, 403],
      [{ host: "127.0.0.1:99999" }, 400],
      [{ host: "localhost:8090" }, 200],
      [{ host: "[::1]:8090" }, 200],
      [{ host: "127.0.0.1:8090", origin: "http://127.0.0.1:8090" }, 200],
    ] as const
  ) {
    const response = await post("/v1/score", "{}", headers);
    assert.equal(response.status, status, JSON.stringify(headers));
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  }
  assert.equal(api.calls.length, 3);
});

Deno.test("an allowed origin gets a preflight, also for problems its headers", async () => {
  const origin = "https://till.example";
  const { ask, post } = openApi({ allowOrigins: [origin] });
  const preflight = (origin: string) =>
    ask("/v1/score", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
  const allowed = await preflight(origin);
  assert.equal(allowed.status, 204);
  const { headers } = allowed;
  assert.equal(headers.get("access-control-allow-origin"), origin);
  assert.match(headers.get("access-control-allow-methods") ?? "", /POST/);
  assert.match(
    headers.get("access-control-allow-headers") ?? "",
    /Authorization/i,
  );
  assert.equal((await preflight("https://other.example")).status, 403);
  for (const body of ["{}", "{"]) {
    const { headers } = await post("/v1/score", body, { origin });
    assert.equal(headers.get("access-control-allow-origin"), origin);
    assert.match(headers.get("vary") ?? "", /Origin/);
    assert.match(
      headers.get("access-control-expose-headers") ?? "",
      /ETag/,
    );
  }
});
