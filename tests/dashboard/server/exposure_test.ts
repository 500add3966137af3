import assert from "node:assert/strict";
import { ConfigError } from "../../../src/base/error.ts";
import {
  checkExposure,
  parseTokens,
  portsToTry,
} from "../../../src/dashboard/server/exposure.ts";

Deno.test("checkExposure() lets only this machine in without a token", () => {
  const page = { port: undefined, tokens: [], behindProxy: false };
  for (const host of ["127.0.0.1", "127.8.9.10", "localhost", "::1"]) {
    checkExposure({ ...page, host });
  }
  for (
    const host of ["0.0.0.0", "::", "192.168.0.7", "127.0.0.1.example", "shop"]
  ) {
    assert.throws(() => checkExposure({ ...page, host }), ConfigError);
    checkExposure({
      ...page,
      host,
      tokens: [{ name: undefined, token: "0123456789abcdef" }],
    });
  }
});

Deno.test("checkExposure() takes no token that can be guessed", () => {
  const page = { host: "127.0.0.1", port: 1, behindProxy: false };
  assert.throws(
    () =>
      checkExposure({
        ...page,
        tokens: [{ name: undefined, token: "secret" }],
      }),
    /fewer than 16/,
  );
});

Deno.test("the default port makes room, a port that was asked for does not", () => {
  assert.deepEqual(portsToTry(9000), [9000]);
  assert.deepEqual(portsToTry(0), [0]);
  assert.deepEqual(portsToTry(undefined).slice(0, 3), [8080, 8081, 8082]);
});

Deno.test("checkExposure() takes a proxy before the page for others' way in", () => {
  const page = { host: "127.0.0.1", port: 1, behindProxy: true };
  const without = { ...page, tokens: [] };
  assert.throws(() => checkExposure(without), /--behind-proxy opens the page/);
  checkExposure({
    ...page,
    tokens: [{ name: undefined, token: "0123456789abcdef" }],
  });
});

Deno.test("tokens are one per line, with names or without", () => {
  assert.deepEqual(parseTokens("0123456789abcdef"), [
    { name: undefined, token: "0123456789abcdef" },
  ]);
  assert.deepEqual(parseTokens("Ada : one:two \r\n\nGrace:three\nfour\n"), [
    { name: "Ada", token: "one:two" },
    { name: "Grace", token: "three" },
    { name: undefined, token: "four" },
  ]);
  assert.deepEqual(parseTokens(""), []);
  for (
    const [text, message] of [
      [":secretsecret", /line 1 .* has no name/],
      ["Ada:one\n  :two", /line 2/],
      [`${"n".repeat(101)}:one`, /1 to 100/],
      ["Ada:one\nAda:two", /the name Ada twice/],
      ["Ada:secretsecret\nGrace:secretsecret", /the same token/],
      ["secretsecret\nsecretsecret", /the same token/],
    ] as const
  ) {
    assert.throws(() => parseTokens(text), (error: Error) => {
      return error instanceof ConfigError && message.test(error.message) &&
        !error.message.includes("secretsecret");
    });
  }
});

Deno.test("a token of a person that can be guessed is refused by the name", () => {
  const tokens = parseTokens("Ada:0123456789abcdef\nGrace:short");
  const page = { host: "127.0.0.1", port: 1, behindProxy: false, tokens };
  assert.throws(
    () => checkExposure(page),
    /token of Grace has 5 characters/,
  );
});

Deno.test("approval by a second person takes two names, and a name for every token", () => {
  const page = {
    ...{ host: "127.0.0.1", port: 1, behindProxy: false },
    requireApproval: true,
  };
  const check = (text: string) =>
    checkExposure({ ...page, tokens: parseTokens(text) });
  const [a, b, c] = ["a", "b", "c"].map((letter) => letter.repeat(16));
  check(`anna:${a}\nben:${b}\n`);
  assert.throws(() => check(""), /two people/);
  assert.throws(() => check(`anna:${a}\n${b}\n`), /two people/);
  assert.throws(
    () => check(`anna:${a}\nben:${b}\n${c}\n`),
    /a name for every token/,
  );
});
