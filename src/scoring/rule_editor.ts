/**
 * Changes of a stream's rules and lists while it runs: checked with the
 * messages that a file would get, and recorded in the control topic with who
 * made them. The page and the API change rules through it.
 */
import { ConfigError, DataError } from "../base/error.ts";
import type { Control, StreamParameters } from "../stream/control.ts";
import type { DecisionState } from "../stream/decision_changes.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import {
  changeDecisions,
  type ChangeOutcome,
  outdated,
} from "./decision_edits.ts";
import {
  DecisionRules,
  type DecisionSetting,
  ruleRows,
} from "./decision_rules.ts";
import { decisionSetting } from "./decision_source.ts";
import { listOfContent, readList, type ValueList } from "./list_file.ts";
import { readRules } from "./rule_file.ts";

/** The list that a text names and the stream does not have yet. */
const EMPTY_LIST = "value\n";

/** What is wrong with a text of rules or of a list. */
export interface RulesProblem {
  /** What, where and what to do. */
  readonly message: string;
  /** Its line, from 1; undefined where it is in no line of the text. */
  readonly line?: number;
  /** Its column, from 1. */
  readonly column?: number;
}

/** What an error of RuleEditor says, with the place in the text. */
export function problemOf({ message }: DataError): RulesProblem {
  const place = /^(?:rules|list):(\d+):(\d+): /.exec(message);
  if (!place) return { message };
  return { message, line: Number(place[1]), column: Number(place[2]) };
}

/** Makes changes of what the control topic says. */
export class RuleEditor {
  readonly #control: Control;
  readonly #parameters: StreamParameters;

  /** Changes the rules of a stream with these parameters. */
  constructor(
    { control, parameters }: {
      readonly control: Control;
      readonly parameters: StreamParameters;
    },
  ) {
    this.#control = control;
    this.#parameters = parameters;
  }

  /** What a text means with the lists that the stream has; a list that it has not begins empty. Throws DataError for what is wrong. */
  async setting(source: string): Promise<DecisionSetting> {
    const control = this.#control;
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

  #compile(setting: DecisionSetting): void {
    const parameters = this.#parameters;
    const rows = ruleRows(parameters.features, shapeOfStream(parameters));
    new DecisionRules(setting, rows);
  }

  /** Uses a text, if the rules are still of the version that was seen; null where there were none. Throws DataError for what is wrong, ConflictError for another version. */
  async save(
    source: string,
    seen: string | null,
    who: string,
  ): Promise<ChangeOutcome> {
    const setting = await this.setting(source);
    const base = this.#control.decisionState;
    if (base.rules !== seen) throw outdated();
    return await this.#change(base, setting, who);
  }

  /** What decides now, with a list that the rules name. Throws DataError if they name no such list. */
  async listNamed(
    name: string,
  ): Promise<{ base: DecisionState; setting: DecisionSetting }> {
    const control = this.#control;
    await control.refresh();
    const base = control.decisionState;
    if (base.rules === null || !Object.hasOwn(base.lists, name)) {
      throw new DataError(`the rules have no list ${name.slice(0, 64)}`);
    }
    return { base, setting: await decisionSetting(control, base) };
  }

  /** Replaces a list by what `edit` makes of it, if it is still of the version `seen` where that is given. Throws as save() does. */
  async changeList(
    { name, who, seen, edit }: {
      readonly name: string;
      readonly who: string;
      readonly seen?: string | null;
      readonly edit: (list: ValueList | undefined) => ValueList;
    },
  ): Promise<ChangeOutcome> {
    const { base, setting } = await this.listNamed(name);
    if (seen !== undefined && base.lists[name] !== seen) throw outdated();
    try {
      const list = edit(setting.lists.get(name));
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
    return await changeDecisions(this.#control, {
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
