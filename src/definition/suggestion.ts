/**
 * Suggests a definition for a data set, from the names of its columns and some
 * of its values. Every guess carries a comment, because only the owner of the
 * data can confirm it. A data set without a card, a terminal or a time is
 * refused: the features are histories of cards and terminals.
 */
import { thousands } from "../base/counted.ts";
import { DataError } from "../base/error.ts";
import {
  endsOf,
  isPersonal,
  misfits,
  nameOfThing,
  plainName,
  type SampleColumn,
} from "./sample_column.ts";
import { guessTime, hasTimeOfDay } from "./time_guess.ts";

/** Names of columns in other data sets, without case, blanks and marks; the likeliest first. */
const SYNONYMS = {
  id: [
    ...["transactionid", "txid", "transnum", "trxid", "tranid", "paymentid"],
    ...["transaction", "txnid", "orderid", "invoiceid", "reference", "uuid"],
    ...["receiptid", "id"],
  ],
  card: [
    ...["customerid", "cardid", "ccnum", "cardnumber", "cardno", "cardnum"],
    ...["creditcardnumber", "pan", "card", "accountid", "accountnumber"],
    ...["account", "clientid", "userid", "client", "customer", "user", "uid"],
    ...["nameorig", "cardholder", "payerid", "shopperid", "buyerid"],
    ...["consumerid", "memberid", "sender"],
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
    ...["totalamount", "orderamount", "ordertotal", "ordervalue"],
    ...["grossamount", "amountpaid", "paidamount", "total", "sum"],
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
  all: readonly SampleColumn[],
  source: string,
): string {
  const nested = all.find(({ isNested }) => isNested);
  const columns = all.filter(({ isNested }) => !isNested);
  const refuse = (what: string, advice: string) => {
    const names = all.slice(0, 12).map(({ name }) => name).join(", ");
    const more = all.length > 12 ? ", …" : "";
    const why = nested
      ? `${nested.name} holds further fields, and only fields beside it can ` +
        'be named; "Formats of files" in docs/YOUR_DATA.md makes them flat'
      : advice;
    return new DataError(
      `${source}: no column looks like ${what} (${names}${more}); ${why}`,
    );
  };
  const card = guessCard(columns);
  if (card === undefined) {
    throw refuse("a card or customer", advice(columns));
  }
  const others = columns.filter(({ name }) => !card.columns.includes(name));
  const time = timeGuess(others);
  if (time === undefined) {
    throw refuse(
      "a date and time",
      "payments need a time; write a definition by hand if one has it: " +
        "'./fraudstream init'",
    );
  }
  const terminal = guessId("TERMINAL_ID", SYNONYMS.terminal, others);
  if (terminal === undefined) {
    throw refuse(
      "a terminal or merchant",
      "half of the features are histories of terminals; if one column has " +
        "them, write a definition by hand: './fraudstream init'",
    );
  }
  const amount = guessAmount(others);
  if (amount === undefined) throw refuse("an amount", amountAdvice(others));
  const found = [time, terminal, amount].flatMap(({ columns }) => columns);
  const id = guessTransaction(
    others.filter(({ name }) => !found.includes(name)),
  );
  return definitionText(columns, source, [id, time, card, terminal, amount]);
}

function advice(columns: readonly SampleColumn[]): string {
  const isUlb = ["V1", "V28", "Amount", "Class"].every((known) =>
    columns.some(({ name }) => name === known)
  );
  return isUlb
    ? "this is the ULB credit card data set, whose cards and terminals were " +
      "replaced by principal components (V1 to V28): without them no history " +
      "of a card can be computed; try another data set: " +
      "'./fraudstream init --template=sparkov' or '… --template=tabformer'"
    : "the features are histories of cards; if one column has them, write a " +
      "definition by hand: './fraudstream init'";
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
    ...guesses.flatMap((guess) => [
      `  # ${oneLine(guess.why + missingText(guess, columns))}`,
      `  ${guess.line}`,
    ]),
    ...keptLines(free),
    ...droppedLines(free),
    ...labelLines(fraud),
    "# Declare your own beside include (docs/FEATURES.md), such as",
    "# CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "features: { include: handbook }",
  ];
  return lines.join("\n") + "\n";
}

function labelLines(fraud: FraudGuess | undefined): string[] {
  if (fraud && fraud.unlabelled === undefined) {
    return [
      "# A label counts this long after its payment.",
      "labels: { from: payment, delay: 7d }",
    ];
  }
  return [
    fraud
      ? "# Some payments have no label yet: it arrives later on its own."
      : "# No column looks like a label: labels arrive later on their own.",
    "labels: { from: stream, delay: 7d, grace: 1d }",
  ];
}

