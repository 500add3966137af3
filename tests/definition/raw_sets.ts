/**
 * Raw CSV files like those of two public data sets, for tests and benchmarks:
 * Sparkov (Kaggle: kartik2112/fraud-detection) and IBM's TabFormer, with their
 * columns, spellings and quirks. The same seed gives the same bytes. Memory
 * grows with cards and merchants, not with rows.
 *
 * The frauds can be learned. A card that was copied makes a burst of large
 * payments in few categories, mostly at night; a compromised merchant has many
 * frauds during 28 days.
 */
import { chance } from "../long.ts";

/** The data sets. */
export type RawSetName = "sparkov" | "tabformer";

/** Which set, and how large. */
export interface RawSetOptions {
  /** Rows without the header. */
  readonly rows: number;
  /** Seed of everything random. */
  readonly seed?: number;
  /** Number of cards; of TabFormer, where every user has two, one per 1,000 rows by default. */
  readonly cards?: number;
  /** Number of merchants. */
  readonly merchants?: number;
  /** Payments per day; of Sparkov only, 2,400 by default. TabFormer's cards pay for 1,000 days. */
  readonly perDay?: number;
  /** Whether TabFormer's rows are in order of time, which takes memory for all of them; by card otherwise, as in the data set. */
  readonly byTime?: boolean;
}

/** The columns of each set, as its files have them. Sparkov's first has no name. */
export const RAW_COLUMNS: Readonly<Record<RawSetName, readonly string[]>> = {
  sparkov: (",trans_date_trans_time,cc_num,merchant,category,amt,first,last," +
    "gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num," +
    "unix_time,merch_lat,merch_long,is_fraud").split(","),
  tabformer: ("User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name," +
    "Merchant City,Merchant State,Zip,MCC,Errors?,Is Fraud?").split(","),
};

/** Rows of a text that is yielded at once. */
const CHUNK_ROWS = 5000;

const DAY = 86_400;

/** The text of a set's file, part after part. */
export function* rawSet(
  name: RawSetName,
  options: RawSetOptions,
): Generator<string> {
  const lines = name === "sparkov"
    ? sparkovLines(options)
    : tabformerLines(options);
  let text = RAW_COLUMNS[name].join(",") + "\n";
  let rows = 0;
  for (const line of lines) {
    text += line + "\n";
    if (++rows % CHUNK_ROWS > 0) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}

/** Writes a set's file. */
export async function writeRawSet(
  path: string,
  name: RawSetName,
  options: RawSetOptions,
): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    create: true,
    truncate: true,
  });
  const encoder = new TextEncoder();
  for (const text of rawSet(name, options)) {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
  }
}

/** Random choices from one seed. */
class Draws {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = chance(seed);
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** One of some values. */
  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** A positive number whose logarithm is about normal: mean 0, deviation `spread`. */
  around(median: number, spread: number): number {
    const normal = this.next() + this.next() + this.next() - 1.5;
    return median * Math.exp(2 * spread * normal);
  }

  /** This many random digits, the first of which is not 0. */
  digits(count: number): string {
    let text = `${1 + this.below(9)}`;
    while (text.length < count) text += this.below(10);
    return text;
  }

  /** This many hexadecimal digits, a multiple of 8. */
  hex(count: number): string {
    let text = "";
    while (text.length < count) {
      text += this.below(2 ** 32).toString(16).padStart(8, "0");
    }
    return text;
  }
}

/** Whether a merchant leaks its cards in the 28 days around a time; about one in forty does. */
function isCompromised(merchant: number, seconds: number): boolean {
  const period = Math.floor(seconds / (28 * DAY));
  const mixed = Math.imul(merchant + 1, 0x9e3779b1) ^
    Math.imul(period + 7, 0x85ebca6b);
  return chance(mixed)() < 0.025;
}

// Sparkov

const SPARKOV_START = Date.UTC(2019, 0, 1) / 1000;

/** unix_time of the data set lies seven years before its dates. */
const UNIX_TIME_SHIFT = 2557 * DAY;

/** Payments per day, as in the data set. */
const SPARKOV_PER_DAY = 2400;

/** Category, median amount, and whether thieves prefer it. */
const CATEGORIES: readonly (readonly [string, number, boolean])[] = [
  ["grocery_pos", 100, true],
  ["shopping_net", 40, true],
  ["misc_net", 50, true],
  ["gas_transport", 65, false],
  ["kids_pets", 40, false],
  ["home", 45, false],
  ["entertainment", 45, false],
  ["food_dining", 40, false],
  ["personal_care", 35, false],
  ["health_fitness", 40, false],
  ["travel", 15, false],
];

