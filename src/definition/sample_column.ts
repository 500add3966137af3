/** Columns of a sample: what their names and some of their values say. */

/** A column, and some of its values. */
export interface SampleColumn {
  /** Its name. */
  readonly name: string;
  /** Values as text, without missing ones. */
  readonly values: readonly string[];
  /** Rows of the sample without a value; by default none. */
  readonly missing?: number;
  /** Whether values are objects or lists, which no definition can name. */
  readonly isNested?: boolean;
}

/** Personal data that no feature needs. */
const PERSONAL: readonly string[] = [
  ...["first", "firstname", "last", "lastname", "name", "fullname", "gender"],
  ...["street", "address", "dob", "dateofbirth", "birthdate", "email", "phone"],
  ...["ssn", "cvv", "cvc", "pin", "ip", "ipaddress", "passport"],
];

/** Of PERSONAL, what also ends names of other things, such as 'merchant_name'. */
const OF_ANYTHING: readonly string[] = ["first", "last", "name"];

/** Whether a column has personal data by its name. */
export function isPersonal({ name }: SampleColumn): boolean {
  return PERSONAL.includes(plainName(name)) ||
    endsOf(name).some((end) =>
      PERSONAL.includes(plainName(end)) && !OF_ANYTHING.includes(plainName(end))
    );
}

/** What is left of a name without its first words: 'buyer_id' and 'id' of 'payload_buyer_id'. */
export function endsOf(name: string): string[] {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return words.slice(1).map((_, at) => words.slice(at + 1).join("_"));
}

/** A name without case, blanks and marks. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** What data sets put behind the name of a thing to name its id. */
const ID_ENDING =
  /(?<=..)(?:id|no|nr|num|number|code|ref|reference|key|token|hash|uuid)$/;

/** The plain name of the thing whose id a column has: 'order' of 'order_no'. */
export function nameOfThing(name: string): string {
  return plainName(name).replace(ID_ENDING, "");
}

/** The share of a sample's values that may be wrong: the row of such a value is rejected. */
const WRONG_MAX = 0.1;

/** How many values do not fit; Infinity if they are too many, or there is none at all. */
export function misfits(
  values: readonly string[],
  fits: (value: string) => boolean,
): number {
  if (values.length === 0) return Infinity;
  let count = 0;
  for (const value of values) {
    if (fits(value) || ++count <= WRONG_MAX * values.length) continue;
    return Infinity;
  }
  return count;
}
