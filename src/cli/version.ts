/**
 * What --version prints: the program's version, the commit that it was built
 * from where that is known, and the versions of what runs it.
 */
import manifest from "../../deno.json" with { type: "json" };
import { COMMIT } from "./commit.ts";

/** The text of --version. */
export function versionText(commit: string = COMMIT): string {
  const built = commit === "" ? "" : ` (commit ${commit})`;
  const { deno, v8 } = Deno.version;
  return `fraudstream ${manifest.version}${built}\nDeno ${deno}, V8 ${v8}`;
}
