import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/base/error.ts";
import { defineCommand, parserOf } from "../../src/cli/command.ts";
import { type FlagGroup, variableOf } from "../../src/cli/flags/flag.ts";
import { wholeNumber } from "../../src/cli/flags/flag_value.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const FLAGS = {
  flags: {
    rate: {
      value: "<n>",
      help: "a number",
      read: wholeNumber(1, 10),
      alternative: "speed",
    },
    speed: { value: "<n>", help: "instead" },
    form: { value: "<text>", help: "", default: "plain", fallback: "plain" },
    localDc: { value: "<name>", help: "two words" },
    tls: { help: "a switch" },
    labels: { off: true, help: "a switch that takes away" },
  },
} as const satisfies FlagGroup;

/** The options of a command that is given flags and an environment, where it reads that. */
function optionsOf(
  flags: readonly string[],
  variables: Record<string, string>,
  reads: { environment?: true } = { environment: true },
): Record<string, unknown> {
  let given: Record<string, unknown> = {};
  const declaration = defineCommand({
    name: "test",
    summary: "",
    description: "",
    flags: [FLAGS],
    examples: "",
    run: (options) => {
      given = { ...options };
    },
    ...reads,
  });
  parserOf(declaration, undefined, (variable) => variables[variable])
    .parse([...flags], { from: "user" });
  return given;
}

Deno.test("variableOf() is the flag in capitals", () => {
  assert.equal(variableOf("--local-dc"), "FRAUDSTREAM_LOCAL_DC");
});

Deno.test("a variable is read like its flag, and overrides a default", () => {
  const environment = {
    FRAUDSTREAM_RATE: "7",
    FRAUDSTREAM_FORM: "fancy",
    FRAUDSTREAM_LOCAL_DC: "dc1",
  };
  assert.deepEqual(optionsOf([], environment), {
    rate: 7,
    form: "fancy",
    localDc: "dc1",
    labels: true,
  });
});

Deno.test("variables are read only where the command or the group says so", () => {
  const environment = { FRAUDSTREAM_RATE: "7" };
  assert.equal(optionsOf([], environment, {}).rate, undefined);
});

Deno.test("the flag wins over the variable, also by what it makes needless", () => {
  const environment = { FRAUDSTREAM_RATE: "7" };
  assert.equal(optionsOf(["--rate=3"], environment).rate, 3);
  assert.equal(optionsOf(["--speed=3"], environment).rate, undefined);
});

Deno.test("a switch is on or off, nothing else", () => {
  for (const on of ["true", "1", "YES"]) {
    assert.equal(optionsOf([], { FRAUDSTREAM_TLS: on }).tls, true);
    assert.equal(optionsOf([], { FRAUDSTREAM_NO_LABELS: on }).labels, false);
  }
  for (const off of ["false", "0", "no"]) {
    assert.equal(optionsOf([], { FRAUDSTREAM_TLS: off }).tls, undefined);
    assert.equal(optionsOf([], { FRAUDSTREAM_NO_LABELS: off }).labels, true);
  }
  assert.throws(() => optionsOf([], { FRAUDSTREAM_TLS: "maybe" }), {
    name: "ConfigError",
    message: "FRAUDSTREAM_TLS must be true or false, not 'maybe'",
  });
});

Deno.test("a bad value is refused, naming the variable", () => {
  assert.throws(
    () => optionsOf([], { FRAUDSTREAM_RATE: "fast" }),
    (error) =>
      error instanceof ConfigError &&
      /^FRAUDSTREAM_RATE: --rate must be .*, not 'fast'$/.test(error.message),
  );
});

testRunning(
  "the program takes what --allow-env grants, and does without",
  async () => {
    await using folder = temporaryFolder();
    const environment = { FRAUDSTREAM_DATA: join(folder.path, "elsewhere") };
    const granted = [
      "--allow-read",
      "--allow-write",
      "--allow-env=FRAUDSTREAM_*",
    ];
    const cwd = folder.path;
    const status = (permissions?: string[]) =>
      runMain(["status"], {
        environment,
        cwd,
        ...permissions && { permissions },
      });
    assert.match((await status(granted)).stderr, /no data folder .*elsewhere;/);
    assert.match(
      (await status()).stderr,
      /no data folder \.\/fraudstream-data;/,
    );
  },
);
