/** Where a Chromium is that tests can drive. */
import { canRun, canWrite } from "../permission.ts";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** Path of Debian's Chromium, or what FRAUDSTREAM_CHROMIUM names; undefined if there is none, or programs may not be started. */
export function findChromium(): string | undefined {
  if (!canRun || !canWrite) return undefined;
  const variable = "FRAUDSTREAM_CHROMIUM";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const named = state === "granted" ? Deno.env.get(variable) : undefined;
  return [...named ? [named] : [], ...PLACES].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
