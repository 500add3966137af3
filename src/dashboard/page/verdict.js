/** What an analyst does with a case: verdict, claim, note, snooze; each can be undone, and all stay in its history. */
import { askInDialog, whoDecides } from "./dialog.js";
import {
  ask,
  AskError,
  caseAddress,
  h,
  mark,
  messageOf,
  panel,
  setText,
} from "./dom.js";
import { stateOf } from "./alerts.js";
import { addressOf } from "./queue_filter.js";
import { showToast } from "./toast.js";

/** @import { Case, NewCaseEvent, ShownEvent } from "../views/cases.ts" */
/** @import { Filter } from "./queue_filter.js" */

const DAY_MS = 86_400_000;

/**
 * The panel of decisions about a case, and its history. After a verdict or a snooze it calls
 * `done`, which opens the next case.
 * @param {string} id
 * @param {Filter} filter
 * @param {() => void} done
 */
export function decisionPanel(id, filter, done) {
  const history = h("div", { role: "log", "aria-label": "History" });
  /** @type {Case | undefined} */
  let shown;
  let isBusy = false;
  const state = h("p", { class: "state" });
  const said = h("p", { class: "note", role: "status" });
  const note = h("textarea", {
    id: "note",
    rows: "2",
    maxlength: "2000",
    class: "prose",
  });
  /**
   * Sends an event, and says so; whether it was kept.
   * @param {NewCaseEvent} event
   * @param {string} words
   * @param {boolean} [isFinal] whether it cannot be undone
   */
  const send = async (event, words, isFinal = false) => {
    // Before the case is seen nobody decides, and nobody decides twice.
    if (isBusy || !shown) return false;
    isBusy = true;
    const before = shown;
    try {
      const who = await whoDecides();
      if (who === undefined) return false;
      const answer = await ask("/api/cases/:id/events", { id }, {
        ...event,
        who,
      });
      const { assignee: _assignee, snoozedUntil: _until, ...rest } = before;
      show({ ...rest, ...answer });
      setText(said, "");
      showToast(
        `Case ${id} ${words}`,
        isFinal ? undefined : () => undo(id, filter, who),
      );
      return true;
    } catch (error) {
      setText(said, failureOf(error));
      // Another person may have decided. Anyone who acts again has seen it.
      show(await ask("/api/cases/:id", { id }).catch(() => shown ?? before));
      return false;
    } finally {
      isBusy = false;
    }
  };
  /** The newest event of the case as it is shown: what others do after it is not overwritten. */
  const seenNow = () => shown?.events[0]?.eventId ?? "";
  /** @param {0 | 1} label */
  const decide = async (label) => {
    const seen = seenNow();
    const words = label ? "confirmed as fraud" : "cleared";
    const event = { kind: /** @type {const} */ ("verdict"), label, seen };
    if (await send({ ...event, note: note.value }, words)) done();
  };
  const claim = async () => {
    const seen = seenNow();
    if (shown && shown.assignee === await whoDecides()) return;
    await send({ kind: "claim", seen }, "assigned to you");
  };
  const snooze = async () => {
    const seen = seenNow();
    const until = await askUntil();
    if (until === undefined) return;
    const event = { kind: /** @type {const} */ ("snooze"), until, seen };
    if (await send(event, `snoozed until ${until}`)) done();
  };
  const addNote = async () => {
    if (note.value.trim() === "") return setText(said, "The note is empty.");
    const event = { kind: /** @type {const} */ ("note"), note: note.value };
    if (await send(event, "has a new note", true)) note.value = "";
  };
  const assign = h("button", { type: "button", class: "quiet" });
  let isMine = false;
  assign.addEventListener("click", () => {
    const seen = seenNow();
    if (isMine) send({ kind: "release", seen }, "released");
    else claim();
  });
  /** @param {Case} found */
  const show = (found) => {
    shown = found;
    isMine = found.assignee !== undefined;
    state.replaceChildren(...stateOf(found));
    history.replaceChildren(...historyOf(found.events));
    assign.replaceChildren(
      ...isMine
        ? [`Release (${found.assignee})`]
        : ["Assign to me", keyOf("a")],
    );
  };
  const element = panel(
    "Decision",
    state,
    h(
      "div",
      { class: "row decide" },
      h(
        "button",
        {
          type: "button",
          class: "danger",
          "aria-keyshortcuts": "c",
          onclick: () => decide(1),
        },
        "▲ Confirm fraud",
        keyOf("c"),
      ),
      h(
        "button",
        {
          type: "button",
          "aria-keyshortcuts": "l",
          onclick: () => decide(0),
        },
        "✓ Clear",
        keyOf("l"),
      ),
      assign,
      h(
        "button",
        { type: "button", class: "quiet", onclick: snooze },
        "Snooze…",
      ),
    ),
    said,
    h(
      "details",
      {},
      h("summary", {}, "Add a note"),
      h("label", { for: "note" }, "Note, for the history or with the verdict"),
      note,
      h(
        "button",
        { type: "button", class: "quiet", onclick: addNote },
        "Save the note",
      ),
    ),
  );
  return { element, history, show, decide, claim };
}