/** Median amounts of the frauds. */
const FRAUD_AMOUNTS: Readonly<Record<string, number>> = {
  "grocery_pos": 310,
  "shopping_net": 950,
  "misc_net": 780,
};

/** Names of merchants: some with a comma, one with quotes and one outside ASCII. */
const FAMILIES = [
  "Rippin, Kub and Mann",
  "Heller, Gutmann and Zieme",
  "Kirlin and Sons",
  "Kilback LLC",
  "Cormier LLC",
  'Schoen "Best" Inc',
  "Müller und Söhne",
];

const JOBS = [
  '"Psychologist, counselling"',
  "Special educational needs teacher",
  "Nature conservation officer",
  '"Scientist, audiological"',
];

interface SparkovCard {
  readonly number: string;
  /** The columns from "first" to "dob". */
  readonly person: string;
  readonly latitude: number;
  readonly longitude: number;
}

function sparkovCard(draws: Draws): SparkovCard {
  const latitude = 27 + 20 * draws.next();
  const longitude = -120 + 45 * draws.next();
  const person = [
    draws.of(["Jennifer", "Stephanie", "Edward", "Jeremy", "José"]),
    draws.of(["Banks", "Gill", "Sanchez", "White", "O'Neil"]),
    draws.of(["F", "M"]),
    `${100 + draws.below(900)} ${draws.of(["Perry Cove", "Gardens Suite"])}`,
    draws.of(["Moravian Falls", "Orient", "Malad City", "Boulder"]),
    draws.of(["NC", "WA", "ID", "MT"]),
    draws.digits(5),
    latitude.toFixed(4),
    longitude.toFixed(4),
    `${Math.round(draws.around(3000, 1.5))}`,
    draws.of(JOBS),
    `19${30 + draws.below(70)}-0${1 + draws.below(9)}-1${draws.below(10)}`,
  ].join();
  // The longest have 19 digits, more than a double holds, and fit 64 bits.
  const length = draws.of([11, 12, 14, 15, 16, 16, 16, 19]);
  const number = `4${draws.digits(length - 1)}`;
  return { number, person, latitude, longitude };
}

/** Rows in order of time, as the data set has them. */
function* sparkovLines(
  {
    rows,
    seed = 1,
    cards: cardCount = 983,
    merchants = 693,
    perDay = SPARKOV_PER_DAY,
  }: RawSetOptions,
): Generator<string> {
  const draws = new Draws(seed);
  const cards = Array.from({ length: cardCount }, () => sparkovCard(draws));
  const names = Array.from({ length: merchants }, (_, at) => {
    const name = `fraud_${FAMILIES[at % FAMILIES.length]} ${at}`;
    return /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
  });
  /** Cards that a thief has, and until when. */
  let copied: { card: number; until: number }[] = [];
  let seconds = SPARKOV_START;
  for (let row = 0; row < rows; row++) {
    seconds += Math.floor(2 * draws.next() * DAY / perDay + 0.5);
    if (draws.next() < 0.0008) {
      copied = copied.filter(({ until }) => until > seconds);
      copied.push({ card: draws.below(cardCount), until: seconds + 2 * DAY });
    }
    const hour = Math.floor(seconds % DAY / 3600);
    const isNight = hour >= 22 || hour < 4;
    const thief = draws.next() < (isNight ? 0.008 : 0.002)
      ? copied[draws.below(copied.length)]
      : undefined;
    const card = thief?.card ?? draws.below(cardCount);
    // A card has about twenty merchants.
    const merchant = (card * 37 + draws.below(20) * 11) % merchants;
    const isFraud = thief !== undefined ||
      isCompromised(merchant, seconds) && draws.next() < 0.1;
    const [category, median] = isFraud
      ? CATEGORIES[draws.below(3)]
      : CATEGORIES[merchant % CATEGORIES.length];
    const amount = draws.around(
      isFraud ? FRAUD_AMOUNTS[category] : median,
      isFraud ? 0.25 : 0.8,
    );
    const { number, person, latitude, longitude } = cards[card];
    yield `${row},${isoTime(seconds)},${number},${names[merchant]},` +
      // As Python prints a float: 45.0, not 45.
      `${category},${pythonFloat(amount)},${person},${draws.hex(32)},` +
      `${seconds - UNIX_TIME_SHIFT},` +
      `${(latitude + draws.next() - 0.5).toFixed(6)},` +
      `${(longitude + draws.next() - 0.5).toFixed(6)},${isFraud ? 1 : 0}`;
  }
}

