/** The view of this moment: it shows the snapshots that every page gets. */
import nowJs from "../page/now.js" with { type: "text" };
import type { PageView } from "./page_view.ts";

/** The view of this moment. */
export const now: PageView = {
  scripts: { "now.js": nowJs },
  tab: { name: "now", title: "Now" },
};
