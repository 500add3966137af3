/**
 * Changes of what decides about payments: rules, lists, the threshold of
 * alerts and the champion of the models. Where the page requires approval, a
 * change is a proposal until a second person approves it.
 */
import { ConflictError, DataError } from "../../base/error.ts";
import { turns } from "../../base/turns.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import {
  changeDecisions,
  type ChangeOutcome,
  fromTo,
  isOutdated,
  outdated,
} from "../../scoring/decision_edits.ts";
import {
  changeRegistry,
  chosen,
  readRegistry,
  type Registry,
  rolledBack,
} from "../../scoring/model_registry.ts";
import {
  type ChangedItem,
  changedItems,
  type DecisionProposal,
  type ProposedModel,
} from "../../stream/decision_changes.ts";
import type { ListEntry } from "../../scoring/list_file.ts";
import proposalsJs from "../page/proposals.js" with { type: "text" };
import { BODY, type Page, type PageView, type Question } from "./page_view.ts";

/** A part of what a proposal changes. */
export type ProposedItem = ChangedItem | {
  readonly what: "model";
  readonly before: string;
  readonly after: string;
};

/** What a change takes out of a text or a list, and what it puts in. */
export interface ChangedLines {
  /** "rules", or the name of a list. */
  readonly of: string;
  /** Lines of the rules, or entries of the list, that go. */
  readonly removed: readonly string[];
  /** Those that come. */
  readonly added: readonly string[];
}

/** A change that waits for a second person. */
export interface ProposalView {
  /** Its number, from 1. */
  readonly number: number;
  /** Who proposed it. */
  readonly who: string;
  /** Clock time, ISO 8601. */
  readonly at: string;
  /** What it changes. */
  readonly items: readonly ProposedItem[];
  /** The lines and entries that it changes. */
  readonly lines: readonly ChangedLines[];
  /** Whether the same has been changed since: it can only be rejected. */
  readonly isOutdated: boolean;
  /** Whether the person who asks has proposed it, and can only withdraw it. */
  readonly isOwn: boolean;
}

/** The answers of these routes, by path. */
export interface ProposalAnswers {
  /** Changes that wait for a second person, oldest first. */
  readonly "/api/proposals": {
    /** The proposals. */
    readonly proposals: readonly ProposalView[];
    /** Whether a change needs a second person. */
    readonly requireApproval: boolean;
  };
  /** Approves or rejects a proposal. */
  readonly "/api/proposals/decide": {
    /** What has become of it. */
    readonly status: "approved" | "rejected";
  };
}

/** Changes that wait, in the views of rules and models. */
export const proposals: PageView = {
  scripts: { "proposals.js": proposalsJs },
  serve(router, page) {
    const { get, post } = router<ProposalAnswers>();
    const inTurn = turns();
    const { control } = page;
    get("/api/proposals", async ({ who }) => {
      await control.refresh();
      const { requiresApproval: requireApproval } = control;
      return { proposals: await pendingOf(page, who), requireApproval };
    });
    post("/api/proposals/decide", async (asked) => {
      const body = await asked.body();
      return await inTurn(() => decide(page, asked, body));
    });
  },
};

/**
 * Throws DataError where the stream requires approval and the visitor's token
 * has no name: one person could then propose under a name and approve under
 * another.
 */
export async function requireName(
  { control }: Pick<Page, "control">,
  { who }: Pick<Question, "who">,
): Promise<void> {
  await control.refresh();
  if (!control.requiresApproval || who !== undefined) return;
  throw new DataError(
    "a second person approves changes of this stream, so a change takes a " +
      "token that has a name: start the page with --token-file",
  );
}

/** Sets the threshold of alerts, or proposes it. */
export async function changeThreshold(
  page: Page,
  threshold: number,
  asked: Pick<Question, "who">,
): Promise<ChangeOutcome> {
  const { control, state: { timeSeconds } } = page;
  const { who = "the page" } = asked;
  await requireName(page, asked);
  if (control.requiresApproval) {
    const base = control.decisionState;
    return await changeDecisions(control, {
      ...{ who, base, state: { ...base, threshold } },
    });
  }
  const clock = new Date();
  await control.applyThreshold(threshold, timeSeconds, { who, clock });
  return { status: "changed" };
}

/** Makes another model the champion, or proposes it: a version that was chosen, or without one the champion before. Throws DataError where there is none. */
export async function changeModel(
  page: Page,
  asked: Pick<Question, "who">,
  version?: string,
): Promise<ChangeOutcome & { readonly champion: string | null }> {
  const folder = folderOf(page);
  const { control } = page;
  const { who } = asked;
  await requireName(page, asked);
  const change = (before: Registry) =>
    version === undefined
      ? rolledBack(before, by(who))
      : chosen(before, version, by(who));
  if (!control.requiresApproval) {
    const { champion } = await changeRegistry(folder, change);
    return { status: "changed", champion };
  }
  const registry = readRegistry(folder);
  const { champion: before } = registry;
  const { champion: after } = change(registry);
  if (before === null || after === null || before === after) {
    return { status: "unchanged", champion: before };
  }
  const { decisionState: base } = control;
  const action = version === undefined ? "rolled back" : "chosen";
  const model: ProposedModel = { before, after, action };
  await control.propose({ who: who ?? "", base, state: base, model });
  return { status: "proposed", champion: before };
}

function by(who: string | undefined): string | undefined {
  return who === undefined ? undefined : `by ${who}`;
}

