/** The view "Now". It shows the snapshots that every page receives, with marks of what happened to the stream. */
import nowJs from "../page/now.js" with { type: "text" };
import { type PageView, shared } from "./page_view.ts";
import { type StreamEvent, streamEvents } from "./stream_events.ts";

/** The answers of this view, by path. */
export interface NowAnswers {
  /** What happened to the stream. */
  readonly "/api/marks": { readonly events: readonly StreamEvent[] };
}

/** The view "Now". */
export const now: PageView = {
  scripts: { "now.js": nowJs },
  tab: { name: "now", title: "Now" },
  serve(router, page) {
    const read = streamEvents(page);
    const { get } = router<NowAnswers>();
    get("/api/marks", shared(async () => ({ events: await read() })));
  },
};
