/**
 * Changes of rules and lists in the view "Rules": validation with the messages
 * that a file would get, a preview on the newest payments, and changes, which
 * are records of the control topic.
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
import type { DecisionState } from "../../stream/decision_changes.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import ruleEditorJs from "../page/rule_editor.js" with { type: "text" };
import { whoOf } from "./case_writer.ts";
import {
  BODY,
  type Page,
  type PageView,
  type Question,
  turns,
} from "./page_view.ts";
import { changeDecisions, type ChangeOutcome, outdated } from "./proposals.ts";
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

/** Entries of a list, as far as they are asked for. */
export interface ListEntries {
  /** All entries of the list. */
  readonly total: number;
  /** Those that contain the text that was asked for. */
  readonly found: number;
  /** The first of these, the shortest values first. */
  readonly entries: readonly {
    /** The value. */
    readonly value: string;
    /** Event time from which on it no longer counts, as TX_DATETIME is written; undefined for ever. */
    readonly expires?: string;
    /** Whether the stream has passed that time. */
    readonly hasEnded: boolean;
  }[];
}

/** Entries of an answer. */
const ENTRIES_MAX = 100;

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
  /** What is wrong with a text; empty if it could be used. */
  readonly "/api/rules/check": { readonly problem?: RulesProblem };
  /** What a text would decide about the newest payments. */
  readonly "/api/rules/preview": RulesPreview;
  /** Uses a text of rules. */
  readonly "/api/rules/save": ChangeOutcome;
  /** The entries of a list. */
  readonly "/api/rules/lists/entries": ListEntries;
  /** Adds an entry to a list. */
  readonly "/api/rules/lists/add": ChangeOutcome;
  /** Removes an entry from a list. */
  readonly "/api/rules/lists/remove": ChangeOutcome;
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
    get("/api/rules/lists/entries", async (asked) => {
      return await editor.entries(asked.query());
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
    post("/api/rules/lists/remove", async (asked) => {
      const body = await asked.body();
      return await inTurn(() => editor.removeEntry(asked, body));
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

  /** Entries of a list that contain a text. */
  async entries(
    { list, q = "" }: Readonly<Record<string, string>>,
  ): Promise<ListEntries> {
    const { control, index, parameters } = this.#page;
    const { setting } = await this.#listNamed(list ?? "");
    const entries = [...setting.lists.get(list)?.entries ?? []];
    const found = entries.filter(([value]) => value.includes(q.trim()))
      .sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1));
    const begun = control.begun ?? parameters.startSeconds ?? 0;
    const now = begun + index.timeSeconds;
    return {
      total: entries.length,
      found: found.length,
      entries: found.slice(0, ENTRIES_MAX).map(([value, until]) => ({
        value,
        ...until !== Infinity && { expires: formatDatetime(until) },
        hasEnded: until <= now,
      })),
    };
  }

  /** Adds an entry to a list that the rules name, or gives it another end. */
  async addEntry(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ChangeOutcome> {
    const value = BODY.string(body.value, "value");
    const expires = BODY.string(body.expires ?? "", "expires");
    return await this.#changeList(asked, body, (entries) => {
      const quoted = [value, expires].map((text) =>
        `"${text.replaceAll('"', '""')}"`
      );
      const row = `value,expires\n${quoted.join(",")}\n`;
      for (const [entry, until] of readList(row, "the entry").entries) {
        entries.set(entry, until);
      }
    });
  }

  /** Removes an entry from a list that the rules name. */
  async removeEntry(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ChangeOutcome> {
    const value = BODY.string(body.value, "value");
    return await this.#changeList(asked, body, (entries) => {
      if (entries.delete(value)) return;
      throw new DataError(
        `the list has no entry ${value.slice(0, 64)}; perhaps another person ` +
          "has removed it",
      );
    });
  }

  /** What decides now, with a list that the rules name. Throws DataError if they name no such list. */
  async #listNamed(
    name: string,
  ): Promise<{ base: DecisionState; setting: DecisionSetting }> {
    const { control } = this.#page;
    await control.refresh();
    const base = control.decisionState;
    if (base.rules === null || !Object.hasOwn(base.lists, name)) {
      throw new DataError(`the rules have no list ${name.slice(0, 64)}`);
    }
    return { base, setting: await decisionSetting(control, base) };
  }

  /** Changes the entries of a list. */
  async #changeList(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
    edit: (entries: Map<string, number>) => void,
  ): Promise<ChangeOutcome> {
    const name = BODY.string(body.list, "list");
    const who = whoOf(asked, body);
    const { base, setting } = await this.#listNamed(name);
    try {
      const all = new Map(setting.lists.get(name)?.entries);
      edit(all);
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

  /** Makes a change of what decided when it began, or proposes it. */
  async #change(
    base: DecisionState,
    { rules, lists }: DecisionSetting,
    who: string,
  ): Promise<ChangeOutcome> {
    const versions = Object.fromEntries(
      [...lists].map(([name, { version }]) => [name, version]),
    );
    return await changeDecisions(this.#page, {
      ...{ who, base },
      state: { ...base, rules: rules.version, lists: versions },
      contents: new Map([
        [rules.version, rules.source],
        ...[...lists.values()].map(({ version, content }) =>
          [version, content] as const
        ),
      ]),
    });
  }
}

/** What a file would be refused for is wrong in a request, too. */
function asDataError(error: unknown): unknown {
  return error instanceof ConfigError
    ? new DataError(error.message, { cause: error })
    : error;
}
