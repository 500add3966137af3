/** Profiles of customers and terminals: their fields, and a profile as JSON text. */
import type { Customer, Terminal } from "./payment.ts";

/** A field of a profile: its name in files and records, and the property that holds it. */
export interface ProfileField<Profile> {
  /** Its name. */
  readonly name: string;
  /** The property. */
  readonly key: keyof Profile;
}

/** The fields of a customer, in their order; the first is the id. */
export const CUSTOMER_RECORD: readonly ProfileField<Customer>[] = [
  { name: "CUSTOMER_ID", key: "customerId" },
  { name: "X_CUSTOMER_ID", key: "x" },
  { name: "Y_CUSTOMER_ID", key: "y" },
  { name: "MEAN_ACCOUNT", key: "meanAmount" },
  { name: "STD_ACCOUNT", key: "stdAmount" },
  { name: "MEAN_NB_TX_PER_DAY", key: "meanPaymentsPerDay" },
];

/** The fields of a terminal, in their order; the first is the id. */
export const TERMINAL_RECORD: readonly ProfileField<Terminal>[] = [
  { name: "TERMINAL_ID", key: "terminalId" },
  { name: "X_TERMINAL_ID", key: "x" },
  { name: "Y_TERMINAL_ID", key: "y" },
];

/** The JSON object of a profile, on one line. */
export function profileJson(profile: Customer | Terminal): string {
  return "customerId" in profile
    ? recordJson(CUSTOMER_RECORD, profile)
    : recordJson(TERMINAL_RECORD, profile);
}

function recordJson<Profile>(
  record: readonly ProfileField<Profile>[],
  profile: Profile,
): string {
  const entries = record.map(({ name, key }) => [name, profile[key]] as const);
  return JSON.stringify(Object.fromEntries(entries));
}

/** The profile whose fields have these values, in the order of its record. */
export function profileOf<Profile>(
  record: readonly ProfileField<Profile>[],
  values: readonly number[],
): Profile {
  const entries = record.map(({ key }, i) => [key, values[i]] as const);
  return Object.fromEntries(entries) as Profile;
}
