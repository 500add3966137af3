/**
 * Changes of rules and lists in the view "Rules": validation with the messages
 * that a file would get, a preview on the newest payments, and changes, which
 * are records of the control topic.
 */
import { DataError } from "../../base/error.ts";
import { turns } from "../../base/turns.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import type { ChangeOutcome } from "../../scoring/decision_edits.ts";
import { listOf, readList } from "../../scoring/list_file.ts";
import {
  problemOf,
  RuleEditor,
  type RulesProblem,
} from "../../scoring/rule_editor.ts";
import ruleEditorJs from "../page/rule_editor.js" with { type: "text" };
import { whoOf } from "./case_writer.ts";
import { requireName } from "./proposals.ts";
import { BODY, type Page, type PageView, type Question } from "./page_view.ts";
import { previewRules, type RulesPreview } from "./rule_preview.ts";

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
    const { control } = page;
    const editor = new PageRules(page);
    get("/api/rules/text", async () => {
      await control.refresh();
      const { rules: version } = control.decisionState;
      const source = version === null ? "" : await control.content(version);
      const { requiresApproval: requireApproval } = control;
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
      const text = BODY.string(source, "source");
      return await inTurn(() => editor.preview(text));
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

/** Asks for changes as the page's requests say. */
class PageRules {
  readonly #page: Page;
  readonly #editor: RuleEditor;

  constructor(page: Page) {
    this.#page = page;
    this.#editor = new RuleEditor(page);
  }

  /** What is wrong with a text; undefined if it could be used. */
  async problemOf(source: string): Promise<RulesProblem | undefined> {
    try {
      await this.#editor.setting(source);
      return undefined;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return problemOf(error);
    }
  }

  /** What a text would decide about the newest payments. */
  async preview(source: string): Promise<RulesPreview> {
    return previewRules(this.#page, await this.#editor.setting(source));
  }

  /** Uses a text, if the rules are still those that the person saw. */
  async save(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
  ): Promise<ChangeOutcome> {
    const source = BODY.string(body.source, "source");
    const seen = body.seen === null ? null : BODY.string(body.seen, "seen");
    await requireName(this.#page, asked);
    const who = whoOf(asked, body);
    return await this.#editor.save(source, seen, who);
  }

  /** Entries of a list that contain a text. */
  async entries(
    { list, q = "" }: Readonly<Record<string, string>>,
  ): Promise<ListEntries> {
    const { control, index, parameters } = this.#page;
    const { setting } = await this.#editor.listNamed(list ?? "");
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

  /** Changes the entries of a list. */
  async #changeList(
    asked: Question,
    body: Readonly<Record<string, unknown>>,
    edit: (entries: Map<string, number>) => void,
  ): Promise<ChangeOutcome> {
    const name = BODY.string(body.list, "list");
    await requireName(this.#page, asked);
    const who = whoOf(asked, body);
    return await this.#editor.changeList({
      ...{ name, who },
      edit: (list) => {
        const all = new Map(list?.entries);
        edit(all);
        return listOf(all, list?.notes ?? new Map());
      },
    });
  }
}
