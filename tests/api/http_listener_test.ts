import assert from "node:assert/strict";
import { join } from "node:path";
import { listenApi } from "../../src/api/http/api_listener.ts";
import type { ApiSettings } from "../../src/roles/api_settings.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { openApi, SETTINGS } from "./memory_api.ts";
import { selfSigned } from "./self_signed.ts";

function listening(over: Partial<ApiSettings> = {}, quietMs = 60_000) {
  const settings = { ...SETTINGS, ...over };
  return listenApi(settings, openApi(settings).server, quietMs);
}

const SCORE = {
  method: "POST",
  body: "{}",
  headers: { "content-type": "application/json" },
};

Deno.test("the API answers over plain HTTP, also to many at once", async () => {
  await using listener = await listening();
  assert.match(listener.address, /^http:\/\/127\.0\.0\.1:\d+$/);
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const response = await fetch(`${listener.address}/v1/score`, SCORE);
      await response.body?.cancel();
      return response.status;
    }),
  );
  assert.deepEqual(new Set(statuses), new Set([200]));
});

Deno.test("HEAD gets the headers of GET, also the length, and no body", async () => {
  await using listener = await listening();
  for (const path of ["/healthz", "/v1/rules", "/nothing"]) {
    const url = `${listener.address}${path}`;
    const got = await fetch(url);
    const { byteLength } = await got.arrayBuffer();
    const asked = await fetch(url, { method: "HEAD" });
    assert.equal(asked.status, got.status);
    assert.equal(asked.headers.get("content-length"), String(byteLength));
    assert.equal(await asked.text(), "");
  }
});

Deno.test("answers say how long an idle connection is kept", async () => {
  await using listener = await listening();
  for (const path of ["/healthz", "/v1/score", "/nothing"]) {
    const response = await fetch(`${listener.address}${path}`);
    await response.body?.cancel();
    assert.equal(response.headers.get("keep-alive"), "timeout=60");
  }
});

Deno.test("the API speaks TLS with the certificate that it is given", async () => {
  await using folder = temporaryFolder();
  const { cert, key } = selfSigned();
  const tls = {
    cert: join(folder.path, "cert.pem"),
    key: join(folder.path, "key.pem"),
  };
  Deno.writeTextFileSync(tls.cert, cert);
  Deno.writeTextFileSync(tls.key, key);
  await using listener = await listening({ tls });
  assert.match(listener.address, /^https:/);
  using client = Deno.createHttpClient({ caCerts: [cert] });
  for (const url of [`${listener.address}/v1/score`]) {
    const response = await fetch(url, { ...SCORE, client });
    assert.equal(response.status, 200);
    assert.equal((await response.json()).DECISION, "review");
  }
  const docs = await fetch(`${listener.address}/docs`, { client });
  assert.ok((await docs.text()).includes(`${listener.address}/v1/score`));
  await assert.rejects(fetch(`${listener.address}/healthz`));
});

Deno.test("files that are no certificate are refused", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "empty.pem");
  Deno.writeTextFileSync(path, "");
  for (const cert of [path, join(folder.path, "missing.pem")]) {
    const expected = { name: "ConfigError", message: /--api-tls-cert/ };
    await assert.rejects(listening({ tls: { cert, key: path } }), expected);
  }
});

Deno.test("a port that is taken is refused", async () => {
  await using listener = await listening();
  const port = Number(new URL(listener.address).port);
  const expected = { name: "ConfigError", message: /port \d+ is taken/ };
  await assert.rejects(listening({ port }), expected);
});

Deno.test("a client that sends its request too slowly is cut off", async () => {
  await using listener = await listening({}, 40);
  const port = Number(new URL(listener.address).port);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = "POST /v1/score HTTP/1.1\r\nHost: localhost\r\n" +
    "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
  await connection.write(new TextEncoder().encode(head));
  const count = await connection.read(new Uint8Array(100)).catch(() => null);
  assert.equal(count, null);
  assert.equal((await fetch(`${listener.address}/healthz`)).status, 200);
});
