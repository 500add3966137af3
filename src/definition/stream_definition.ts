/**
 * What a stream is: how its payments are found in the data, when labels count,
 * and which features there are. A plain object with every default filled in,
 * and its canonical JSON, which is itself a definition in its long form. Two
 * definitions that mean the same have the same JSON and the same hash, whatever
 * their order, comments and short forms.
 */
import { createHash } from "node:crypto";
import { formatDuration } from "../payment/calendar.ts";
import {
  type FeatureDeclaration,
  longDeclaration,
} from "./feature_declarations.ts";

/** A stream's definition. */
export interface StreamDefinition {
  /** How a payment is found in a row. */
  readonly payment: PaymentMapping;
  /** When labels count. */
  readonly labels: LabelRule;
  /** Which features there are. */
  readonly features: {
    /** The handbook's 14, those and 21 more, or none. */
    readonly include: FeatureInclude;
    /** Those that it declares, in its order. */
    readonly declared: readonly FeatureDeclaration[];
  };
}

/** The sets of features that a definition may include. */
export type FeatureInclude = "handbook" | "extended" | "none";

/** Where each field of a payment comes from. */
export interface PaymentMapping {
  /** TRANSACTION_ID: a field, or the number of the row. */
  readonly transactionId: IdMapping | RowNumber;
  /** TX_DATETIME. */
  readonly time: TimeMapping;
  /** CUSTOMER_ID. */
  readonly customerId: IdMapping;
  /** TERMINAL_ID. */
  readonly terminalId: IdMapping;
  /** TX_AMOUNT. */
  readonly amount: AmountMapping;
  /** TX_FRAUD; null where payments come without labels. */
  readonly fraud: FlagMapping | null;
  /** Field of TX_FRAUD_SCENARIO, a whole number; null where there is none. */
  readonly scenario: string | null;
  /** Fields that are kept under their own names, sorted by name. */
  readonly keep: readonly KeptField[];
  /** Fields that are not taken along, sorted; "all" for every field that the definition does not name. */
  readonly drop: readonly string[] | "all";
}

/** The number of the row, from 1, as an id. */
export interface RowNumber {
  /** Distinguishes it from a field, whose names are a list. */
  readonly from: "row";
}

/** An id and where it comes from. */
export interface IdMapping {
  /** Names of its fields; several are joined. */
  readonly from: readonly string[];
  /** Text between several fields; null for one field. */
  readonly join: string | null;
  /** Whole numbers up to 2^53 - 1, or text of up to 128 bytes. */
  readonly type: "number" | "text";
  /** Whether a pseudonym (HMAC-SHA-256) replaces it. */
  readonly hmac: boolean;
}

/** A time and where it comes from. */
export interface TimeMapping {
  /** Names of its fields; several are joined. */
  readonly from: readonly string[];
  /** Text between several fields; null for one field. */
  readonly join: string | null;
  /** "iso", "epoch-s", "epoch-ms", "epoch-us", or a pattern such as "yyyy-MM-dd HH:mm:ss". */
  readonly format: string;
  /** The zone of times without an offset; "UTC" where the format is a count. */
  readonly zone: string;
}

/** An amount and where it comes from. */
export interface AmountMapping {
  /** Name of its field. */
  readonly from: string;
  /** Decimals of a minor unit, 0 to 4. */
  readonly decimals: number;
  /** Code of ISO 4217, for display; null where it is not known. */
  readonly currency: string | null;
  /** Text before the number, such as "$"; null for none. */
  readonly prefix: string | null;
  /** The decimal mark of text. */
  readonly decimal: "." | ",";
  /** The separator of thousands of text; null for none. */
  readonly thousands: string | null;
  /** Whether amounts may be negative. */
  readonly refunds: boolean;
}

/** A flag and where it comes from. */
export interface FlagMapping {
  /** Name of its field. */
  readonly from: string;
  /** Texts that mean 1; null for 1 and true. */
  readonly true: readonly string[] | null;
  /** Texts that mean 0; null for 0 and false, or for every other text where `true` is given. */
  readonly false: readonly string[] | null;
}

/** What a kept field may be. */
export type KeptType = "text" | "number" | "flag" | "time";

/** A field that is kept beside the payment's own. */
export interface KeptField {
  /** Its name in topics, tables and files. */
  readonly name: string;
  /** Name of its field in the data. */
  readonly from: string;
  /** What it is. A time is held in seconds since 1970, a flag as 0 or 1. */
  readonly type: KeptType;
  /** How a time is read; null for other types. */
  readonly time: Pick<TimeMapping, "format" | "zone"> | null;
  /** How a flag is read; null for other types. */
  readonly flag: Pick<FlagMapping, "true" | "false"> | null;
}

