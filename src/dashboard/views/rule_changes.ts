/**
 * Changes of rules and lists in the view "Rules": validation with the messages
 * that a file would get, a preview on the newest payments, and changes, which
 * are records of the control topic. Where the page requires approval, a change
 * is a proposal until a second person approves it.
 */
import { ConfigError, DataError } from "../../base/error.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import {
  DecisionRules,
  type DecisionSetting,
  ruleRows,
} from "../../scoring/decision_rules.ts";
import { decisionSetting } from "../../scoring/decision_source.ts";
import {
  listOfContent,
  readList,
  type ValueList,
} from "../../scoring/list_file.ts";
import { readRules } from "../../scoring/rule_file.ts";
import {
  type ChangedItem,
  changedItems,
  type DecisionState,
} from "../../stream/decision_changes.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import ruleEditorJs from "../page/rule_editor.js" with { type: "text" };
import { whoOf } from "./case_writer.ts";
import {
  BODY,
  ConflictError,
  type Page,
  type PageView,
  type Question,
  turns,
} from "./page_view.ts";
import { previewRules, type RulesPreview } from "./rule_preview.ts";

/** The list that a text names and the stream does not have yet. */
const EMPTY_LIST = "value\n";

/** What is wrong with a text of rules. */
export interface RulesProblem {
  /** What, where and what to do. */
  readonly message: string;
  /** Its line, from 1; undefined where it is in no line of the text. */
  readonly line?: number;
  /** Its column, from 1. */
  readonly column?: number;
}

/** What has become of a change. */
export interface ChangeOutcome {
  /** Whether it decides, waits for a second person, or was none. */
  readonly status: "changed" | "proposed" | "unchanged";
}

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
  readonly items: readonly ChangedItem[];
  /** The lines and entries that it changes. */
  readonly lines: readonly ChangedLines[];
  /** Whether other changes have been made since: it can only be rejected. */
  readonly isOutdated: boolean;
  /** Whether the person who asks has proposed it, and can only withdraw it. */
  readonly isOwn: boolean;
}

/** The answers of these routes, by path. */
export interface RuleChangeAnswers {
  /** The rules as they were written, and what waits. */
  readonly "/api/rules/text": {
    /** Version of the rules; null without any. */
    readonly version: string | null;
    /** The YAML text. */
    readonly source: string;
    /** Whether a change needs a second person. */
    readonly requireApproval: boolean;
  };
  /** Changes that wait for a second person, oldest first. */
  readonly "/api/rules/proposals": {
    /** The proposals. */
    readonly proposals: readonly ProposalView[];
    /** Whether a change needs a second person. */
    readonly requireApproval: boolean;
  };
  /** What is wrong with a text; empty if it could be used. */
  readonly "/api/rules/check": { readonly problem?: RulesProblem };
  /** What a text would decide about the newest payments. */
  readonly "/api/rules/preview": RulesPreview;
  /** Uses a text of rules. */
  readonly "/api/rules/save": ChangeOutcome;
  /** Adds an entry to a list. */
  readonly "/api/rules/lists/add": ChangeOutcome;
  /** Approves or rejects a proposal. */
  readonly "/api/rules/proposals/decide": {
    /** What has become of it. */
    readonly status: "approved" | "rejected";
  };
}

/** Changes of rules and lists. */
export const ruleChanges: PageView = {
  scripts: { "rule_editor.js": ruleEditorJs },
  serve(router, page) {
    const { get, post } = router<RuleChangeAnswers>();
    const inTurn = turns();
    const { control, requireApproval = false } = page;
    const editor = new RuleEditor(page);
    get("/api/rules/text", async () => {
      await control.refresh();
      const { rules: version } = control.decisionState;
      const source = version === null ? "" : await control.content(version);
      return { version, source: source ?? "", requireApproval };
    });
    get("/api/rules/proposals", async ({ who }) => {
      await control.refresh();
      return { proposals: await pendingOf(page, who), requireApproval };
    });
    post("/api/rules/check", async (asked) => {
      const { source } = await asked.body();
      const problem = await editor.problemOf(BODY.string(source, "source"));
      return problem ? { problem } : {};
    });
    post("/api/rules/preview", async (asked) => {
      const { source } = await asked.body();
      const setting = await editor.setting(BODY.string(source, "source"));
      return await inTurn(() => previewRules(page, setting));
    });
    post("/api/rules/save", async (asked) => {
      const body = await asked.body();
      return await inTurn(() => editor.save(asked, body));
    });
    post("/api/rules/lists/add", async (asked) => {
      const body = await asked.body();
      return await inTurn(() => editor.addEntry(asked, body));
    });
    post("/api/rules/proposals/decide", async (asked) => {
      const body = await asked.body();
      return await inTurn(() => decideProposal(page, asked, body));
    });
  },
};

