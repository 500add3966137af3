/** The view "System": topics, groups, memory and dead letters. */
import {
  ask,
  count,
  countOf,
  every,
  h,
  heading,
  mebibytes,
  panel,
  span,
  table,
} from "./dom.js";
import { showDeadLetters } from "./dead_letters.js";

/** @import { SystemAnswers } from "../views/system.ts" */
/** @typedef {SystemAnswers["/api/system"]} System */

const SYSTEM_MS = 2000;

/** Opens the view. @param {HTMLElement} root */
export function openSystem(root) {
  const facts = h("dl", { class: "facts" });
  const loading = h("p", { class: "empty", role: "status" }, "Loading…");
  const groups = h("tbody");
  const topics = h("tbody");
  const letters = h("div", { class: "letters" });
  const total = h("p", { class: "note" });
  const signOut = h(
    "form",
    { method: "post", action: "logout", hidden: true },
    h("button", { type: "submit", class: "quiet" }, "Sign out"),
  );
  root.append(
    heading("System"),
    panel("Process", loading, facts, signOut),
    panel(
      "Consumer groups",
      table("Consumer groups by partition", [
        ["Group"],
        ["Topic"],
        ["Partition", "number"],
        ["Offset", "number"],
        ["End", "number"],
        ["Lag, records", "number"],
        ["Rows read", "number"],
        ["Rows emitted", "number"],
        ["Labels", "number"],
        ["Dead letters", "number"],
        ["Duplicates", "number"],
      ], groups),
    ),
    panel(
      "Topics",
      table("Topics", [
        ["Topic"],
        ["Partitions", "number"],
        ["Records", "number"],
        ["First offsets"],
        ["End offsets"],
        ["Retention"],
      ], topics),
    ),
    panel("Dead letters", total, letters),
  );
  const ends = [
    every(SYSTEM_MS, async () => {
      const system = await ask("/api/system");
      loading.hidden = true;
      facts.replaceChildren(...factsOf(system));
      signOut.hidden = !system.page.guarded;
      groups.replaceChildren(...groupRows(system));
      topics.replaceChildren(...topicRows(system));
    }),
    showDeadLetters(total, letters),
  ];
  return { close: () => ends.forEach((end) => end()) };
}

/** @param {System} system */
function factsOf({ memory, page, threads, log, store }) {
  /** @param {string} name @param {string} value */
  const fact = (name, value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [
    fact(
      "Roles in this process",
      threads.length ? threads.join(", ") : "only the page",
    ),
    fact("Log", log),
    fact("Store", store),
    fact("Memory of the process", mebibytes(memory.residentBytes)),
    fact("Heap of the page's thread", mebibytes(memory.pageHeapBytes)),
    fact(
      "Open pages",
      `${countOf(page.clients, "connection")}, ${
        countOf(page.skipped, "event")
      } skipped because a page was slow`,
    ),
    fact("Uptime of the page", span(page.upSeconds)),
    fact(
      "Token",
      page.guarded ? "required" : "none; only this machine can open the page",
    ),
  ];
}

/** @param {System} system */
function groupRows({ groups }) {
  return groups.flatMap(({ group, topic, partitions }) =>
    partitions.map(({ partition, offset, end, counters }) =>
      h(
        "tr",
        {},
        h("td", {}, group),
        h("td", {}, topic),
        number(partition),
        number(offset),
        number(end),
        number(end - offset),
        number(counters.read),
        number(counters.emitted),
        number(counters.labels ?? 0),
        number(counters.deadLettered),
        number(counters.duplicates),
      )
    )
  );
}

/** @param {System} system */
function topicRows({ topics }) {
  return topics.map(({ name, startOffsets, endOffsets, compacted }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      number(endOffsets.length),
      number(
        endOffsets.reduce((sum, end, i) => sum + end - startOffsets[i], 0),
      ),
      h("td", {}, startOffsets.map(count).join(" · ")),
      h("td", {}, endOffsets.map(count).join(" · ")),
      h("td", {}, compacted ? "latest record per key" : "all records"),
    )
  );
}

/** @param {number} value */
function number(value) {
  return h("td", { class: "number" }, count(value));
}
