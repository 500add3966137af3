/** The view "Now". It has no routes, because it shows the snapshots that every page receives. */
import nowJs from "../page/now.js" with { type: "text" };
import type { PageView } from "./page_view.ts";

/** The view "Now". */
export const now: PageView = {
  scripts: { "now.js": nowJs },
  tab: { name: "now", title: "Now" },
};
