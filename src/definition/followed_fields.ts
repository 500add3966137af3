/**
 * Where a stream that follows another one finds its fields in the payments of
 * that one, which are in the form of its transaction_topic: core fields, kept
 * fields, then what its definition does not name.
 */
import { ConfigError } from "../base/error.ts";
import { PAYMENT_FIELDS } from "../payment/payment.ts";
import {
  DAY_FILE_FLAG,
  DAY_FILE_TIME,
  dayFileDefinition,
} from "./day_file_definition.ts";
import { shapeOf } from "./definition_shape.ts";
import {
  isRowNumber,
  type KeptField,
  type PaymentMapping,
  sourceFields,
  type StreamDefinition,
} from "./stream_definition.ts";

/** How the payments of a followed stream are read. */
export interface FollowedFields {
  /** The definition by which their records are mapped; undefined where they can be taken as they are. */
  readonly mapping: StreamDefinition | undefined;
  /** Kept fields that the definition of the followed stream does not name: its labels do not have them. */
  readonly passed: readonly string[];
}

/**
 * How a stream of the definition `wanted` reads the payments of one of the
 * definition `old`. Throws ConfigError, naming the field, where these do not
 * have what it needs or mean something else; `flag` names the followed stream.
 */
export function followedFields(
  old: StreamDefinition,
  wanted: StreamDefinition,
  flag: string,
): FollowedFields {
  requireSamePayments(old, wanted, flag);
  const fields = wanted.payment.keep.map((kept) =>
    followedField(old.payment, kept, flag)
  );
  const passed = fields.filter(({ isPassed }) => isPassed)
    .map(({ name }) => name);
  if (fields.every(({ isSame }) => isSame)) {
    return { mapping: undefined, passed };
  }
  const read = dayFileDefinition(wanted);
  const keep = fields.map(({ read }) => read);
  const { drop } = wanted.payment;
  return {
    mapping: { ...read, payment: { ...read.payment, keep, drop } },
    passed,
  };
}

/** Throws ConfigError where ids, amounts or labels of two definitions mean different things. */
function requireSamePayments(
  old: StreamDefinition,
  wanted: StreamDefinition,
  flag: string,
): void {
  const refuse = (what: string, found: string, now: string) => {
    throw new ConfigError(
      `${flag}: the payments of that stream have ${what} ${found}, and this ` +
        `definition says ${now}; both must be the same`,
    );
  };
  const [before, after] = [shapeOf(old), shapeOf(wanted)];
  for (const name of ["transactionId", "customerId", "terminalId"] as const) {
    const field = ID_NAMES[name];
    if (before[name] !== after[name]) {
      refuse(`a ${field} that is a`, before[name], after[name]);
    }
    const [was, is] = [isPseudonym(old, name), isPseudonym(wanted, name)];
    if (was !== is) {
      refuse(`a ${field} with hmac:`, String(was), String(is));
    }
  }
  if (before.decimals !== after.decimals) {
    refuse(
      "a TX_AMOUNT with decimals:",
      String(before.decimals),
      String(after.decimals),
    );
  }
  if (before.refunds && !after.refunds) {
    refuse("a TX_AMOUNT with refunds:", "true", "false");
  }
  const isOther = before.currency !== null && after.currency !== null &&
    before.currency !== after.currency;
  if (isOther) {
    refuse("a TX_AMOUNT in", String(before.currency), String(after.currency));
  }
  if (old.labels.from !== wanted.labels.from) {
    refuse("labels with from:", old.labels.from, wanted.labels.from);
  }
  for (
    const [field, had, has] of [
      ["TX_FRAUD", before.hasFraud, after.hasFraud],
      ["TX_FRAUD_SCENARIO", before.hasScenario, after.hasScenario],
    ] as const
  ) {
    if (has && !had) {
      throw lacking(flag, field, "its definition does not read it");
    }
  }
}

const ID_NAMES = {
  transactionId: "TRANSACTION_ID",
  customerId: "CUSTOMER_ID",
  terminalId: "TERMINAL_ID",
} as const;

function isPseudonym(
  { payment }: StreamDefinition,
  name: keyof typeof ID_NAMES,
): boolean {
  const id = payment[name];
  return !isRowNumber(id) && id.hmac;
}

/** Where a kept field is found. */
interface FollowedField {
  readonly name: string;
  /** How it is read there, by the name that it has there. */
  readonly read: KeptField;
  /** Whether it stands there as it is to stand here. */
  readonly isSame: boolean;
  /** Whether the followed stream's definition does not name it. */
  readonly isPassed: boolean;
}

function followedField(
  old: PaymentMapping,
  wanted: KeptField,
  flag: string,
): FollowedField {
  const { name, from, type } = wanted;
  const asKept = (member: string, isSame: boolean): FollowedField => ({
    name,
    read: {
      ...wanted,
      from: member,
      time: wanted.time && DAY_FILE_TIME,
      flag: wanted.flag && DAY_FILE_FLAG,
    },
    isSame,
    isPassed: false,
  });
  const kept = old.keep.filter((one) => one.from === from);
  const same = kept.find((one) => one.type === type);
  if (same) return asKept(same.name, same.name === name);
  const text = kept.find((one) => one.type === "text");
  if (text) {
    const read = { ...wanted, from: text.name };
    return { name, read, isSame: false, isPassed: false };
  }
  if (kept.length > 0) {
    throw lacking(
      flag,
      from,
      `it keeps it as a ${kept[0].type}, not a ${type}`,
    );
  }
  for (const [key, field] of Object.entries(ID_NAMES)) {
    const id = old[key as keyof typeof ID_NAMES];
    if (isRowNumber(id) || id.hmac || id.type !== type) continue;
    if (id.from.length === 1 && id.from[0] === from) {
      return asKept(field, false);
    }
  }
  if (old.drop === "all") {
    throw lacking(flag, from, "its definition drops what it does not name");
  }
  if (old.drop.includes(from)) {
    throw lacking(flag, from, "its definition drops it");
  }
  const named = new Set<string>([
    ...sourceFields(old),
    ...PAYMENT_FIELDS,
    ...old.keep.map((one) => one.name),
  ]);
  if (named.has(from)) {
    throw lacking(flag, from, "its definition reads it as another field");
  }
  return { name, read: wanted, isSame: false, isPassed: true };
}

/** The error of a field that the payments of a followed stream do not have. */
function lacking(flag: string, field: string, reason: string): ConfigError {
  return new ConfigError(
    `${flag}: the payments of that stream have no field '${field}' for this ` +
      `definition: ${reason}; leave it out, or begin a new stream with your data`,
  );
}
