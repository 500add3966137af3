/**
 * Local times of a zone as seconds since 1970. Rules of zones come from Intl,
 * because Deno 2.4 has no Temporal. A local time that a change of the clock
 * repeats is the earlier one; one that it skips is read with the offset before
 * the change (Temporal's rule `compatible`).
 */
import { DAY_SECONDS } from "../payment/payment.ts";

/** Further from UTC is no clock: Manila before 1844 was 16 hours behind. */
const OFFSET_MAX = 16 * 3600;

/** Days whose offsets are kept; then they are found again. */
const DAYS_MAX = 10_000;

/** The offsets of one local day. */
interface ZoneDay {
  /** Offset from UTC before the change, in seconds; east is positive. */
  readonly before: number;
  /** Offset behind it; the same on a day without a change. */
  readonly after: number;
  /** When the clock changes, seconds since 1970; Infinity on a day without a change. */
  readonly change: number;
}

/** A zone's clock. */
export class Zone {
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #fixed: number;
  readonly #days = new Map<number, ZoneDay>();
  #day = NaN;
  #offsets: ZoneDay = { before: 0, after: 0, change: Infinity };

  /** A zone by its IANA name, "UTC", or an offset such as "+02:00". Throws RangeError for another name. */
  constructor(name: string) {
    const offset = /^([+-])(\d\d):(\d\d)$/.exec(name);
    if (offset) {
      const seconds = Number(offset[2]) * 3600 + Number(offset[3]) * 60;
      if (seconds > OFFSET_MAX) throw new RangeError(`no such offset: ${name}`);
      this.#fixed = offset[1] === "-" ? -seconds : seconds;
      return;
    }
    this.#fixed = 0;
    if (name === "UTC") return;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** Seconds since 1970 of a local time, which is given as if it were UTC. */
  toUtc(local: number): number {
    if (this.#format === undefined) return local - this.#fixed;
    const day = Math.floor(local / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#offsets = this.#offsetsOf(day);
    }
    const { before, after, change } = this.#offsets;
    const early = local - before;
    if (early < change) return early;
    const late = local - after;
    return late < change ? early : late;
  }

  #offsetsOf(day: number): ZoneDay {
    const known = this.#days.get(day);
    if (known) return known;
    if (this.#days.size >= DAYS_MAX) this.#days.clear();
    const found = this.#findOffsets(
      day * DAY_SECONDS - OFFSET_MAX,
      (day + 1) * DAY_SECONDS + OFFSET_MAX,
    );
    this.#days.set(day, found);
    return found;
  }

  /** The change between two times, of which there is at most one in so short a time. */
  #findOffsets(from: number, to: number): ZoneDay {
    const before = this.#offsetAt(from);
    const after = this.#offsetAt(to);
    if (before === after) return { before, after, change: Infinity };
    let low = from;
    let high = to;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    return { before, after: this.#offsetAt(high), change: high };
  }

  /** Offset from UTC in seconds at a time in seconds since 1970. */
  #offsetAt(seconds: number): number {
    const parts: Record<string, string> = {};
    for (
      const { type, value } of this.#format?.formatToParts(seconds * 1000) ?? []
    ) parts[type] = value;
    const year = parts.era === "BC"
      ? 1 - Number(parts.year)
      : Number(parts.year);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    local.setUTCHours(
      Number(parts.hour),
      Number(parts.minute),
      Number(parts.second),
    );
    return local.getTime() / 1000 - seconds;
  }
}
