/**
 * A disk that is full, or may not be written, at every start: on a small file
 * system of its own (Linux only, and where a user may make one).
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../temporary_folder.ts";
import { canRun, canWrite } from "../permission.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const MOUNTS = canWrite && canRun && Deno.build.os === "linux" &&
  await mounts();

/** Whether this user may mount a file system for a process and its children. */
async function mounts(): Promise<boolean> {
  try {
    const { success } = await mounted("/tmp", "1m", "true").output();
    return success;
  } catch {
    return false; // there is no unshare
  }
}

/** Runs a script where `folder` is an empty file system of that size. */
function mounted(folder: string, size: string, script: string): Deno.Command {
  const mount = `mount -t tmpfs -o size=${size},mode=700 none "$FOLDER"`;
  return new Deno.Command("unshare", {
    args: ["-rm", "sh", "-c", `${mount} && ${script}`],
    env: { FOLDER: folder, DENO: Deno.execPath(), MAIN },
    stdin: "null",
  });
}

/** Shell: runs the program and prints its exit code and last line. */
const RUN = 'run() { LINE=$("$DENO" run --quiet --no-prompt --allow-read ' +
  '--allow-write "$MAIN" run --customers=50 --terminals=100 --days=30 ' +
  '--rate=max --data="$FOLDER" 2>&1 | tail -n 1); echo "$LINE"; }; ';

/** The last lines of the runs of a script. */
async function linesOf(size: string, script: string): Promise<string[]> {
  await using folder = temporaryFolder();
  const command = mounted(folder.path, size, RUN + script);
  const { stdout, stderr, success } = await command.output();
  const text = new TextDecoder();
  assert.ok(success, text.decode(stderr));
  return text.decode(stdout).trimEnd().split("\n");
}

function testMounted(name: string, fn: () => Promise<void>): void {
  const shown = MOUNTS ? name : `${name} (needs unshare and mount)`;
  Deno.test({ name: shown, ignore: !MOUNTS, fn });
}

testMounted(
  "after 'disk full' every start says so until there is room",
  async () => {
    const lines = await linesOf(
      "1200k",
      'run; run; cat /dev/zero > "$FOLDER/rest" 2>/dev/null; run; ' +
        'rm -f "$FOLDER"/*.pid; cat /dev/zero >> "$FOLDER/rest" 2>/dev/null; ' +
        'run; rm "$FOLDER/rest"; mount -o remount,size=64m "$FOLDER"; run',
    );
    assert.equal(lines.length, 5, lines.join("\n"));
    for (const line of lines.slice(0, 4)) {
      assert.match(line, /^fraudstream: .*(disk is full|no space left)/);
      assert.doesNotMatch(line, /another process/);
    }
    assert.match(lines[4], /^this run .* stored/);
  },
);

testMounted("a folder that cannot be written is no other process", async () => {
  const lines = await linesOf(
    "64m",
    'run; mount -o remount,ro "$FOLDER"; run; rm -f "$FOLDER"/*.lock; run; ' +
      'mount -o remount,rw "$FOLDER"; rm -f "$FOLDER"/*.lock "$FOLDER"/*.pid; ' +
      'mount -o remount,ro "$FOLDER"; run; mount -o remount,rw "$FOLDER"; run',
  );
  assert.equal(lines.length, 5, lines.join("\n"));
  for (const line of lines.slice(1, 4)) {
    assert.match(
      line,
      /^fraudstream: .*(cannot be written|cannot be opened|read-only)/,
    );
    assert.doesNotMatch(line, /another process/);
  }
  assert.match(lines[4], /^this run /);
});
