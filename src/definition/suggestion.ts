/**
 * Suggests a definition for a data set, from the names of its columns and some
 * of its values. Every guess carries a comment, because only the owner of the
 * data can confirm it. A data set without a card, a terminal or a time is
 * refused: the features are histories of cards and terminals.
 */
import { DataError } from "../base/error.ts";
import { formatDefect, timeReader } from "./time_format.ts";
import { Zone } from "./zone.ts";

/** A column, and some of its values. */
export interface SampleColumn {
  /** Its name. */
  readonly name: string;
  /** Values as text, without missing ones. */
  readonly values: readonly string[];
}

/** Names of columns in other data sets, without case, blanks and marks; the likeliest first. */
const SYNONYMS = {
  id: [
    ...["transactionid", "txid", "transnum", "trxid", "tranid", "paymentid"],
    ...["transaction", "txnid", "reference", "uuid", "id"],
  ],
  time: [
    ...["txdatetime", "transdatetranstime", "transactiondatetime", "datetime"],
    ...["timestamp", "transactiontime", "transactiondate", "txtime", "ts"],
    ...["eventtime", "createdat", "paidat", "unixtime", "date", "time"],
  ],
  card: [
    ...["customerid", "cardid", "ccnum", "cardnumber", "cardno", "cardnum"],
    ...["creditcardnumber", "pan", "card", "accountid", "accountnumber"],
    ...["account", "clientid", "userid", "client", "customer", "user", "uid"],
    ...["nameorig", "cardholder", "payerid", "sender"],
  ],
  terminal: [
    ...["terminalid", "terminal", "merchantid", "merchantname", "merchant"],
    ...["posid", "pos", "shopid", "shop", "storeid", "store", "sellerid"],
    ...[
      "seller",
      "acceptorid",
      "payeeid",
      "namedest",
      "receiver",
      "mid",
      "tid",
    ],
  ],
  amount: [
    ...["txamount", "transactionamount", "transactionamt", "amount", "amt"],
    ...["amountusd", "paymentamount", "purchaseamount", "price", "value"],
    ...["total", "sum"],
  ],
  fraud: [
    ...["txfraud", "isfraud", "fraud", "fraudflag", "fraudlabel", "fraudulent"],
    ...["fraudind", "chargeback", "label", "class", "target"],
  ],
} as const;

/** Columns that say more about a payment, and are kept. */
const KEPT: readonly string[] = [
  ...["category", "mcc", "merchantcategory", "channel", "usechip", "entrymode"],
  ...["country", "merchantcountry", "citypop", "distance", "errors", "device"],
];

/** Personal data that no feature needs. */
const PERSONAL: readonly string[] = [
  ...["first", "firstname", "last", "lastname", "name", "fullname", "gender"],
  ...["street", "address", "dob", "dateofbirth", "birthdate", "email", "phone"],
  ...["ssn", "cvv", "cvc", "pin", "ip", "ipaddress", "passport"],
];

/** Patterns of times that are tried, the likelier first. */
const PATTERNS: readonly string[] = [
  "iso",
  ...["/", ".", "-", " "].flatMap((mark) =>
    ["MM/dd/yyyy", "dd/MM/yyyy", "M/d/yyyy", "d/M/yyyy", "yyyy/MM/dd", "M/d/yy"]
      .flatMap((date) =>
        ["HH:mm:ss", "HH:mm", "H:mm", "h:mm a", "hh:mm:ss a"].map((time) =>
          `${date.replaceAll("/", mark)} ${time}`
        )
      )
  ),
  "yyyyMMddHHmmss",
  "yyyyMMdd HH:mm:ss",
  "yyyy-MM-dd h:mm a",
  "yyyy-MM-dd",
];

/** Years in which payments of a count are believed. */
const FROM_SECOND = Date.UTC(1995, 0) / 1000;
const TO_SECOND = Date.UTC(2100, 0) / 1000;

const UTC = new Zone("UTC");

/** A line of the definition, with the guess above it. */
interface Guess {
  readonly line: string;
  readonly why: string;
  /** Columns that it reads. */
  readonly columns: readonly string[];
}

/**
 * The text of a definition for data with these columns; `source` is its name
 * in messages. Throws DataError where the data cannot be a stream of payments.
 */
