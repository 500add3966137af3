/** Customers and terminals from the files of a data set: what data_set.ts writes, read again. */
import { DataError } from "../base/error.ts";
import { PROFILES_FOLDER } from "./data_set.ts";
import { type Customer, INT_MAX, type Terminal } from "../payment/payment.ts";
import {
  CUSTOMER_RECORD,
  type ProfileField,
  profileOf,
  TERMINAL_RECORD,
} from "../payment/profile_json.ts";
import { fileError } from "../base/file_error.ts";
import { parseLine, smallTable } from "./small_table.ts";
import { TABLE_FORMATS } from "./table_encoder.ts";

/** Reads customers.* of a folder, in Parquet also of its PROFILES_FOLDER; undefined if there is no such file. Throws DataError. */
export async function readCustomers(
  folder: string,
): Promise<Customer[] | undefined> {
  return await readProfiles(folder, "customers", CUSTOMER_RECORD);
}

/** Reads terminals.* of a folder, in Parquet also of its PROFILES_FOLDER; undefined if there is no such file. Throws DataError. */
export async function readTerminals(
  folder: string,
): Promise<Terminal[] | undefined> {
  return await readProfiles(folder, "terminals", TERMINAL_RECORD);
}

/** The customer in the JSON object of a topic's record; `place` is for messages. Throws DataError. */
export function parseCustomer(json: string, place: string): Customer {
  return checked(parseLine(json, place), CUSTOMER_RECORD, place);
}

/** The terminal in the JSON object of a topic's record; `place` is for messages. Throws DataError. */
export function parseTerminal(json: string, place: string): Terminal {
  return checked(parseLine(json, place), TERMINAL_RECORD, place);
}

/** The rows as profiles, ascending ids; undefined if there is no such file. */
async function readProfiles<Profile extends Customer | Terminal>(
  folder: string,
  name: string,
  record: readonly ProfileField<Profile>[],
): Promise<Profile[] | undefined> {
  const base = folder.replace(/\/+$/, "") || folder;
  const fields = record.map(({ name }) => name);
  const places = [
    ...TABLE_FORMATS.map((format) => ({ format, path: `${base}/${name}` })),
    { format: "parquet", path: `${base}/${PROFILES_FOLDER}/${name}` } as const,
  ];
  for (const { format, path: place } of places) {
    const path = `${place}.${format}`;
    const bytes = await readIfThere(path);
    if (bytes === undefined) continue;
    const rows = await smallTable(bytes, format, {
      fields,
      path,
      otherwise: "remove it to continue without it",
    });
    const profiles = rows.map((row, at) => {
      return checked(row, record, `${path}: row ${at + 1}`);
    });
    const { key } = record[0];
    return profiles.sort((a, b) => Number(a[key]) - Number(b[key]));
  }
  return undefined;
}

async function readIfThere(
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    throw fileError(error, "read", path);
  }
}

/** The profile in a row: all finite numbers, the first a whole one. */
function checked<Profile>(
  row: Record<string, unknown>,
  record: readonly ProfileField<Profile>[],
  place: string,
): Profile {
  const values = record.map(({ name }, at) => {
    const given = row[name];
    const value = given === "" || given === null ? NaN : Number(given);
    const isId = Number.isInteger(value) && value >= 0 && value <= INT_MAX;
    if (at === 0 ? isId : Number.isFinite(value)) return value;
    const kind = at === 0 ? `a whole number from 0 to ${INT_MAX}` : "a number";
    throw new DataError(`${place}: ${name} is not ${kind}; fix it`);
  });
  return profileOf(record, values);
}