/** Makes changes of what the control topic says. */
class RuleEditor {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** What a text means with the lists that the stream has; a list that it has not begins empty. Throws DataError for what is wrong. */
  async setting(source: string): Promise<DecisionSetting> {
    const { control } = this.#page;
    await control.refresh();
    const { lists: versions, threshold } = control.decisionState;
    try {
      const rules = readRules(source, "rules");
      const lists = new Map<string, ValueList>();
      for (const { name } of rules.lists) {
        const content = versions[name] === undefined
          ? undefined
          : await control.content(versions[name]);
        lists.set(
          name,
          content === undefined
            ? readList(EMPTY_LIST, name)
            : listOfContent(content),
        );
      }
      const setting = { rules, lists, threshold };
      this.#compile(setting);
      return setting;
    } catch (error) {
      throw asDataError(error);
    }
  }

  /** What is wrong with a text; undefined if it could be used. */
  async problemOf(source: string): Promise<RulesProblem | undefined> {
    try {
      await this.setting(source);
      return undefined;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const { message } = error;
      const place = /^rules:(\d+):(\d+): /.exec(message);
      if (!place) return { message };
      return { message, line: Number(place[1]), column: Number(place[2]) };
    }
  }

  #compile(setting: DecisionSetting): void {
    const { parameters } = this.#page;
    const rows = ruleRows(parameters.features, shapeOfStream(parameters));
    new DecisionRules(setting, rows);
  }

  /** Uses a text, if the rules are still those that the person saw. */
  async save(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ChangeOutcome> {
    const source = BODY.string(body.source, "source");
    const seen = body.seen === null ? null : BODY.string(body.seen, "seen");
    const who = whoOf(asked, body);
    const setting = await this.setting(source);
    const base = this.#page.control.decisionState;
    if (base.rules !== seen) throw outdated();
    return await this.#change(base, setting, who);
  }

  /** Adds an entry to a list that the rules name, or gives it another end. */
  async addEntry(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ChangeOutcome> {
    const { control } = this.#page;
    const name = BODY.string(body.list, "list");
    const value = BODY.string(body.value, "value");
    const expires = BODY.string(body.expires ?? "", "expires");
    const who = whoOf(asked, body);
    await control.refresh();
    const base = control.decisionState;
    if (base.rules === null || !Object.hasOwn(base.lists, name)) {
      throw new DataError(`the rules have no list ${name.slice(0, 64)}`);
    }
    const setting = await decisionSetting(control, base);
    try {
      const quoted = [value, expires].map((text) =>
        `"${text.replaceAll('"', '""')}"`
      );
      const { entries } = readList(
        `value,expires\n${quoted.join(",")}\n`,
        "the entry",
      );
      const all = new Map(setting.lists.get(name)?.entries);
      for (const [entry, until] of entries) all.set(entry, until);
      const list = listOfContent(JSON.stringify(
        [...all].map(([entry, until]) =>
          until === Infinity ? entry : [entry, until]
        ),
      ));
      const lists = new Map(setting.lists).set(name, list);
      const next = { ...setting, lists };
      this.#compile(next);
      return await this.#change(base, next, who);
    } catch (error) {
      throw asDataError(error);
    }
  }

  /** Records a change of what decided when it began, or proposes it. */
  async #change(
    base: DecisionState,
    { rules, lists }: DecisionSetting,
    who: string,
  ): Promise<ChangeOutcome> {
    const { control, requireApproval } = this.#page;
    const versions = Object.fromEntries(
      [...lists].map(([name, { version }]) => [name, version]),
    );
    const state = { ...base, rules: rules.version, lists: versions };
    if (changedItems(base, state).length === 0) return { status: "unchanged" };
    const contents = new Map([
      [rules.version, rules.source],
      ...[...lists.values()].map(({ version, content }) =>
        [version, content] as const
      ),
    ]);
    if (requireApproval) {
      await control.propose({ who, base, state, contents });
      return { status: "proposed" };
    }
    await control.recordChange(fromTo(base, state), { who, contents });
    return { status: "changed" };
  }
}