export function suggestDefinition(
  columns: readonly SampleColumn[],
  source: string,
): string {
  const refuse = (what: string, why: string) => {
    const names = columns.slice(0, 12).map(({ name }) => name).join(", ");
    const more = columns.length > 12 ? ", …" : "";
    return new DataError(
      `${source}: no column looks like ${what} (${names}${more}); ${why}`,
    );
  };
  const card = guessCard(columns);
  if (card === undefined) {
    throw refuse("a card or customer", advice(columns));
  }
  const others = columns.filter(({ name }) => !card.columns.includes(name));
  const time = guessTime(others);
  if (time === undefined) {
    throw refuse(
      "a date and time",
      "payments need a time; write a definition by hand if one has it: " +
        "fraudstream init",
    );
  }
  const terminal = guessId("TERMINAL_ID", SYNONYMS.terminal, others);
  if (terminal === undefined) {
    throw refuse(
      "a terminal or merchant",
      "half of the features are histories of terminals; if one column has " +
        "them, write a definition by hand: fraudstream init",
    );
  }
  const amount = guessAmount(others);
  if (amount === undefined) throw refuse("an amount", "payments need one");
  const id = guessTransaction(others);
  return definitionText(columns, source, [id, time, card, terminal, amount]);
}

function advice(columns: readonly SampleColumn[]): string {
  const isUlb = ["V1", "V28", "Amount", "Class"].every((known) =>
    columns.some(({ name }) => name === known)
  );
  return isUlb
    ? "this is the ULB credit card data set, whose cards and terminals were " +
      "replaced by principal components (V1 to V28): without them no history " +
      "of a card can be computed; try the data sets of fraudstream init " +
      "--template=sparkov or --template=tabformer"
    : "the features are histories of cards; if one column has them, write a " +
      "definition by hand: fraudstream init";
}

function definitionText(
  columns: readonly SampleColumn[],
  source: string,
  core: readonly Guess[],
): string {
  const used = new Set(core.flatMap((guess) => guess.columns));
  const fraud = guessFraud(columns.filter(({ name }) => !used.has(name)));
  for (const name of fraud?.columns ?? []) used.add(name);
  const free = columns.filter(({ name }) => name !== "" && !used.has(name));
  const guesses = fraud ? [...core, fraud] : core;
  const lines = [
    `# Suggested by 'fraudstream check' from ${
      oneLine(source)
    }. Check every line.`,
    "version: 1",
    "payment:",
    ...guesses.flatMap(({ why, line }) => [`  # ${oneLine(why)}`, `  ${line}`]),
    ...keptLines(free),
    ...droppedLines(free),
    fraud
      ? "# A label counts this long after its payment."
      : "# No column looks like a label: labels arrive later on their own.",
    fraud
      ? "labels: { from: payment, delay: 7d }"
      : "labels: { from: stream, delay: 7d, grace: 1d }",
    "features: { include: handbook }",
  ];
  return lines.join("\n") + "\n";
}

function keptLines(free: readonly SampleColumn[]): string[] {
  const seen = new Set<string>();
  const kept = free.filter(({ name }) => KEPT.includes(plain(name)))
    .flatMap(({ name, values }) => {
      const key = name.replaceAll(/[^A-Za-z0-9_]+/g, "_")
        .replace(/^[^A-Za-z]+|_+$/g, "").slice(0, 64).toLowerCase();
      if (key === "" || seen.has(key)) return [];
      seen.add(key);
      // Codes are text: they may begin with 0.
      const isNumber = /^(?:citypop|distance)$/.test(plain(name)) &&
        values.every((value) => /^-?\d+(?:\.\d+)?$/.test(value));
      const type = isNumber ? "number" : "text";
      const value = key === name
        ? type
        : `{ from: ${quoted(name)}, type: ${type} }`;
      return [`    ${key}: ${value}`];
    });
  if (kept.length === 0) return [];
  return [
    "  # Kept under their own names, beside the payment's fields.",
    "  keep:",
    ...kept,
  ];
}

function droppedLines(free: readonly SampleColumn[]): string[] {
  const dropped = free.filter(({ name }) => PERSONAL.includes(plain(name)));
  if (dropped.length === 0) return [];
  const names = dropped.map(({ name }) => quoted(name)).join(", ");
  return [
    "  # Personal data that no feature needs: it does not enter the log.",
    `  drop: [${names}]`,
  ];
}