/** Whether an action was kept that has failed, in words. @param {unknown} error */
function failureOf(error) {
  const words = messageOf(error);
  if (!(error instanceof AskError)) return `Perhaps not saved. ${words}`;
  // The server says itself what has become of an action that it could not finish.
  return error.isRefused ? `Not saved. ${words}` : `Not finished: ${words}`;
}

/** The key of a button, for the eye: the button's name says what it does. @param {string} key */
const keyOf = (key) => h("kbd", { "aria-hidden": "true" }, key);

/**
 * Takes back what was done last with a case, and opens it.
 * @param {string} id
 * @param {Filter} filter
 * @param {string} who
 */
async function undo(id, filter, who) {
  await ask("/api/cases/:id/events", { id }, { kind: "undo", who });
  const address = addressOf(caseAddress(id), filter);
  if (location.hash === address) dispatchEvent(new Event("hashchange"));
  else location.hash = address;
  return `Undone: case ${id} is as it was before`;
}

/** Asks for a date, tomorrow or later; undefined if none is given. */
async function askUntil() {
  const tomorrow = new Date(Date.now() + DAY_MS).toISOString().slice(0, 10);
  const field = h("input", {
    id: "until",
    type: "date",
    required: true,
    min: tomorrow,
    value: tomorrow,
  });
  const answer = await askInDialog(
    "Snooze this case",
    [
      h(
        "p",
        { class: "note" },
        "It leaves the queue and is open again at the beginning of that day (UTC).",
      ),
      h("label", { for: "until" }, "Until"),
      field,
    ],
    [["snooze", "Snooze"]],
  );
  return answer === "snooze" ? field.value : undefined;
}

/** What people have done with a case, newest first. @param {readonly ShownEvent[]} events */
function historyOf(events) {
  if (events.length === 0) {
    return [h("p", { class: "note" }, "Nobody has done anything yet.")];
  }
  return events.map((event) =>
    h(
      "div",
      { class: event.undone ? "verdict undone" : "verdict" },
      wordsOf(event),
      ` by ${event.who}, ${
        event.at.slice(0, 19).replace("T", " ")
      } UTC (clock)`,
      event.undone && ", undone",
      event.note !== "" && h("p", {}, event.note),
    )
  );
}

/** @param {ShownEvent} event */
function wordsOf({ kind, label, until }) {
  switch (kind) {
    case "verdict":
      return label
        ? mark("confirmed", "confirmed as fraud")
        : mark("cleared", "cleared");
    case "claim":
      return mark("unknown", "assigned");
    case "release":
      return mark("unknown", "released");
    case "note":
      return mark("unknown", "note");
    case "snooze":
      return mark("snoozed", `snoozed until ${until?.slice(0, 10)}`);
    case "undo":
      return mark("unknown", "undo");
  }
}
