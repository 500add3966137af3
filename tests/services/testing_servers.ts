/**
 * Tests that need real servers. Where something that they need is missing they
 * are ignored, not failed, and their names say what it is.
 */
import { canWrite } from "../permission.ts";
import { javaProblem } from "./java.ts";

/** What keeps tests from starting servers; undefined if nothing does. */
export const serverProblem: string | undefined = findProblem();

/** Defines a test that starts real servers, or uses those that others share. */
export function testServing(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  const allowed = serverProblem === undefined;
  Deno.test({
    name: allowed ? name : `${name} (${serverProblem})`,
    ignore: !allowed,
    // Shared servers live on from one test to the next.
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

function findProblem(): string | undefined {
  if (!canWrite) return "needs --allow-read --allow-write";
  const others = [
    { name: "net", host: "127.0.0.1" },
    { name: "env", variable: "HOME" },
  ] as const;
  for (const permission of others) {
    if (Deno.permissions.querySync(permission).state !== "granted") {
      return `needs --allow-${permission.name}`;
    }
  }
  return javaProblem;
}
