/**
 * Rules and lists in requests: read from the control topic, and changed as the
 * page changes them. Where the stream requires approval, a change is proposed,
 * and a second person approves it on the page.
 */
import { ConflictError, DataError } from "../base/error.ts";
import { turns } from "../base/turns.ts";
import { formatDatetime } from "../payment/calendar.ts";
import type { ChangeOutcome } from "../scoring/decision_edits.ts";
import {
  LIST_BYTES_MAX,
  listOfContent,
  readList,
  type ValueList,
} from "../scoring/list_file.ts";
import { problemOf, RuleEditor } from "../scoring/rule_editor.ts";
import type { Control, StreamParameters } from "../stream/control.ts";
import { Problem } from "./problem.ts";
import type { VersionedAnswer } from "./stream_api.ts";

/** Reads and changes the rules of a stream. */
export class RuleRequests {
  readonly #control: Control;
  readonly #editor: RuleEditor;
  readonly #inTurn = turns();

  /** Changes the rules of a stream with these parameters. */
  constructor(place: {
    readonly control: Control;
    readonly parameters: StreamParameters;
  }) {
    this.#control = place.control;
    this.#editor = new RuleEditor(place);
  }

  /** The rules: `{"VERSION":"…"|null,"YAML":"…"}`. */
  async rules(): Promise<VersionedAnswer> {
    await this.#control.refresh();
    return await this.#rules();
  }

  /** Replaces the rules of a version by a YAML text. Throws Problem. */
  async replaceRules(
    yaml: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    const { status } = await this.#change(() =>
      this.#editor.save(yaml, version, who)
    );
    return withStatus(await this.#rules(), status);
  }

  /** Names, versions and numbers of entries of the lists: `{"LISTS":[{"NAME":"…","VERSION":"…","ENTRIES":3}]}`. */
  async lists(): Promise<string> {
    await this.#control.refresh();
    const lists = [];
    const { lists: versions } = this.#control.decisionState;
    for (const [name, version] of Object.entries(versions)) {
      const { entries } = await this.#list(version);
      lists.push({ NAME: name, VERSION: version, ENTRIES: entries.size });
    }
    return JSON.stringify({ LISTS: lists });
  }

  /** A list: `{"NAME":"…","VERSION":"…","CSV":"…"}`. Throws Problem. */
  async list(name: string): Promise<VersionedAnswer> {
    await this.#control.refresh();
    const { lists } = this.#control.decisionState;
    if (!Object.hasOwn(lists, name)) {
      throw new Problem(
        "not-found",
        "the rules have no such list; name it in 'lists' of the rules first",
      );
    }
    const version = lists[name];
    const list = await this.#list(version);
    const json = { NAME: name, VERSION: version, CSV: csvOf(list) };
    return { json: JSON.stringify(json), version };
  }

  /** Replaces the list of a version by a CSV text. Throws Problem. */
  async replaceList(
    name: string,
    csv: string,
    version: string | null,
    who: string,
  ): Promise<VersionedAnswer> {
    // A list that is not there is no list to change.
    await this.list(name);
    if (new TextEncoder().encode(csv).length > LIST_BYTES_MAX) {
      throw new Problem(
        "too-large",
        `a list has at most ${LIST_BYTES_MAX} bytes; shorten it`,
      );
    }
    const edit = () => readList(csv, "list");
    const { status } = await this.#change(() =>
      this.#editor.changeList({ name, who, seen: version, edit })
    );
    return withStatus(await this.list(name), status);
  }

  async #rules(): Promise<VersionedAnswer> {
    const { rules: version } = this.#control.decisionState;
    const yaml = version === null ? "" : await this.#control.content(version);
    const json = JSON.stringify({ VERSION: version, YAML: yaml ?? "" });
    return { json, version };
  }

  async #list(version: string): Promise<ValueList> {
    return listOfContent(await this.#control.content(version) ?? "[]");
  }

  async #change(
    change: () => Promise<ChangeOutcome>,
  ): Promise<ChangeOutcome> {
    try {
      return await this.#inTurn(change);
    } catch (error) {
      if (error instanceof ConflictError) {
        throw new Problem("outdated", error.message);
      }
      if (!(error instanceof DataError)) throw error;
      const { message, line, column } = problemOf(error);
      const members = line === undefined || column === undefined
        ? {}
        : { LINE: line, COLUMN: column };
      throw new Problem("rejected", message, { members });
    }
  }
}

function withStatus(
  { json, version }: VersionedAnswer,
  status: ChangeOutcome["status"],
): VersionedAnswer {
  const members = JSON.stringify({ STATUS: status });
  return { json: `${json.slice(0, -1)},${members.slice(1)}`, version, status };
}

/** The CSV text of a list, with a column of notes where it has any. */
function csvOf({ entries, notes }: ValueList): string {
  const hasNotes = notes.size > 0;
  const rows = [...entries].map(([value, until]) => {
    const end = until === Infinity ? "" : formatDatetime(until);
    const note = hasNotes ? `,${quoted(notes.get(value) ?? "")}` : "";
    return `${quoted(value)},${end}${note}\n`;
  });
  return `value,expires${hasNotes ? ",note" : ""}\n${rows.join("")}`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