/** When labels count. */
export type LabelRule =
  | {
    /** The payment carries its label. */
    readonly from: "payment";
    /** How long after the payment it counts, in seconds. */
    readonly delaySeconds: number;
  }
  | {
    /** Labels arrive on their own. */
    readonly from: "stream";
    /** How far a feature over labels looks back, in seconds. */
    readonly delaySeconds: number;
    /** How long after it is known a label counts, in seconds. */
    readonly graceSeconds: number;
    /** How long after it a payment without a label is genuine to training and metrics, in seconds. */
    readonly matureSeconds: number;
  };

/** How long after a payment its label is known, in seconds; one without a label is genuine then. */
export function labelSecondsOf({ labels }: StreamDefinition): number {
  return labels.from === "stream" ? labels.matureSeconds : labels.delaySeconds;
}

/** Whether the ids of a mapping are the numbers of the rows. */
export function isRowNumber(
  mapping: IdMapping | RowNumber,
): mapping is RowNumber {
  return mapping.from === "row";
}

/** The names of the fields that a mapping reads, each once, in a fixed order. */
export function sourceFields(payment: PaymentMapping): string[] {
  const { transactionId, time, customerId, terminalId, amount } = payment;
  return [
    ...new Set([
      ...transactionId.from === "row" ? [] : transactionId.from,
      ...time.from,
      ...customerId.from,
      ...terminalId.from,
      amount.from,
      ...payment.fraud ? [payment.fraud.from] : [],
      ...payment.scenario === null ? [] : [payment.scenario],
      ...payment.keep.map(({ from }) => from),
    ]),
  ];
}

/** Whether the mapping needs a key for pseudonyms. */
export function needsHmacKey({ payment }: StreamDefinition): boolean {
  const { transactionId, customerId, terminalId } = payment;
  return [transactionId, customerId, terminalId].some((id) =>
    !isRowNumber(id) && id.hmac
  );
}

/** The definition as JSON of a fixed form: a definition in its long form, on one line. */
export function canonicalJson(definition: StreamDefinition): string {
  const { payment, labels, features } = definition;
  return JSON.stringify({
    version: 1,
    payment: {
      TRANSACTION_ID: isRowNumber(payment.transactionId)
        ? { from: "row" }
        : longId(payment.transactionId),
      TX_DATETIME: { ...joined(payment.time), ...longTime(payment.time) },
      CUSTOMER_ID: longId(payment.customerId),
      TERMINAL_ID: longId(payment.terminalId),
      TX_AMOUNT: longAmount(payment.amount),
      TX_FRAUD: payment.fraud
        ? { from: payment.fraud.from, ...longFlag(payment.fraud) }
        : undefined,
      TX_FRAUD_SCENARIO: payment.scenario ?? undefined,
      keep: payment.keep.length > 0
        ? Object.fromEntries(payment.keep.map((kept) => [kept.name, {
          from: kept.from,
          type: kept.type,
          ...kept.time ? longTime(kept.time) : {},
          ...kept.flag ? longFlag(kept.flag) : {},
        }]))
        : undefined,
      drop: payment.drop.length > 0 ? payment.drop : undefined,
    },
    labels: {
      from: labels.from,
      delay: formatDuration(labels.delaySeconds),
      grace: labels.from === "stream"
        ? formatDuration(labels.graceSeconds)
        : undefined,
      // Left out where it is the delay: the hashes of older streams hold.
      mature: labels.from === "stream" &&
          labels.matureSeconds !== labels.delaySeconds
        ? formatDuration(labels.matureSeconds)
        : undefined,
    },
    features: {
      include: features.include,
      ...Object.fromEntries(
        features.declared.map((one) => [one.name, longDeclaration(one)]),
      ),
    },
  });
}

/** SHA-256 of the canonical JSON, 64 hexadecimal digits. */
export function definitionHash(definition: StreamDefinition): string {
  return createHash("sha256").update(canonicalJson(definition)).digest("hex");
}

function joined(
  { from, join }: { from: readonly string[]; join: string | null },
): object {
  return { from, join: join ?? undefined };
}

function longId(id: IdMapping): object {
  return { ...joined(id), type: id.type, hmac: id.hmac };
}

function longTime({ format, zone }: Pick<TimeMapping, "format" | "zone">) {
  return {
    format,
    zone: format.startsWith("epoch-") ? undefined : zone,
  };
}

function longAmount(amount: AmountMapping): object {
  const { from, decimals, currency, prefix, decimal, thousands, refunds } =
    amount;
  return {
    from,
    decimals,
    currency: currency ?? undefined,
    prefix: prefix ?? undefined,
    decimal,
    thousands: thousands ?? undefined,
    refunds,
  };
}

function longFlag(flag: Pick<FlagMapping, "true" | "false">): object {
  return { true: flag.true ?? undefined, false: flag.false ?? undefined };
}
