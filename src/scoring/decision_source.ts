/**
 * Where the scorer's rules and lists come from while it runs. Files that may be
 * replaced are checked between batches; what they say becomes a change in the
 * control topic, which also other programs may add to. That topic decides: each
 * partition applies its newest change with a step and records the offset in it,
 * and a payment that is scored again gets what decided about it then. Broken
 * files are logged once, and what decides stays.
 */
import { ConfigError, LogError } from "../base/error.ts";
import { FileWatch } from "../base/file_watch.ts";
import type { Logger } from "../base/logger.ts";
import { type FeatureParameters } from "../features/parameters.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { Control } from "../stream/control.ts";
import {
  type AppliedChange,
  type DecisionChange,
  type DecisionState,
  NO_CHANGE,
} from "../stream/decision_changes.ts";
import type { AlertPolicy } from "./alert_policy.ts";
import {
  DecisionRules,
  type DecisionSetting,
  type RuleRows,
  ruleRows,
} from "./decision_rules.ts";
import { listOfContent, type ValueList } from "./list_file.ts";
import {
  listPath,
  openLists,
  openRules,
  readRules,
  type RuleFile,
} from "./rule_file.ts";

/** Where rules come from. */
export interface RulePlace {
  /** Their file, which names its lists. */
  readonly path: string;
  /** Who changes them, for the record; undefined for the owner of the file. */
  readonly who: string | undefined;
}

/** What decides in a range of offsets of a partition. */
export interface DecisionStretch {
  /** The rules; undefined where there are none. */
  readonly rules: DecisionRules | undefined;
  /** The offset before which it decides. */
  readonly until: number;
  /** Set where it begins here and this is not recorded yet. */
  readonly begins: AppliedChange | undefined;
}

/** How a source is opened. */
export interface DecisionSourceOptions {
  /** The stream's control topic. */
  readonly control: Control;
  /** The features of the stream. */
  readonly features: FeatureParameters;
  /** The form of its payments. */
  readonly shape: PaymentShape;
  /** The files; undefined where the stream's own rules, if it has any, stay. */
  readonly place: RulePlace | undefined;
  /** Which payments are alerts. */
  readonly policy: AlertPolicy;
  /** Whether there may be scores. */
  readonly isScored: boolean;
  /** For what changes. */
  readonly logger: Logger;
}

/** Rules kept ready, where a replay goes through several. */
const READY_MAX = 4;

/** Gives the scorer its rules. */
export class DecisionSource {
  readonly #options: DecisionSourceOptions;
  readonly #rows: RuleRows;
  readonly #ready = new Map<number, DecisionRules>();
  #watches: readonly FileWatch[] = [];
  /** The newest change that could be made ready. */
  #newest: DecisionChange | undefined;
  /** What was wrong with the files when they were last read. */
  #refused: string | undefined;
  /** The threshold that the page has set, when it was last looked at. */
  #applied: number | undefined;

  private constructor(options: DecisionSourceOptions) {
    this.#options = options;
    this.#rows = ruleRows(options.features, options.shape);
  }

  /** Opens the source of a stream, and records what its files and flags change. Throws ConfigError for rules that do not fit the stream, DataError for files that cannot be read. */
  static async open(options: DecisionSourceOptions): Promise<DecisionSource> {
    const source = new DecisionSource(options);
    const { control, place, logger } = options;
    await control.refresh();
    if (place) await source.#takeFiles(place);
    else await source.#takeThreshold();
    source.#applied = control.alertThreshold;
    await source.#useNewest();
    const { rules, lists } = control.decisionState;
    if (rules !== null) logger.info("rules in use", { version: rules, lists });
    return source;
  }

  /** The rows that the rules are evaluated on. */
  get rows(): RuleRows {
    return this.#rows;
  }

