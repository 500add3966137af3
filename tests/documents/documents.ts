/** The pages that are generated from the sources. */
import { flagsDocument } from "./flags_document.ts";
import { messagesDocument } from "./messages_document.ts";

/** The texts of the generated pages, by path from the root. */
export const DOCUMENTS: Readonly<Record<string, () => string>> = {
  "docs/FLAGS.md": flagsDocument,
  "docs/MESSAGES.md": messagesDocument,
};
