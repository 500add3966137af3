/** A time as a definition's data writes it, for examples: the inverse of what it reads. */
import type { TimeMapping } from "../../definition/stream_definition.ts";
import { epochUnit } from "../../definition/time_format.ts";

/** Some seconds since 1970 in a format and a zone. */
export function timeExample(
  { format, zone }: Pick<TimeMapping, "format" | "zone">,
  seconds: number,
): string | number {
  const unit = epochUnit(format);
  if (unit !== undefined) return seconds * unit;
  const iso = new Date(seconds * 1000).toISOString();
  return format === "iso"
    ? `${iso.slice(0, 19)}Z`
    : patterned(format, zone, iso);
}

/** The parts of a time that letters of a pattern stand for. */
type Parts = Readonly<Record<string, string>>;

function patterned(pattern: string, zone: string, iso: string): string {
  const parts = partsIn(zone, new Date(iso));
  return pattern.replaceAll(
    /'((?:[^']|'')*)'|([A-Za-z])\2*/g,
    (letters, quoted?: string) => {
      if (quoted === undefined) return written(letters, parts);
      return quoted === "" ? "'" : quoted.replaceAll("''", "'");
    },
  );
}

function written(letters: string, parts: Parts): string {
  const width = letters.length;
  switch (letters[0]) {
    case "y":
      return width === 2 ? parts.year.slice(2) : parts.year;
    case "M":
      if (width < 3) return parts.month.padStart(width, "0");
      return width === 3 ? parts.monthName.slice(0, 3) : parts.monthName;
    case "E":
      return width === 4 ? parts.weekday : parts.weekday.slice(0, 3);
    case "d":
      return parts.day.padStart(width, "0");
    case "H":
      return parts.hour.padStart(width, "0");
    case "h":
      return String(Number(parts.hour) % 12 || 12).padStart(width, "0");
    case "a":
      return Number(parts.hour) < 12 ? "AM" : "PM";
    case "m":
      return parts.minute.padStart(width, "0");
    case "s":
      return parts.second.padStart(width, "0");
    case "S":
      return "0".repeat(width);
    default:
      return parts.offset;
  }
}

function partsIn(zone: string, date: Date): Parts {
  const format = (options: Intl.DateTimeFormatOptions) =>
    Object.fromEntries(
      new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options })
        .formatToParts(date).map(({ type, value }) => [type, value]),
    );
  const numbers = format({
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    hourCycle: "h23",
    timeZoneName: "longOffset",
  });
  const plain = (text: string) => String(Number(text));
  const offset = numbers.timeZoneName.replace("GMT", "");
  return {
    year: numbers.year,
    month: plain(numbers.month),
    monthName: format({ month: "long" }).month,
    weekday: format({ weekday: "long" }).weekday,
    day: plain(numbers.day),
    hour: plain(numbers.hour),
    minute: plain(numbers.minute),
    second: plain(numbers.second),
    offset: offset === "" ? "Z" : offset,
  };
}