  /** Checks the files and the stream for changes, if that is due: call it between batches, after the control topic was read. */
  async refresh(): Promise<void> {
    const { control, place, logger } = this.#options;
    let changed = false;
    for (const watch of this.#watches) {
      changed = await watch.hasChanged() || changed;
    }
    if (changed && place) {
      try {
        await this.#takeFiles(place);
        this.#refused = undefined;
      } catch (error) {
        if (!(error instanceof Error) || error instanceof LogError) throw error;
        if (error.message !== this.#refused) {
          logger.warn("the new rules were rejected; keeping the rules in use", {
            version: control.decisionState.rules,
            error: error.message,
          });
        }
        this.#refused = error.message;
      }
    }
    // Only what changes: another scorer may have other flags.
    if (control.alertThreshold !== this.#applied) await this.#takeThreshold();
    this.#applied = control.alertThreshold;
    await this.#useNewest();
  }

  /**
   * What decides about the record at an offset of a partition, which has
   * applied `own` since it was opened. Below the offset `decided` the newest
   * change begins nowhere: payments may have been decided about without it.
   */
  async at(
    partition: number,
    offset: number,
    own: readonly AppliedChange[],
    decided: number,
  ): Promise<DecisionStretch> {
    const applied = [
      ...this.#options.control.appliedChanges(partition),
      ...own,
    ].sort((a, b) => a.from - b.from || a.change - b.change);
    const last = applied.findLast(({ from }) => from <= offset);
    const next = applied.find(({ from }) => from > offset);
    if (next) return await this.#stretch(last, next.from);
    const change = this.#newest?.number ?? NO_CHANGE;
    if (last?.change === change) return await this.#stretch(last);
    if (last && offset < decided) return await this.#stretch(last, decided);
    const begins = { partition, change, from: offset };
    return { ...await this.#stretch(begins), begins };
  }

  async #stretch(
    applied: AppliedChange | undefined,
    until = Infinity,
  ): Promise<DecisionStretch> {
    const { decisionChanges } = this.#options.control;
    const change = decisionChanges[(applied?.change ?? NO_CHANGE) - 1];
    const rules = change && await this.#rules(change);
    return { rules, until, begins: undefined };
  }

  /** Reads and checks the files, and records what they change. */
  async #takeFiles({ path, who }: RulePlace): Promise<void> {
    // What is watched is read afterwards, so that no change is missed.
    this.#watches = [new FileWatch(path)];
    await this.#watches[0].hasChanged();
    const rules = openRules(path);
    const lists = await this.#openLists(rules);
    const { control, logger } = this.#options;
    // Throws where they do not fit.
    new DecisionRules({ rules, lists, threshold: null }, this.#rows);
    const versions = Object.fromEntries(
      [...lists].map(([name, { version }]) => [name, version]),
    );
    const contents = new Map([[rules.version, rules.source]]);
    for (const { version, content } of lists.values()) {
      contents.set(version, content);
    }
    const items = await control.recordChange(
      (state) => ({
        rules: rules.version,
        lists: versions,
        threshold: this.#threshold(state),
      }),
      { who: who ?? ownerOf(path), contents },
    );
    for (const item of items) {
      if (item.what === "rules") {
        logger.info("the rules changed", { path, version: item.after });
      } else if (item.what === "list") {
        logger.info("a list changed", { list: item.name, version: item.after });
      }
    }
  }

  async #openLists(rules: RuleFile): Promise<Map<string, ValueList>> {
    const watches = rules.lists.map((list) =>
      new FileWatch(listPath(rules, list))
    );
    for (const watch of watches) await watch.hasChanged();
    this.#watches = [...this.#watches, ...watches];
    return openLists(rules);
  }

  /** Records the threshold that the flags, or the page, say where rules decide. */
  async #takeThreshold(): Promise<void> {
    const { control } = this.#options;
    const { rules, threshold } = control.decisionState;
    if (rules === null) return;
    if (threshold === this.#threshold(control.decisionState)) return;
    await control.recordChange(
      (state) => ({ ...state, threshold: this.#threshold(state) }),
      { who: this.#options.place?.who ?? "the scorer" },
    );
  }

  #threshold({ threshold }: DecisionState): number | null {
    const { control, policy, isScored } = this.#options;
    if (!isScored) return threshold;
    return policy.kind === "threshold"
      ? control.alertThreshold ?? policy.threshold
      : null;
  }

  /** Makes the newest change ready, or keeps the one before where it does not fit. */
  async #useNewest(): Promise<void> {
    const { control, logger } = this.#options;
    const change = control.decisionChanges.at(-1);
    if (!change || change.number === this.#newest?.number) return;
    if (change.state.rules === null && !control.hasRules) return;
    try {
      await this.#rules(change);
      this.#newest = change;
    } catch (error) {
      if (!(error instanceof ConfigError) || !this.#newest) throw error;
      logger.warn("a change of the rules was rejected", {
        change: change.number,
        error: error.message,
      });
    }
  }

  async #rules(change: DecisionChange): Promise<DecisionRules | undefined> {
    const known = this.#ready.get(change.number);
    if (known || change.state.rules === null) return known;
    const setting = await decisionSetting(this.#options.control, change.state);
    const rules = new DecisionRules(setting, this.#rows);
    const [oldest] = this.#ready.keys();
    if (this.#ready.size === READY_MAX) this.#ready.delete(oldest);
    this.#ready.set(change.number, rules);
    return rules;
  }
}

/** The owner of a file, as a name for records; empty where the system knows none. */
function ownerOf(path: string): string {
  const { uid } = Deno.statSync(path);
  return uid === null ? "" : `uid ${uid}`;
}

/** The rules and lists of a state with rules, as its stream keeps them. Throws LogError where the log lacks them. */
export async function decisionSetting(
  control: Control,
  { rules, lists, threshold }: DecisionState,
): Promise<DecisionSetting> {
  const text = async (what: string, version: string) => {
    const found = await control.content(version);
    if (found !== undefined) return found;
    throw new LogError(
      `the control topic lacks the text of ${what} ${version}; its records ` +
        "were deleted: restore the log from a backup",
    );
  };
  const version = rules ?? "";
  const source = await text("the rules", version);
  const found = new Map<string, ValueList>();
  for (const [name, version] of Object.entries(lists)) {
    found.set(name, listOfContent(await text(`the list ${name}`, version)));
  }
  return {
    rules: readRules(source, `rules ${version}`),
    lists: found,
    threshold,
  };
}
