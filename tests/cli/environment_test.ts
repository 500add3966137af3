import assert from "node:assert/strict";
import { Command } from "commander";
import { join } from "node:path";
import {
  takeFromEnvironment,
  variableOf,
} from "../../src/cli/flags/environment.ts";
import { wholeNumber } from "../../src/cli/flags/flag_value.ts";
import { ConfigError } from "../../src/base/error.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

/** The options of a command that is given flags and an environment. */
function optionsOf(
  flags: readonly string[],
  environment: Record<string, string>,
): Record<string, unknown> {
  const command = new Command("test")
    .option("--rate <n>", "a number", wholeNumber("--rate", 1, 10))
    .option("--speed <n>", "instead")
    .option("--form <text>", "a default", "plain")
    .option("--local-dc <name>", "two words")
    .option("--tls", "a switch")
    .option("--no-labels", "a switch that takes away");
  command.parse([...flags], { from: "user" });
  takeFromEnvironment(
    command,
    command.options,
    (variable) => environment[variable],
    { rate: "speed" },
  );
  return command.opts();
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