/** A change from one state of rules and lists to another, which is refused where others have come meanwhile; a threshold stays. */
function fromTo(
  base: DecisionState,
  next: DecisionState,
): (state: DecisionState) => DecisionState {
  return (state) => {
    const to = { ...next, threshold: state.threshold };
    if (changedItems(state, to).length === 0) return state;
    if (
      changedItems({ ...base, threshold: state.threshold }, state).length > 0
    ) {
      throw outdated();
    }
    return to;
  };
}

function outdated(): ConflictError {
  return new ConflictError(
    "the rules or lists have been changed meanwhile; load them again, and " +
      "make your change once more",
  );
}

/** What a file would be refused for is wrong in a request, too. */
function asDataError(error: unknown): unknown {
  return error instanceof ConfigError
    ? new DataError(error.message, { cause: error })
    : error;
}

/** The changes that wait, as a person sees them. */
async function pendingOf(
  { control }: Page,
  asker: string | undefined,
): Promise<ProposalView[]> {
  const now = control.decisionState;
  const pending = control.proposals.filter(({ status }) =>
    status === "pending"
  );
  return await Promise.all(
    pending.map(async ({ number, who, at, base, state }) => {
      const items = changedItems(base, state);
      return {
        ...{ number, who, at, items },
        lines: await Promise.all(items.map((item) => linesOf(control, item))),
        isOutdated:
          changedItems({ ...base, threshold: now.threshold }, now).length > 0,
        isOwn: who === asker,
      };
    }),
  );
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
    text === "" ? [] : (JSON.parse(text) as unknown[]).map(entryWords);
  const [was, is] = [new Set(entries(before)), new Set(entries(after))];
  return {
    of: item.name,
    removed: [...was].filter((entry) => !is.has(entry)).slice(0, LINES_MAX),
    added: [...is].filter((entry) => !was.has(entry)).slice(0, LINES_MAX),
  };
}

/** Lines, or entries, of an answer on each side. */
const LINES_MAX = 2000;

function entryWords(entry: unknown): string {
  if (!Array.isArray(entry)) return String(entry);
  return `${entry[0]} until ${formatDatetime(Number(entry[1]))}`;
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
async function decideProposal(
  { control }: Page,
  asked: Question,
  body: Readonly<Record<string, unknown>>,
): Promise<RuleChangeAnswers["/api/rules/proposals/decide"]> {
  const number = BODY.whole(body.number, "number");
  const approve =
    BODY.oneOf(body.decision, ["approve", "reject"], "decision") ===
      "approve";
  await control.refresh();
  const proposal = control.proposals.find((one) => one.number === number);
  if (proposal?.status !== "pending") {
    throw new ConflictError(`there is no change ${number} that waits`);
  }
  const by = asked.who;
  if (by === undefined) {
    throw new DataError(
      "a change is approved or rejected with a token that has a name",
    );
  }
  if (!approve) {
    await control.reject(number, by);
    return { status: "rejected" };
  }
  if (by === proposal.who) {
    throw new DataError(
      "a second person must approve your change; you can withdraw it",
    );
  }
  const isDecided = () =>
    control.proposals.find((one) => one.number === number)?.status !==
      "pending";
  await control.recordChange(fromTo(proposal.base, proposal.state), {
    who: `${proposal.who}, approved by ${by}`,
    settled: isDecided,
    records: (records) =>
      records.putProposal({ ...proposal, status: "approved", by }),
  });
  return { status: "approved" };
}
