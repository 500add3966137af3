import assert from "node:assert/strict";
import { join } from "node:path";
import { readPassword } from "../../src/cli/flags/secret.ts";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

function passwordIn(file: string): string | undefined {
  const source = { variable: "PASSWORD", flag: "--password-file", file };
  return readPassword(source, () => undefined);
}

testWriting(
  "readPassword() takes a line of a file, without its end",
  async () => {
    await using folder = temporaryFolder();
    const file = join(folder.path, "password");
    for (const text of ["secret", "secret\n", "secret\r\n"]) {
      Deno.writeTextFileSync(file, text);
      assert.equal(passwordIn(file), "secret");
    }
  },
);

testWriting(
  "readPassword() refuses a file that is empty or too long for a password",
  async () => {
    await using folder = temporaryFolder();
    const file = join(folder.path, "password");
    Deno.writeTextFileSync(file, "\n");
    assert.throws(() => passwordIn(file), /is empty; put the password in it/);
    Deno.writeFileSync(file, new Uint8Array((1 << 20) + 1));
    assert.throws(() => passwordIn(file), /has more than 1048576 bytes/);
  },
);

testReading("readPassword() names a file that is not there", () => {
  assert.throws(() => passwordIn("no-such-file"), {
    name: "DataError",
    message: /^cannot read no-such-file: there is no such file/,
  });
});