function isoTime(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

function pythonFloat(amount: number): string {
  const text = String(Math.max(1, Math.round(100 * amount) / 100));
  return text.includes(".") ? text : `${text}.0`;
}

// TabFormer

const TABFORMER_START = Date.UTC(2017, 0, 1) / 1000;

/** Days that the cards pay. */
const TABFORMER_DAYS = 1000;

const CITIES: readonly string[] = [
  "La Verne,CA,91750.0",
  "Monterey Park,CA,91754.0",
  "Mira Loma,CA,91752.0",
  "Riverside,CA,92505.0",
];
const ONLINE = "ONLINE,,";
/** Abroad the state is the country, and there is no ZIP code. */
const ABROAD = ["Rome,Italy,", "Port au Prince,Haiti,"];
const MERCHANT_CODES = ["5300", "5411", "5912", "5499", "5812", "4121"];
const FRAUD_CODES = ["5311", "5732", "4829"];
const ERRORS = ['"Insufficient Balance,"', '"Technical Glitch,"', "Bad PIN"];

/** A row, and its time in seconds since 1970. */
interface TimedLine {
  readonly seconds: number;
  readonly line: string;
}

function* tabformerLines(options: RawSetOptions): Generator<string> {
  const lines = tabformerRows(options);
  const inOrder = options.byTime
    ? [...lines].sort((a, b) => a.seconds - b.seconds)
    : lines;
  for (const { line } of inOrder) yield line;
}

/** Rows by user, then card, then time, as the data set has them: not in order of time. */
function* tabformerRows(
  { rows, seed = 1, cards = Math.ceil(rows / 1000), merchants = 2000 }:
    RawSetOptions,
): Generator<TimedLine> {
  const draws = new Draws(seed);
  const names = Array.from({ length: merchants }, () => {
    const bits = BigInt(draws.below(2 ** 32)) << 32n |
      BigInt(draws.below(2 ** 32));
    return String(BigInt.asIntN(64, bits));
  });
  for (let card = 0; card < cards; card++) {
    const from = Math.floor(card * rows / cards);
    const to = Math.floor((card + 1) * rows / cards);
    yield* tabformerCard(draws, card, to - from, names);
  }
}

/** The payments of one card. */
function* tabformerCard(
  draws: Draws,
  card: number,
  rows: number,
  names: readonly string[],
): Generator<TimedLine> {
  const owner = `${card >> 1},${card & 1}`;
  const gap = TABFORMER_DAYS * DAY / Math.max(1, rows);
  let seconds = TABFORMER_START;
  let stolenUntil = 0;
  for (let row = 0; row < rows; row++) {
    seconds += Math.floor(2 * draws.next() * gap);
    if (draws.next() < 0.0004) stolenUntil = seconds + 20 * gap;
    const merchant = (card * 37 + draws.below(20) * 11) % names.length;
    const isFraud = seconds < stolenUntil && draws.next() < 0.5 ||
      isCompromised(merchant, seconds) && draws.next() < 0.02;
    const isOnline = isFraud ? draws.next() < 0.6 : merchant % 10 === 0;
    const isRefund = !isFraud && draws.next() < 0.04;
    const amount = isRefund
      ? -Math.round(draws.around(80, 0.3))
      : draws.around(isFraud ? 150 : 35, isFraud ? 0.5 : 1);
    const place = isOnline
      ? ONLINE
      : isFraud
      ? draws.of(ABROAD)
      : CITIES[card % CITIES.length];
    const how = isOnline ? "Online" : seconds % 2 === 0 ? "Chip" : "Swipe";
    const code = isFraud
      ? draws.of(FRAUD_CODES)
      : MERCHANT_CODES[merchant % MERCHANT_CODES.length];
    const errors = draws.next() < 0.015 ? draws.of(ERRORS) : "";
    const date = new Date(seconds * 1000);
    const line =
      `${owner},${date.getUTCFullYear()},${date.getUTCMonth() + 1},` +
      `${date.getUTCDate()},${date.toISOString().slice(11, 16)},` +
      `$${amount.toFixed(2)},${how} Transaction,${names[merchant]},${place},` +
      `${code},${errors},${isFraud ? "Yes" : "No"}`;
    yield { seconds, line };
  }
}
