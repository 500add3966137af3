/**
 * Translates the driver's errors: says which are transient, and gives one line
 * with the reason, the place and what to do for the others. Errors are
 * recognized by name and code, so that this file does not need the driver.
 */
import { ConfigError, StoreError } from "../../base/error.ts";
import type { CassandraSettings } from "./cassandra_settings.ts";

/** Codes of the protocol's error messages. */
const CODE = {
  server: 0x0000,
  credentials: 0x0100,
  unavailable: 0x1000,
  overloaded: 0x1001,
  bootstrapping: 0x1002,
  truncate: 0x1003,
  writeTimeout: 0x1100,
  readTimeout: 0x1200,
  readFailure: 0x1300,
  writeFailure: 0x1500,
  unauthorized: 0x2100,
} as const;

const TRANSIENT_CODES: ReadonlySet<number> = new Set([
  CODE.server,
  CODE.unavailable,
  CODE.overloaded,
  CODE.bootstrapping,
  CODE.truncate,
  CODE.writeTimeout,
  CODE.readTimeout,
  CODE.readFailure,
  CODE.writeFailure,
]);

/** Messages of the driver's plain errors while it has lost its connections. */
const DISCONNECTED =
  /^(No connection available|Connection closed|Connection timeout|Encoder is not defined|No active connection found)/;

/** What the driver's errors may carry. */
interface DriverError extends Error {
  readonly code?: unknown;
  readonly isSocketError?: boolean;
  readonly innerErrors?: Readonly<Record<string, unknown>>;
}

/** Whether a request's error is transient, so that the request may be repeated. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code, isSocketError, message } = error as DriverError;
  if (name === "ResponseError") return TRANSIENT_CODES.has(Number(code));
  return isSocketError === true || DISCONNECTED.test(message) ||
    name === "NoHostAvailableError" ||
    name === "OperationTimedOutError" || name === "BusyConnectionError";
}

/** Whether the cluster took too long over a request. */
export function isTimeout(error: unknown): boolean {
  return causesOf(error).some(({ name, code }) =>
    name === "OperationTimedOutError" ||
    name === "ResponseError" && code === CODE.readTimeout
  );
}

/** An error and, if it names several nodes, the error of each. */
function causesOf(error: unknown): DriverError[] {
  if (!(error instanceof Error)) return [];
  const { innerErrors = {} } = error as DriverError;
  return [error, ...Object.values(innerErrors).flatMap(causesOf)];
}

/** One line about an error, with each node's reason. */
export function reasonOf(error: unknown): string {
  const { innerErrors } = error as DriverError;
  const nodes = Object.entries(innerErrors ?? {}).filter(([, inner]) => inner);
  const text = nodes.length === 0
    ? error instanceof Error ? error.message : String(error)
    : nodes.map(([node, inner]) => {
      const message = inner instanceof Error ? inner.message : String(inner);
      return message.includes(node) ? message : `${node}: ${message}`;
    }).join("; ");
  return text.replaceAll(/\s+/g, " ").trim();
}

/** The error of a connection that failed. */
export function connectError(
  error: unknown,
  settings: CassandraSettings,
): Error {
  const causes = causesOf(error);
  const at = settings.contactPoints.join(", ");
  const dataCenters = causes.map(({ message }) =>
    /localDataCenter was configured as .* data centers: \[(.*)\]/.exec(message)
  ).find((match) => match)?.[1];
  if (dataCenters !== undefined) {
    return new ConfigError(
      `there is no data centre '${settings.localDataCenter}' in the ` +
        `Cassandra cluster at ${at}, which has ${dataCenters}; name one of ` +
        `them with --local-dc`,
      { cause: error },
    );
  }
  const refused = causes.find(({ name, code }) =>
    name === "AuthenticationError" || code === CODE.credentials
  );
  if (refused) {
    const advice = settings.user === undefined
      ? "it wants a user and a password, and none are set"
      : `it does not take the user '${settings.user.name}' with this password`;
    return new StoreError(
      `the Cassandra cluster at ${at} refused the login: ${advice} ` +
        `(${reasonOf(refused)})`,
      { cause: error },
    );
  }
  const forbidden = causes.find(({ name }) => name === "NotCapable");
  const advice = forbidden
    ? "or start the program by './fraudstream'"
    : "check that it runs, the addresses, and whether it wants TLS";
  return new StoreError(
    `the Cassandra cluster at ${at} cannot be reached: ${reasonOf(error)}; ` +
      advice,
    { cause: error },
  );
}

/** The error of a request that failed for good; `what` names the request. */
export function requestError(error: unknown, what: string): Error {
  if (!(error instanceof Error)) return new StoreError(`${what}: ${error}`);
  if (error instanceof StoreError || error instanceof ConfigError) return error;
  const { name, code, innerErrors } = error as DriverError;
  if (name !== "ResponseError" && !innerErrors && !isTransient(error)) {
    return error; // not an error of the driver
  }
  const advice = code === CODE.unauthorized
    ? "; grant it to the user, or let someone who may run what " +
      "'./fraudstream schema' prints"
    : isTransient(error)
    ? "; look at the cluster and start again, nothing is lost"
    : "";
  return new StoreError(
    `Cassandra, ${what}: ${reasonOf(error)}${advice}`,
    { cause: error },
  );
}