/** The column with the likeliest of some names among those that fit. */
function find(
  synonyms: readonly string[],
  columns: readonly SampleColumn[],
  fits: (column: SampleColumn) => boolean = () => true,
): SampleColumn | undefined {
  for (const synonym of synonyms) {
    const found = columns.find((column) =>
      plain(column.name) === synonym && fits(column)
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

function guessTransaction(columns: readonly SampleColumn[]): Guess {
  const column = find(
    SYNONYMS.id,
    columns,
    ({ values }) => values.length > 0 && new Set(values).size === values.length,
  );
  if (column === undefined) {
    return {
      line: "TRANSACTION_ID: { from: row }",
      why: "No column looks like a unique id: the rows are numbered.",
      columns: [],
    };
  }
  return idGuess("TRANSACTION_ID", column, "all its values differ");
}

function guessCard(columns: readonly SampleColumn[]): Guess | undefined {
  const user = columns.find(({ name }) => plain(name) === "user");
  const card = columns.find(({ name }) => plain(name) === "card");
  if (user === undefined || card === undefined) {
    return guessId("CUSTOMER_ID", SYNONYMS.card, columns);
  }
  return {
    line: `CUSTOMER_ID: { from: [${quoted(user.name)}, ${
      quoted(card.name)
    }], join: "-" }`,
    why: `${user.name} and ${card.name} together look like the card.`,
    columns: [user.name, card.name],
  };
}

function guessId(
  key: string,
  synonyms: readonly string[],
  columns: readonly SampleColumn[],
): Guess | undefined {
  const column = find(synonyms, columns, ({ values }) => values.length > 0);
  return column && idGuess(key, column);
}

function idGuess(key: string, column: SampleColumn, fact?: string): Guess {
  const { name, values } = column;
  const isNumber = values.length > 0 &&
    values.every((value) => /^(?:0|[1-9]\d{0,14})$/.test(value));
  const isCard = key === "CUSTOMER_ID" && values.some(isCardNumber);
  const type = isNumber && !isCard ? "number" : "text";
  const why = `${name}: by its name${fact ? `, and ${fact}` : ""}; ` +
    (type === "number"
      ? "whole numbers, which are faster than text."
      : "text, which keeps every digit and blank.") +
    (isCard
      ? " Looks like card numbers: 'hmac: true' keeps them out of the log."
      : "");
  return {
    line: `${key}: { from: ${columnList(name)}, type: ${type} }`,
    why,
    columns: [name],
  };
}

/** A single column; 'row' in brackets, since it has a meaning without. */
function columnList(name: string): string {
  return name === "row" ? "[row]" : quoted(name);
}

/** Whether digits end with the check digit of card numbers (Luhn). */
function isCardNumber(text: string): boolean {
  if (!/^[2-6]\d{12,18}$/.test(text)) return false;
  const sum = [...text].reverse().reduce((total, digit, at) => {
    const doubled = at % 2 === 0 ? Number(digit) : 2 * Number(digit);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}

function guessTime(columns: readonly SampleColumn[]): Guess | undefined {
  for (const synonym of SYNONYMS.time) {
    const column = columns.find(({ name }) => plain(name) === synonym);
    const formats = column ? formatsOf(column.values) : [];
    if (column === undefined || formats.length === 0) continue;
    // A date beside a time of day is half of the time.
    const [format] = formats;
    if (format === "yyyy-MM-dd" || !/[Hhe]|iso/.test(format)) continue;
    return timeGuess([column.name], formats);
  }
  return guessJoinedTime(columns);
}

/** A time in several columns: year, month, day and time, or date and time. */
function guessJoinedTime(
  columns: readonly SampleColumn[],
): Guess | undefined {
  for (
    const names of [["year", "month", "day", "time"], ["date", "time"]]
  ) {
    const parts = names.map((part) =>
      columns.find(({ name }) => plain(name) === part)
    ).filter((part) => part !== undefined);
    if (parts.length < names.length) continue;
    const rows = Math.min(...parts.map(({ values }) => values.length));
    const joined = Array.from(
      { length: rows },
      (_, row) => parts.map(({ values }) => values[row]).join(" "),
    );
    const formats = names.length === 4
      ? ["yyyy M d HH:mm", "yyyy M d HH:mm:ss"].filter((format) =>
        isFormat(format, joined)
      )
      : formatsOf(joined);
    if (formats.length > 0) {
      return timeGuess(parts.map(({ name }) => name), formats);
    }
  }
  return undefined;
}

function timeGuess(
  columns: readonly string[],
  [format, ...others]: readonly string[],
): Guess {
  const from = columns.length === 1
    ? quoted(columns[0])
    : `[${columns.map(quoted).join(", ")}], join: " "`;
  const isCount = format.startsWith("epoch-");
  const other = others.find((one) =>
    one.includes("d") && /^d/.test(one) !== /^d/.test(format)
  );
  const why = isCount
    ? "counts since 1970 in UTC."
    : "times without an offset are read in this zone: is it UTC?" +
      (other ? ` The values also fit '${other}': day or month first?` : "");
  return {
    line: `TX_DATETIME: { from: ${from}, format: "${format}"` +
      `${isCount ? "" : ", zone: UTC"} }`,
    why: `${columns.join(", ")}: by name and values; ${why}`,
    columns,
  };
}

/** The formats that all values have, the likeliest first. */
function formatsOf(values: readonly string[]): string[] {
  if (values.length === 0) return [];
  const counts = ["epoch-s", "epoch-ms", "epoch-us"].filter((format) => {
    const read = timeReader(format, UTC);
    return values.every((value) => {
      const seconds = read(value);
      return seconds >= FROM_SECOND && seconds < TO_SECOND;
    });
  });
  if (counts.length > 0) return counts;
  return PATTERNS.filter((format) => isFormat(format, values));
}

function isFormat(format: string, values: readonly string[]): boolean {
  if (formatDefect(format) !== undefined || values.length === 0) return false;
  const read = timeReader(format, UTC);
  return values.every((value) => !Number.isNaN(read(value.trim())));
}

const AMOUNT =
  /^([-+]?)(\p{Sc}|[A-Z]{3} ?)?([-+]?)(\d{1,3}(?:[,. ']\d{3})+|\d+)(?:([.,])(\d{1,4}))?$/u;

function guessAmount(columns: readonly SampleColumn[]): Guess | undefined {
  const column = find(
    SYNONYMS.amount,
    columns,
    ({ values }) =>
      values.length > 0 && values.every((value) => AMOUNT.test(value.trim())),
  );
  if (column === undefined) return undefined;
  const parts = column.values.map((value) => AMOUNT.exec(value.trim()) ?? []);
  const first = (at: number) =>
    parts.map((part) => part[at]).find((part) => part);
  const grouped = parts.map((part) => /[,. ']/.exec(part[4] ?? "")?.[0])
    .find((mark) => mark);
  const mark = first(5) ?? ".";
  const decimals = Math.max(2, ...parts.map((part) => part[6]?.length ?? 0));
  const refunds = parts.some((part) => `${part[1]}${part[3]}`.includes("-"));
  const prefix = first(2);
  const keys = [
    `from: ${quoted(column.name)}`,
    `decimals: ${decimals}`,
    ...prefix ? [`prefix: ${quoted(prefix)}`] : [],
    ...mark === "," ? ['decimal: ","'] : [],
    ...grouped && grouped !== mark ? [`thousands: ${quoted(grouped)}`] : [],
    ...refunds ? ["refunds: true"] : [],
  ];
  return {
    line: `TX_AMOUNT: { ${keys.join(", ")} }`,
    why: `${column.name}: by its name; add its currency, such as ` +
      `currency: USD.${refunds ? " Some are negative: refunds?" : ""}`,
    columns: [column.name],
  };
}

/** Texts of a flag, by those that mean 1. */
const FLAGS: readonly (readonly [yes: string, no: string])[] = [
  ["Yes", "No"],
  ["yes", "no"],
  ["YES", "NO"],
  ["Y", "N"],
  ["y", "n"],
  ["T", "F"],
  ["fraud", "genuine"],
  ["fraud", "legit"],
];
const PLAIN_FLAG = /^(?:[01](?:\.0)?|true|false|True|False|TRUE|FALSE)$/;

function guessFraud(columns: readonly SampleColumn[]): Guess | undefined {
  for (const synonym of SYNONYMS.fraud) {
    const column = columns.find(({ name }) => plain(name) === synonym);
    const values = column?.values ?? [];
    if (column === undefined || values.length === 0) continue;
    const { name } = column;
    const why = `${name}: by its name and values; leave it out where labels ` +
      "arrive later.";
    if (values.every((value) => PLAIN_FLAG.test(value))) {
      return { line: `TX_FRAUD: ${quoted(name)}`, why, columns: [name] };
    }
    const texts = FLAGS.find((pair) =>
      values.every((value) => pair.includes(value))
    );
    if (texts === undefined) continue;
    const [yes, no] = texts.map(quoted);
    return {
      line: `TX_FRAUD: { from: ${quoted(name)}, true: ${yes}, false: ${no} }`,
      why,
      columns: [name],
    };
  }
  return undefined;
}

/** A text as YAML, in quotes where it could be read as something else. */
function quoted(text: string): string {
  const isWord = /^[A-Za-z_][A-Za-z0-9_ ]*[A-Za-z0-9_]$/.test(text);
  return isWord ? text : JSON.stringify(text);
}

/** A text for a comment, which ends with its line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
