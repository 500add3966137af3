/**
 * The flags that say which data set is simulated, shared by every command
 * that simulates one; together they decide every byte of it.
 */
import { ConfigError } from "../../base/error.ts";
import {
  HANDBOOK_PARAMETERS,
  type SimulatorParameters,
} from "../../simulator/parameters.ts";
import { dateSeconds, formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS, INT_MAX } from "../../payment/payment.ts";
import { readFingerprint } from "../../simulator/fingerprint.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";
import { oneOf, positiveNumber, readDate, wholeNumber } from "./flag_value.ts";

/** Where the simulator's chance comes from. */
export type Rng = "handbook" | "seedrandom";

/** Which data set is simulated. */
export interface DataFlags {
  /** Size, time and place. */
  readonly parameters: SimulatorParameters;
  /** Source of chance. */
  readonly rng: Rng;
  /** Seed of `seedrandom`; "" with `handbook`, whose seeds are fixed. */
  readonly seed: string;
}

/** Most days that TX_TIME_SECONDS, below 2^31, can count. */
export const DAYS_MAX = 24_855;

/** Seed of `seedrandom` when none is given, so that a run can be repeated. */
const DEFAULT_SEED = "fraudstream";

/** More profiles do not fit in memory. */
const PROFILES_MAX = 10_000_000;

/** Payments of the handbook's table, which is sorted as a whole in memory. */
const TABLE_ROWS_MAX = 100_000_000;

/** Entries of the lists of terminals in reach, 4 bytes each. */
const REACH_MAX = 250_000_000;

const RADIUS_MAX = 1000;

/** Side of the square that holds customers and terminals. */
const SIDE = 100;

const PRESETS = {
  handbook: HANDBOOK_PARAMETERS,
  small: { ...HANDBOOK_PARAMETERS, days: 30 },
  seed: { ...HANDBOOK_PARAMETERS, customers: 500, terminals: 100 },
} as const satisfies Record<string, SimulatorParameters>;

/** The data flags. */
export const DATA_FLAGS = {
  title: "Data flags",
  flags: {
    preset: {
      value: "<name>",
      help: "handbook: 5000 customers, 10000 terminals, 183 days; small: the " +
        "same for 30 days; seed: 500 customers, 100 terminals, 183 days",
      read: oneOf(["handbook", "small", "seed"]),
      default: "handbook",
    },
    customers: {
      value: "<n>",
      help: "number of customers (cards)",
      read: wholeNumber(1, INT_MAX),
    },
    terminals: {
      value: "<n>",
      help: "number of payment terminals",
      read: wholeNumber(1, INT_MAX),
    },
    days: {
      value: "<n>",
      help: "number of days; 0 never ends (needs --rng=seedrandom)",
      read: wholeNumber(0, DAYS_MAX),
    },
    start: {
      value: "<date>",
      help: "first day",
      read: readDate,
      default: "2018-04-01",
    },
    radius: {
      value: "<r>",
      help: "how far customers travel, on a square of side 100",
      read: positiveNumber(RADIUS_MAX),
    },
    rng: {
      value: "<name>",
      help: "handbook: the handbook's own data, byte for byte; seedrandom: " +
        "other data for each --seed",
      read: oneOf(["handbook", "seedrandom"]),
      default: "handbook",
    },
    seed: {
      value: "<text>",
      help: "seed of --rng=seedrandom",
      default: DEFAULT_SEED,
    },
  },
} as const satisfies FlagGroup;

/** The values of the data flags; `start` in seconds since 1970. */
export type DataOptions = FlagValues<typeof DATA_FLAGS>;

/** The data set that the flags choose: explicit flags win over the preset. Throws ConfigError. */
export function readDataFlags(options: DataOptions): DataFlags {
  const preset = PRESETS[options.preset ?? "handbook"];
  const parameters: SimulatorParameters = {
    customers: options.customers ?? preset.customers,
    terminals: options.terminals ?? preset.terminals,
    days: options.days ?? preset.days,
    startSeconds: options.start ?? preset.startSeconds,
    radius: options.radius ?? preset.radius,
  };
  const rng = options.rng ?? "handbook";
  checkRng(rng, parameters.days, options.seed);
  checkEnd(parameters);
  checkMemory(parameters, rng);
  const seed = rng === "handbook" ? "" : options.seed ?? DEFAULT_SEED;
  return { parameters, rng, seed };
}