function folderOf({ models }: Page): string {
  if (models !== undefined) return models;
  throw new DataError("the scorer has no registry of models to change");
}

/** The changes that wait, as a person sees them. */
async function pendingOf(
  page: Page,
  asker: string | undefined,
): Promise<ProposalView[]> {
  const { control } = page;
  const now = control.decisionState;
  const pending = control.proposals.filter(({ number }) =>
    control.isPending(number)
  );
  return await Promise.all(
    pending.map(async ({ number, who, at, base, state, model }) => {
      const items = changedItems(base, state);
      return {
        ...{ number, who, at },
        items: model ? [modelItem(model)] : items,
        lines: await Promise.all(items.map((item) => linesOf(control, item))),
        isOutdated: model
          ? championOf(page) !== model.before
          : isOutdated(now, base, state),
        isOwn: who === asker,
      };
    }),
  );
}

function modelItem({ before, after }: ProposedModel): ProposedItem {
  return { what: "model", before, after };
}

function championOf({ models }: Page): string | null {
  return models === undefined ? null : readRegistry(models).champion;
}

/** The lines of rules, or the entries of a list, that a change removes and adds. */
async function linesOf(
  control: Page["control"],
  item: ChangedItem,
): Promise<ChangedLines> {
  const content = async (version: string | number | null) =>
    typeof version === "string" ? await control.content(version) ?? "" : "";
  const [before, after] = [
    await content(item.before),
    await content(item.after),
  ];
  if (item.what !== "list") {
    return { of: item.what, ...changedLines(before, after) };
  }
  const entries = (text: string): string[] =>
    text === "" ? [] : (JSON.parse(text) as ListEntry[]).map(entryWords);
  const [was, is] = [new Set(entries(before)), new Set(entries(after))];
  return {
    of: item.name,
    removed: [...was].filter((entry) => !is.has(entry)).slice(0, LINES_MAX),
    added: [...is].filter((entry) => !was.has(entry)).slice(0, LINES_MAX),
  };
}

/** Lines, or entries, of an answer on each side. */
const LINES_MAX = 2000;

function entryWords(entry: ListEntry): string {
  if (typeof entry === "string") return entry;
  const [value, until, note] = entry;
  const end = until === null ? "" : ` until ${formatDatetime(until)}`;
  return `${value}${end}${note === undefined ? "" : ` (${note})`}`;
}

/** The lines between what two texts have in common at the beginning and at the end. */
function changedLines(
  before: string,
  after: string,
): Pick<ChangedLines, "removed" | "added"> {
  const [was, is] = [before.split("\n"), after.split("\n")];
  const shortest = Math.min(was.length, is.length);
  let first = 0;
  while (first < shortest && was[first] === is[first]) first++;
  let last = 0;
  while (
    last < shortest - first && was.at(-1 - last) === is.at(-1 - last)
  ) last++;
  return {
    removed: was.slice(first, was.length - last).slice(0, LINES_MAX),
    added: is.slice(first, is.length - last).slice(0, LINES_MAX),
  };
}

/** Approves a proposal of another person, or rejects one. */
async function decide(
  page: Page,
  asked: Question,
  body: Readonly<Record<string, unknown>>,
): Promise<ProposalAnswers["/api/proposals/decide"]> {
  const { control } = page;
  const number = BODY.whole(body.number, "number");
  const decision = BODY.oneOf(body.decision, ["approve", "reject"], "decision");
  await control.refresh();
  const proposal = control.proposals.find((one) => one.number === number);
  if (!proposal || !control.isPending(number)) {
    throw new ConflictError(`there is no change ${number} that waits`);
  }
  const { who } = asked;
  if (who === undefined) {
    throw new DataError(
      "a change is approved or rejected with a token that has a name",
    );
  }
  if (decision === "reject") {
    await control.decideProposal(number, "rejected", who);
    return { status: "rejected" };
  }
  if (who === proposal.who) {
    throw new DataError(
      "a second person must approve your change; you can withdraw it",
    );
  }
  await approve(page, proposal, who);
  return { status: "approved" };
}

/** Makes the change that a person has proposed and another approves. */
async function approve(
  page: Page,
  proposal: DecisionProposal,
  second: string,
): Promise<void> {
  const { control, state: { timeSeconds } } = page;
  const { number, base, state, model } = proposal;
  const who = `${proposal.who}, approved by ${second}`;
  if (model) {
    await promote(page, model, who);
    return await control.decideProposal(number, "approved", second);
  }
  const edit = fromTo(base, state, () => control.isPending(number));
  const approved = { ...proposal, status: "approved", by: second } as const;
  const { threshold } = state;
  if (threshold === null || threshold === base.threshold) {
    await control.recordChange(edit, { who, approved });
    return;
  }
  const clock = new Date();
  await control.applyThreshold(threshold, timeSeconds, {
    ...{ who, approved, clock, edit },
  });
}

/** Makes a proposed version the champion, unless it is already: the registry is changed before the proposal is, so an approval that was cut off can be given again. */
async function promote(
  page: Page,
  { before, after, action }: ProposedModel,
  who: string,
): Promise<void> {
  await changeRegistry(folderOf(page), (registry) => {
    if (registry.champion === after) return registry;
    if (registry.champion !== before) throw outdated();
    const changed = action === "chosen"
      ? chosen(registry, after, by(who))
      : rolledBack(registry, by(who));
    if (changed.champion !== after) throw outdated();
    return changed;
  });
}
