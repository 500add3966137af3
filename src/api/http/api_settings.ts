/** Where the API listens, who may use it and how much they may send, as plain data. */
import { isLoopback } from "../../base/address.ts";
import { ConfigError } from "../../base/error.ts";
import { DEFINITION_BYTES_MAX } from "../../definition/definition_node.ts";
import { LIST_BYTES_MAX } from "../../scoring/list_file.ts";

/** The settings of the API. */
export interface ApiSettings {
  /** Address to listen at. */
  readonly host: string;
  /** Port; 0 for any that is free. */
  readonly port: number;
  /** Path of the file of tokens; undefined for an API without tokens, which only this machine may reach. */
  readonly tokensFile: string | undefined;
  /** Paths of PEM files: the certificate chain and its key; undefined for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Requests per second of a token, or of an address where there are no tokens; undefined for no limit. */
  readonly ratePerSecond: number | undefined;
  /** Origins of browser pages that may use it, such as https://till.example. */
  readonly allowOrigins: readonly string[];
  /** Most bytes of each kind of body. */
  readonly bodies: BodyLimits;
}

/** Most bytes of each kind of body. */
export interface BodyLimits {
  /** Of a payment to decide about. */
  readonly score: number;
  /** Of a text of payments. */
  readonly payments: number;
  /** Of a text of labels. */
  readonly labels: number;
  /** Of the rules. */
  readonly rules: number;
  /** Of a list. */
  readonly list: number;
}

/** The port that the API listens at by default. */
export const API_PORT = 8090;

/** The address that the API listens at by default. */
export const API_HOST = "127.0.0.1";

/** The limits of a usual API. */
export const BODY_LIMITS: BodyLimits = {
  score: 64 * 1024,
  payments: 8 * 2 ** 20,
  labels: 8 * 2 ** 20,
  rules: DEFINITION_BYTES_MAX,
  list: LIST_BYTES_MAX,
};

/** Throws ConfigError for an API that others reach without a token. */
export function checkApiExposure(
  { host, tokensFile }: Pick<ApiSettings, "host" | "tokensFile">,
): void {
  if (tokensFile !== undefined || isLoopback(host)) return;
  throw new ConfigError(
    `the API would be open to everybody who reaches ${host}; make a token ` +
      "with './fraudstream token NAME --scopes=score --append=FILE' and name " +
      "the file by --api-tokens, or leave --api-host out",
  );
}