function keptLines(free: readonly SampleColumn[]): string[] {
  const seen = new Set<string>();
  const kept = free.filter(({ name }) => KEPT.includes(plainName(name)))
    .flatMap(({ name, values }) => {
      const key = name.replaceAll(/[^A-Za-z0-9_]+/g, "_")
        .replace(/^[^A-Za-z]+|_+$/g, "").slice(0, 64).toLowerCase();
      if (key === "" || seen.has(key)) return [];
      seen.add(key);
      // Codes are text: they may begin with 0.
      const isNumber = /^(?:citypop|distance)$/.test(plainName(name)) &&
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
  const dropped = free.filter(isPersonal);
  if (dropped.length === 0) return [];
  const names = dropped.map(({ name }) => quoted(name)).join(", ");
  return [
    "  # Personal data that no feature needs: it does not enter the log.",
    `  drop: [${names}]`,
  ];
}

/** The column with the likeliest of some names among those that fit; next come other names for the id of the same thing, and names that end so. */
function find(
  synonyms: readonly string[],
  columns: readonly SampleColumn[],
  fits: (column: SampleColumn) => boolean = () => true,
): SampleColumn | undefined {
  for (const nameOf of [plainName, nameOfThing]) {
    for (const synonym of synonyms) {
      const found = columns.find((column) =>
        nameOf(column.name) === nameOf(synonym) && fits(column)
      );
      if (found !== undefined) return found;
    }
  }
  const things = synonyms.map(nameOfThing);
  const known = columns.filter(fits).flatMap((column) => {
    const ends = endsOf(column.name).map(nameOfThing);
    const place = things.findIndex((thing) => ends.includes(thing));
    return place < 0 ? [] : [{ column, place }];
  });
  return known.sort((one, other) => one.place - other.place)[0]?.column;
}

/** What becomes of the rows in which a guess finds nothing. */
function missingText(
  { columns: read, line }: Guess,
  columns: readonly SampleColumn[],
): string {
  const [column] = columns.filter(({ name }) => read.includes(name))
    .sort((a, b) => (b.missing ?? 0) - (a.missing ?? 0));
  const rows = column && missingRows(column);
  if (rows === undefined || line.startsWith("TX_FRAUD")) return "";
  return ` ${rows} have no value: they are rejected` +
    (line.startsWith("TRANSACTION_ID")
      ? "; '{ from: row }' numbers the rows instead."
      : ".");
}

/** '3 of 200 rows': those without a value; undefined for none. */
function missingRows(
  { values, missing = 0 }: SampleColumn,
): string | undefined {
  if (missing === 0) return undefined;
  return share(missing, values.length + missing, "rows");
}

function share(count: number, all: number, noun: string): string {
  return `${thousands(count)} of ${thousands(all)} ${noun}`;
}

/** Values that came before, of those that should all differ. */
function repeatedValues({ values }: SampleColumn): number {
  const seen = new Set<string>();
  return misfits(values, (value) => seen.size < seen.add(value).size);
}

/** Rows that make differing texts an id, whatever the name of their column. */
const UNIQUE_MIN = 10;

/** A text that can be an id: no number, and no sentence. */
const ID_TEXT = /^(?=.*\p{L})[\p{L}\p{N}._:/#-]{2,64}$/u;

function guessTransaction(columns: readonly SampleColumn[]): Guess {
  const isMissing = ({ values, missing = 0 }: SampleColumn) =>
    missing > values.length / 9;
  const isId = (column: SampleColumn) =>
    repeatedValues(column) < Infinity && !isMissing(column);
  const column = find(SYNONYMS.id, columns, isId) ??
    columns.find((column) =>
      column.values.length >= UNIQUE_MIN && isId(column) &&
      !isPersonal(column) && repeatedValues(column) === 0 &&
      column.values.every((value) => ID_TEXT.test(value))
    );
  if (column !== undefined) {
    const repeated = repeatedValues(column);
    const fact = repeated === 0
      ? "all its values differ"
      : `${share(repeated, column.values.length, "values")} came before: ` +
        `${wrongRows(repeated)} rejected`;
    return idGuess("TRANSACTION_ID", column, fact);
  }
  const holed = find(SYNONYMS.id, columns, isMissing);
  return {
    line: "TRANSACTION_ID: { from: row }",
    why: holed
      ? `${missingRows(holed)} have no ${holed.name}: the rows are numbered.`
      : "No column looks like a unique id: the rows are numbered.",
    columns: [],
  };
}

function wrongRows(count: number): string {
  return count === 1 ? "its row is" : "these rows are";
}

function guessCard(columns: readonly SampleColumn[]): Guess | undefined {
  const user = columns.find(({ name }) => plainName(name) === "user");
  const card = columns.find(({ name }) => plainName(name) === "card");
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

function timeGuess(columns: readonly SampleColumn[]): Guess | undefined {
  const time = guessTime(columns);
  if (time === undefined) return undefined;
  const { format, exchanged, others } = time;
  const from = time.columns.length === 1
    ? quoted(time.columns[0])
    : `[${time.columns.map(quoted).join(", ")}], join: " "`;
  const isCount = format.startsWith("epoch-");
  const why = [
    isCount
      ? "counts since 1970 in UTC."
      : "times without an offset are read in this zone: is it UTC?",
    exchanged
      ? `The values also fit '${exchanged}', since no day is above 12: day or ` +
        "month first?"
      : "",
    hasTimeOfDay(format)
      ? ""
      : "Dates without a time of day: every payment is at midnight.",
    time.misfits === 0 ? "" : `${share(time.misfits, time.values, "values")} ` +
      `${time.misfits === 1 ? "is no such time" : "are no such times"}: ` +
      `${wrongRows(time.misfits)} rejected.`,
    others.length === 0
      ? ""
      : `Is it the time of the payment, or is it ${others.join(" or ")}?`,
  ].filter((text) => text !== "").join(" ");
  return {
    line: `TX_DATETIME: { from: ${from}, format: "${format}"` +
      `${isCount ? "" : ", zone: UTC"} }`,
    why: `${time.columns.join(", ")}: by name and values; ${why}`,
    columns: time.columns,
  };
}

const AMOUNT =
  /^([-+]?)(\p{Sc}|[A-Z]{3} ?)?([-+]?)(\d{1,3}(?:[,. ']\d{3})+|\d+)(?:([.,])(\d{1,4}))?$/u;

function guessAmount(columns: readonly SampleColumn[]): Guess | undefined {
  const column = find(
    SYNONYMS.amount,
    columns,
    ({ values }) => wrongAmounts(values) < Infinity,
  );
  if (column === undefined) return undefined;
  const wrong = wrongAmounts(column.values);
  const parts = column.values.flatMap((value) => {
    const part = AMOUNT.exec(value.trim());
    return part ? [part] : [];
  });
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
      "currency: USD. " +
      (refunds
        ? "Some are negative: refunds?"
        : "A negative amount would be rejected; 'refunds: true' accepts it.") +
      (wrong === 0 ? "" : ` ${share(wrong, column.values.length, "values")} ` +
        `${wrong === 1 ? "is no amount" : "are no amounts"}: ` +
        `${wrongRows(wrong)} rejected.`),
    columns: [column.name],
  };
}

function wrongAmounts(values: readonly string[]): number {
  return misfits(values, (value) => AMOUNT.test(value.trim()));
}

/** What keeps the column with the name of an amount from being one. */
function amountAdvice(columns: readonly SampleColumn[]): string {
  const column = find(SYNONYMS.amount, columns, ({ values }) => {
    return values.length > 0;
  });
  const value = column?.values.find((value) => !AMOUNT.test(value.trim()));
  if (column === undefined || value === undefined) return "payments need one";
  return `${column.name} has ${JSON.stringify(value.slice(0, 40))}; payments ` +
    "need plain numbers there, perhaps with a currency sign before them";
}

/** A guess at the label. */
interface FraudGuess extends Guess {
  /** The rows without one, as text; undefined for none. */
  readonly unlabelled?: string;
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

function guessFraud(
  columns: readonly SampleColumn[],
): FraudGuess | undefined {
  for (const synonym of SYNONYMS.fraud) {
    const column = columns.find(({ name }) => plainName(name) === synonym);
    const keys = column && fraudKeys(column);
    if (column === undefined || keys === undefined) continue;
    const { name } = column;
    const unlabelled = missingRows(column);
    return {
      line: `TX_FRAUD: ${keys}`,
      why: `${name}: by its name and values; ` +
        (unlabelled === undefined
          ? "leave it out where labels arrive later."
          : `${unlabelled} have no label: such a payment is genuine once ` +
            "'mature' (by default 'delay') has passed."),
      columns: [name],
      ...unlabelled !== undefined && { unlabelled },
    };
  }
  return undefined;
}

/** How a column's values are read as a flag; undefined if they are none. */
function fraudKeys({ name, values }: SampleColumn): string | undefined {
  if (values.length === 0) return undefined;
  if (values.every((value) => PLAIN_FLAG.test(value))) return quoted(name);
  const texts = FLAGS.find((pair) =>
    values.every((value) => pair.includes(value))
  );
  if (texts === undefined) return undefined;
  const [yes, no] = texts.map(quoted);
  return `{ from: ${quoted(name)}, true: ${yes}, false: ${no} }`;
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
