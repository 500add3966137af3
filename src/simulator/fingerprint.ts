/** The text that records what a stream's producer simulates: equal texts mean equal data. */
import { formatDate, parseDate } from "../payment/calendar.ts";
import type { SimulationChoice } from "./simulation.ts";

/** The data flags of a simulation as text. */
export function fingerprintOf(choice: SimulationChoice): string {
  const { customers, terminals, days, startSeconds, radius } =
    choice.parameters;
  const seed = choice.rng === "seedrandom" ? ` --seed=${choice.seed}` : "";
  return `--customers=${customers} --terminals=${terminals} --days=${days} ` +
    `--start=${formatDate(startSeconds)} --radius=${radius} ` +
    `--rng=${choice.rng}${seed}`;
}

const FINGERPRINT =
  /^--customers=(\d+) --terminals=(\d+) --days=(\d+) --start=(\d+-\d+-\d+) --radius=(\S+) --rng=(handbook|seedrandom)(?: --seed=(.*))?$/s;

/** The simulation that a text records, with the seed "" where it has none; undefined if the text is of another form. */
export function readFingerprint(text: string): SimulationChoice | undefined {
  const found = FINGERPRINT.exec(text);
  if (!found) return undefined;
  const [, customers, terminals, days, start, radius, rng, seed = ""] = found;
  const startSeconds = parseDate(start);
  if (startSeconds === undefined) return undefined;
  return {
    parameters: {
      customers: Number(customers),
      terminals: Number(terminals),
      days: Number(days),
      startSeconds,
      radius: Number(radius),
    },
    rng: rng === "handbook" ? rng : "seedrandom",
    seed,
  };
}
