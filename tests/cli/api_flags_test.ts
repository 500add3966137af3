import assert from "node:assert/strict";
import { API_FLAGS, readApiFlags } from "../../src/cli/flags/api_flags.ts";

Deno.test("readApiFlags() makes an API where one is asked for", () => {
  assert.equal(readApiFlags({}, false), undefined);
  const { served, deadlineMs, pendingMax } = readApiFlags({}, true) ?? {};
  assert.equal(served?.port, 8090);
  assert.equal(served?.host, "127.0.0.1");
  assert.equal(deadlineMs, 5000);
  assert.equal(pendingMax, 250);
  const asked = readApiFlags({
    apiPort: 0,
    apiHost: "0.0.0.0",
    apiTokens: "tokens",
    apiTlsCert: "cert.pem",
    apiTlsKey: "key.pem",
    apiRate: 2.5,
    apiDeadline: 2,
  }, false);
  assert.equal(asked?.served.port, 0);
  assert.deepEqual(asked?.served.tls, { cert: "cert.pem", key: "key.pem" });
  assert.equal(asked?.served.ratePerSecond, 2.5);
  assert.equal(asked?.deadlineMs, 2000);
});

Deno.test("readApiFlags() refuses what cannot work", () => {
  for (
    const [options, message] of [
      [{ apiRate: 1 }, /--api-rate has no effect without the API/],
      [{ apiPort: 1, apiHost: "::" }, /the API would be open to everybody/],
      [
        { apiPort: 1, apiTlsCert: "c" },
        /--api-tls-cert has no effect without --api-tls-key/,
      ],
      [
        { apiPort: 1, apiTlsKey: "k" },
        /--api-tls-key has no effect without --api-tls-cert/,
      ],
    ] as const
  ) {
    assert.throws(() => readApiFlags(options, false), {
      name: "ConfigError",
      message,
    });
  }
});

Deno.test("--api-allow-origin takes origins between commas", () => {
  const { read } = API_FLAGS.flags.apiAllowOrigin;
  assert.deepEqual(read("https://a.example, http://b:8080", "--x"), [
    "https://a.example",
    "http://b:8080",
  ]);
  for (const wrong of ["", "a.example", "https://a.example/", "*", "null"]) {
    assert.throws(() => read(wrong, "--x"), /--x must be origins/);
  }
});
