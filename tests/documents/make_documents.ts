/**
 * Writes the pages that are generated from the sources.
 *
 *   deno task docs
 */
import { DOCUMENTS } from "./documents.ts";

for (const [path, text] of Object.entries(DOCUMENTS)) {
  Deno.writeTextFileSync(new URL(`../../${path}`, import.meta.url), text());
}