/**
 * The data set of a stream that has begun, given the text of its flags that
 * its producer recorded: flags that were not given are the recorded ones.
 * Undefined if that text is of another form. Throws ConfigError naming the
 * flag that was given and differs.
 */
export function continueData(
  options: DataOptions,
  recorded: string,
): DataFlags | undefined {
  const found = readFingerprint(recorded);
  if (!found) return undefined;
  const { startSeconds: start, ...parameters } = found.parameters;
  const { rng } = found;
  const seed = rng === "seedrandom" ? found.seed : undefined;
  const begun = { ...parameters, start, rng, seed };
  const given: DataOptions = {
    ...options.preset && tellingApart(options.preset, begun),
    ...options,
  };
  const flags = Object.keys(begun) as (keyof typeof begun)[];
  for (const flag of flags) {
    const wanted = given[flag];
    if (wanted === undefined || wanted === begun[flag]) continue;
    const named = options[flag] === undefined ? "--preset" : `--${flag}`;
    throw new ConfigError(
      `this stream was created ${begunWith(flag, begun[flag])}, not ` +
        `${shownFlag(flag, wanted)}: leave ${named} out to continue it, or ` +
        "choose another --data folder (on Kafka another --topic-prefix)",
    );
  }
  return readDataFlags(begun as DataOptions);
}

/** What a preset says that its stream must have: its size, and its days where the stream is another preset's whole. */
function tellingApart(
  name: keyof typeof PRESETS,
  begun: Pick<SimulatorParameters, "customers" | "terminals" | "days">,
): DataOptions {
  const { customers, terminals, days } = PRESETS[name];
  const isOther = Object.entries(PRESETS).some(([other, preset]) =>
    other !== name && preset.customers === begun.customers &&
    preset.terminals === begun.terminals && preset.days === begun.days
  );
  return { customers, terminals, ...isOther && { days } };
}

function begunWith(flag: string, value: string | number | undefined): string {
  return value === undefined
    ? `without --${flag}`
    : `with --${flag}=${shownFlag(flag, value)}`;
}

function shownFlag(flag: string, value: string | number): string {
  return flag === "start" ? formatDate(Number(value)) : String(value);
}

function checkRng(rng: Rng, days: number, seed: string | undefined): void {
  if (rng === "seedrandom") return;
  if (seed !== undefined) {
    throw new ConfigError(
      "--seed has no effect with --rng=handbook, whose seeds are fixed; " +
        "leave it out or add --rng=seedrandom",
    );
  }
  if (days === 0) {
    throw new ConfigError(
      "--days=0 (endless) needs --rng=seedrandom; the handbook's data set is " +
        "made as a whole",
    );
  }
}

function checkEnd({ startSeconds, days }: SimulatorParameters): void {
  const lastMidnight = startSeconds + Math.max(0, days - 1) * DAY_SECONDS;
  const limit = dateSeconds(9999, 12, 31) ?? 0;
  if (lastMidnight <= limit) return;
  throw new ConfigError(
    `--days=${days} from --start=${formatDate(startSeconds)} goes beyond the ` +
      "year 9999; start earlier or take fewer days",
  );
}

function checkMemory(parameters: SimulatorParameters, rng: Rng): void {
  const { customers, terminals, days, radius } = parameters;
  for (const [flag, count] of Object.entries({ customers, terminals })) {
    if (count <= PROFILES_MAX) continue;
    throw new ConfigError(
      `--${flag}=${count} would not fit in memory; take at most ${PROFILES_MAX}`,
    );
  }
  const share = Math.min(1, Math.PI * radius * radius / (SIDE * SIDE));
  const reach = customers * terminals * share;
  if (reach > REACH_MAX) {
    throw new ConfigError(
      `${customers} customers with ${terminals} terminals in --radius=` +
        `${radius} would not fit in memory (${about(reach)} pairs, at most ` +
        `${about(REACH_MAX)}); take fewer of them or a smaller radius`,
    );
  }
  // Two payments per customer and day on average.
  const rows = 2 * customers * days;
  if (rng === "handbook" && rows > TABLE_ROWS_MAX) {
    throw new ConfigError(
      `${about(rows)} payments would not fit in memory (at most ` +
        `${about(TABLE_ROWS_MAX)}); take fewer --customers or --days, or ` +
        "--rng=seedrandom, which makes a day at a time",
    );
  }
}

function about(count: number): string {
  return `${Math.round(count / 1e6)} million`;
}
