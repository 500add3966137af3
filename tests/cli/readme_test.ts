/**
 * The console blocks of the README, run in their order in a fresh folder: each
 * command succeeds and prints what stands beneath it. "…" stands for what
 * differs from run to run, or is left out.
 */
import assert from "node:assert/strict";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../temporary_folder.ts";
import { testRunning } from "./program_runner.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the program consists of. */
const SOURCES = ["fraudstream", "main.ts", "deno.json", "deno.lock", "src"];

/** A command of a console block, and the lines that it prints there. */
interface Step {
  readonly command: string;
  readonly lines: readonly string[];
}

/** The steps of all console blocks of a page; empty lines are left out. */
function stepsOf(page: string): Step[] {
  const blocks = page.matchAll(/^```console\n(.*?)^```/gms);
  return [...blocks].flatMap(([, block]) => {
    const parts = block.replaceAll("\\\n", "").split(/^\$ /m).slice(1);
    return parts.map((part) => {
      const lines = part.split("\n").filter((line) => line !== "");
      let command = lines.shift() ?? "";
      // A quotation that is open goes on in the next line.
      while (command.split("'").length % 2 === 0 && lines.length > 0) {
        command += `\n${lines.shift()}`;
      }
      return { command, lines };
    });
  });
}

function copy(from: string, to: string): void {
  if (!Deno.statSync(from).isDirectory) {
    Deno.copyFileSync(from, to);
    return;
  }
  Deno.mkdirSync(to);
  for (const { name } of Deno.readDirSync(from)) {
    copy(join(from, name), join(to, name));
  }
}

/** What a person sees of a command who is not shown its log. */
async function linesOf(command: string, cwd: string): Promise<string[]> {
  const path = dirname(Deno.execPath()) + delimiter + Deno.env.get("PATH");
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd,
    env: { PATH: path, NO_COLOR: "1" },
  }).output();
  const [words, result] = [stderr, stdout].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  assert.equal(code, 0, `${command}: ${words}`);
  return [...words.split("\n").filter((line) => !line.startsWith("{")), result]
    .join("\n").split("\n").filter((line) => line.trim() !== "");
}

/** Throws unless each line is as the page has it. */
function compare({ command, lines }: Step, found: readonly string[]): void {
  if (lines.length === 0) return;
  const parts = lines.join("\n").split("…").map((part) =>
    part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
  );
  assert.match(
    found.join("\n"),
    new RegExp(`^${parts.join("[^]*?")}$`),
    command,
  );
}

testRunning("the README's commands print what it says, in order", async () => {
  await using folder = temporaryFolder();
  const clone = join(folder.path, "fraudstream");
  Deno.mkdirSync(clone);
  for (const name of SOURCES) copy(join(ROOT, name), join(clone, name));
  const steps = stepsOf(Deno.readTextFileSync(join(ROOT, "README.md")));
  assert.ok(steps.length >= 6, `${steps.length} steps`);
  for (const step of steps) {
    compare(step, await linesOf(step.command, clone));
  }
});
