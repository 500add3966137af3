/** `verdicts`: takes verdicts from a file into a stream's history of cases. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { DataError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import { formatOfName } from "../../files/day_source.ts";
import { smallTable } from "../../files/small_table.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { NOTE_MAX, WHO_MAX } from "../../payment/case_json.ts";
import { parseDatetime, parseIsoDatetime } from "../../payment/calendar.ts";
import type { TransactionId } from "../../payment/payment.ts";
import { type IdKind, transactionIdIn } from "../../payment/payment_shape.ts";
import type { LookUp } from "../../store/look_up.ts";
import {
  appendCaseSteps,
  type CaseStep,
  readDecisions,
} from "../../stream/case_events.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { CASE_TOPIC } from "../../stream/topics.ts";
import {
  importVerdicts,
  uuidOf,
  type VerdictRecord,
} from "../../stream/verdict_records.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import { oneOf, requireFlag } from "../flags/flag_value.ts";
import { writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { verdictColumns } from "../output/verdict_table.ts";
import { warnings } from "../output/warnings.ts";
import { requireStoredRows } from "./stored_rows.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    in: { value: "<file>", help: "required: file of verdicts" },
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --in",
    },
    who: {
      value: "<name>",
      help: "who decided, where a row has no WHO",
    },
    skipBadRows: {
      help: "leave out invalid rows and unknown payments, and report them",
    },
  },
} as const satisfies FlagGroup;

type VerdictsOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

const EXAMPLES = `
Examples:
  ./fraudstream export --table=verdicts --out verdicts.csv
  ./fraudstream verdicts --in=verdicts.csv --data=./other
  ./fraudstream verdicts --in=chargebacks.csv --who=bank

A file needs TRANSACTION_ID and LABEL (1: fraud, 0: no fraud), and WHO unless
--who is given. It may have AT (ISO 8601, UTC without an offset; now by default)
and NOTE, and the other columns of export --table=verdicts. A verdict that the
stream has already, by EVENT_ID or else by its content, is left out, so a file
can be given again.
`;

/** The command. */
export const VERDICTS_COMMAND: CommandDeclaration = defineCommand({
  name: "verdicts",
  summary: "take verdicts from a file into a stream",
  description:
    "Appends the verdicts of a file to the history of cases, each once, as " +
    "the page does: they are shown with their cases, and trainers take them " +
    "for labels. The payments must be in the store.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: verdicts,
});

/** Steps of one append. */
const APPEND_STEPS = 1000;
/** Rows left out that are named. */
const NAMED_MAX = 3;

async function verdicts(options: VerdictsOptions): Promise<void> {
  const path = requireFlag("--in", options.in, "verdicts --in=verdicts.csv");
  const bad = new LeftOut(options.skipBadRows ?? false);
  const connection = readConnection(options);
  const report = warnings("verdicts");
  await using stream = await openStoredStream(connection, report);
  const { store, shape } = await requireStoredRows(connection, stream, report);
  await using _closed = store;
  const idKind = shape.transactionId;
  const given = await readRecords(path, { ...options, idKind }, bad);
  if (await stream.log.endOffsets(CASE_TOPIC) === undefined) {
    throw new DataError(
      `the stream has no ${CASE_TOPIC}, which this version adds; start ` +
        "'./fraudstream run' on it once",
    );
  }
  const times = await timesOf(given, store.lookUp(), bad);
  const records = given.map(({ record }) => record)
    .filter(({ transactionId }) => times.has(transactionId));
  const decisions = await readDecisions(stream.log, idKind);
  const { payments, verdicts, withdrawals } = importVerdicts(
    records,
    decisions,
    (id) => times.get(id) ?? 0,
  );
  let steps: CaseStep[] = [];
  for (const [at, more] of payments.entries()) {
    steps.push(...more);
    const isLast = at === payments.length - 1;
    if (steps.length < APPEND_STEPS && !isLast) continue;
    await appendCaseSteps(stream.log, steps);
    steps = [];
  }
  const known = records.length - verdicts;
  writeError(
    `${counted(verdicts, "verdict")} taken` +
      (withdrawals > 0 ? `, ${counted(withdrawals, "withdrawal")}` : "") +
      (known > 0 ? `; ${counted(known, "verdict")} known already` : "") +
      "\n" + bad.text(),
  );
}

/** A verdict of the file, and its place for messages. */
interface GivenRecord {
  readonly record: VerdictRecord;
  readonly place: string;
}

/** Rows that cannot be used: an error, or left out. */
class LeftOut {
  readonly #skips: boolean;
  readonly #named: string[] = [];
  #count = 0;

  constructor(skips: boolean) {
    this.#skips = skips;
  }

