/**
 * The error codes of brokers and what each allows: try again, look up the
 * leader, use a new producer, or give up.
 */

/** Error codes of the protocol that are distinguished here, with their names. */
export const CODES = {
  unknownServerError: -1,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  networkException: 13,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  concurrentTransactions: 51,
  transactionalIdAuthorization: 53,
  fencedInstanceId: 82,
  memberIdRequired: 79,
  producerFenced: 90,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  [-1]: "UNKNOWN_SERVER_ERROR",
  1: "OFFSET_OUT_OF_RANGE",
  2: "CORRUPT_MESSAGE",
  3: "UNKNOWN_TOPIC_OR_PARTITION",
  5: "LEADER_NOT_AVAILABLE",
  6: "NOT_LEADER_OR_FOLLOWER",
  7: "REQUEST_TIMED_OUT",
  8: "BROKER_NOT_AVAILABLE",
  9: "REPLICA_NOT_AVAILABLE",
  10: "MESSAGE_TOO_LARGE",
  12: "OFFSET_METADATA_TOO_LARGE",
  13: "NETWORK_EXCEPTION",
  14: "COORDINATOR_LOAD_IN_PROGRESS",
  15: "COORDINATOR_NOT_AVAILABLE",
  16: "NOT_COORDINATOR",
  17: "INVALID_TOPIC_EXCEPTION",
  18: "RECORD_LIST_TOO_LARGE",
  19: "NOT_ENOUGH_REPLICAS",
  20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  22: "ILLEGAL_GENERATION",
  23: "INCONSISTENT_GROUP_PROTOCOL",
  24: "INVALID_GROUP_ID",
  25: "UNKNOWN_MEMBER_ID",
  26: "INVALID_SESSION_TIMEOUT",
  27: "REBALANCE_IN_PROGRESS",
  28: "INVALID_COMMIT_OFFSET_SIZE",
  29: "TOPIC_AUTHORIZATION_FAILED",
  30: "GROUP_AUTHORIZATION_FAILED",
  31: "CLUSTER_AUTHORIZATION_FAILED",
  32: "INVALID_TIMESTAMP",
  35: "UNSUPPORTED_VERSION",
  36: "TOPIC_ALREADY_EXISTS",
  37: "INVALID_PARTITIONS",
  38: "INVALID_REPLICATION_FACTOR",
  40: "INVALID_CONFIG",
  41: "NOT_CONTROLLER",
  42: "INVALID_REQUEST",
  44: "POLICY_VIOLATION",
  45: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  46: "DUPLICATE_SEQUENCE_NUMBER",
  47: "INVALID_PRODUCER_EPOCH",
  48: "INVALID_TXN_STATE",
  49: "INVALID_PRODUCER_ID_MAPPING",
  50: "INVALID_TRANSACTION_TIMEOUT",
  51: "CONCURRENT_TRANSACTIONS",
  52: "TRANSACTION_COORDINATOR_FENCED",
  53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  55: "OPERATION_NOT_ATTEMPTED",
  56: "KAFKA_STORAGE_ERROR",
  59: "UNKNOWN_PRODUCER_ID",
  72: "LISTENER_NOT_FOUND",
  74: "FENCED_LEADER_EPOCH",
  75: "UNKNOWN_LEADER_EPOCH",
  76: "UNSUPPORTED_COMPRESSION_TYPE",
  78: "OFFSET_NOT_AVAILABLE",
  79: "MEMBER_ID_REQUIRED",
  81: "GROUP_MAX_SIZE_REACHED",
  82: "FENCED_INSTANCE_ID",
  87: "INVALID_RECORD",
  88: "UNSTABLE_OFFSET_COMMIT",
  89: "THROTTLING_QUOTA_EXCEEDED",
  90: "PRODUCER_FENCED",
  120: "TRANSACTION_ABORTABLE",
};

/** Codes after which the same request may succeed, perhaps at another broker. */
const RETRIABLE = new Set([
  2,
  3,
  5,
  6,
  7,
  8,
  9,
  13,
  14,
  15,
  16,
  19,
  20,
  41,
  51,
  52,
  56,
  72,
  74,
  75,
  78,
  88,
  89,
]);

/** A broker's refusal. */
export class KafkaError extends Error {
  /** Name of the class. */
  override readonly name = "KafkaError";
  /** The protocol's number for it. */
  readonly code: number;
  /** Whether the same request may succeed later. */
  readonly retriable: boolean;

  /** `what` names the refused request; `detail` is the broker's own message, if any. */
  constructor(code: number, what: string, detail: string | null = null) {
    const name = NAMES[code] ?? `error ${code}`;
    super(`${what}: ${name}${detail ? ` (${detail})` : ""}`);
    this.code = code;
    this.retriable = RETRIABLE.has(code);
  }
}

/** The connection broke, or no answer came in time: the request may or may not have been carried out. */
export class KafkaConnectionError extends Error {
  /** Name of the class. */
  override readonly name = "KafkaConnectionError";
}

/** A commit whose answer was lost: it may have been taken, or may still be taken while the member belongs to the group. */
export class KafkaUncertainError extends Error {
  /** Name of the class. */
  override readonly name = "KafkaUncertainError";
}

/** Throws KafkaError unless the code is 0. */
export function check(code: number, what: string): void {
  if (code !== 0) throw new KafkaError(code, what);
}

/** Whether an error is a broker's refusal with one of these codes. */
export function isKafkaError(
  error: unknown,
  ...codes: readonly number[]
): error is KafkaError {
  return error instanceof KafkaError && codes.includes(error.code);
}

/** Whether a newer producer has the transactional id of this one. */
export function isFenced(error: unknown): boolean {
  return isKafkaError(error, CODES.invalidProducerEpoch, CODES.producerFenced);
}

/** Codes after which a transaction can be given up and done again. */
const ABORTABLE = [45, 46, 48, 49, 59, 120];

/** Whether the transaction can be given up and done again. */
export function isAbortable(error: unknown): boolean {
  return isKafkaError(error, ...ABORTABLE);
}

/** Whether the same may succeed later: the broker says so, or cannot be reached. */
export function isTransient(error: unknown): boolean {
  return error instanceof KafkaConnectionError ||
    (error instanceof KafkaError && error.retriable);
}