  /** Takes one, or throws DataError. */
  add(problem: string): void {
    if (!this.#skips) {
      throw new DataError(
        `${problem}; fix the row, or leave such rows out with --skip-bad-rows`,
      );
    }
    if (++this.#count <= NAMED_MAX) this.#named.push(problem);
  }

  /** What was left out. */
  text(): string {
    return this.#count === 0
      ? ""
      : `skipped ${counted(this.#count, "bad row")}\n` +
        this.#named.map((problem) => `  ${problem}\n`).join("");
  }
}

async function readRecords(
  path: string,
  { inputFormat, who, idKind }: VerdictsOptions & { readonly idKind: IdKind },
  bad: LeftOut,
): Promise<GivenRecord[]> {
  const format = inputFormat ?? formatOfName(path) ?? "csv";
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  const fields = verdictColumns(idKind).map(({ name }) => name);
  const otherwise = "take another copy";
  const rows = await smallTable(bytes, format, { fields, path, otherwise });
  const now = new Date().toISOString();
  const found: GivenRecord[] = [];
  rows.forEach((row, index) => {
    const place = `${path}: row ${index + 1}`;
    const record = recordOf(row, { now, who, idKind });
    if (typeof record === "string") bad.add(`${place}: ${record}`);
    else found.push({ record, place });
  });
  return found;
}

/** The verdict in a row, or what is wrong with it. */
function recordOf(
  row: Readonly<Record<string, unknown>>,
  { now, who: someone, idKind }: {
    readonly idKind: IdKind;
    readonly now: string;
    readonly who: string | undefined;
  },
): VerdictRecord | string {
  const transactionId = transactionIdIn(
    idKind === "text"
      ? String(row.TRANSACTION_ID ?? "")
      : numberOf(row.TRANSACTION_ID),
    idKind,
  );
  if (transactionId === undefined) {
    return "TRANSACTION_ID is not the id of a payment";
  }
  const label = numberOf(row.LABEL);
  if (label !== 0 && label !== 1) return "LABEL is not 0 or 1";
  const who = textOf(row.WHO) || (someone ?? "");
  if (who === "") return "WHO is missing (or give --who)";
  if (who.length > WHO_MAX) return `WHO has more than ${WHO_MAX} characters`;
  const note = textOf(row.NOTE);
  if (note.length > NOTE_MAX) {
    return `NOTE has more than ${NOTE_MAX} characters`;
  }
  const [at, withdrawnAt] = [timeOf(row.AT), timeOf(row.WITHDRAWN_AT)];
  if (at === undefined || withdrawnAt === undefined) {
    const name = at === undefined ? "AT" : "WITHDRAWN_AT";
    return `${name} is not a time like 2026-11-30T03:12:45Z`;
  }
  const content = {
    transactionId,
    label: label === 1 ? 1 as const : 0 as const,
    who,
    at: at ?? "",
    note,
  };
  const decisionId = textOf(row.DECISION_ID);
  return {
    ...content,
    eventId: textOf(row.EVENT_ID) || uuidOf("", content),
    at: at ?? now,
    ...decisionId !== "" && { decisionId },
    ...withdrawnAt !== null && {
      withdrawn: {
        eventId: textOf(row.WITHDRAWAL_ID),
        who: textOf(row.WITHDRAWN_BY) || who,
        at: withdrawnAt,
      },
    },
  };
}

function numberOf(value: unknown): number {
  return value === "" || value === null || value === undefined
    ? NaN
    : Number(value);
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? "" : String(value).trim();
}

/** A time in ISO 8601 with milliseconds; null for none, undefined for what is no time. */
function timeOf(value: unknown): string | null | undefined {
  if (value instanceof Date) return value.toISOString();
  const text = textOf(value);
  if (text === "") return null;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/.test(text)) {
    const ms = Date.parse(text);
    return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
  }
  const seconds = parseIsoDatetime(text);
  return seconds === undefined
    ? undefined
    : new Date(seconds * 1000).toISOString();
}

/** The event time in milliseconds of each payment that the store has; the others are bad rows. */
async function timesOf(
  given: readonly GivenRecord[],
  lookUp: LookUp,
  bad: LeftOut,
): Promise<Map<TransactionId, number>> {
  const times = new Map<TransactionId, number>();
  const unknown = new Set<TransactionId>();
  for (const { record: { transactionId }, place } of given) {
    if (times.has(transactionId)) continue;
    const found = unknown.has(transactionId)
      ? undefined
      : await lookUp.payment(transactionId);
    if (found) {
      const seconds = parseDatetime(found.payment.datetime) ?? 0;
      times.set(transactionId, seconds * 1000);
    } else {
      unknown.add(transactionId);
      bad.add(`${place}: the store has no payment ${transactionId}`);
    }
  }
  return times;
}
