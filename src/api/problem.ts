/**
 * What the API answers where it cannot do what was asked: a problem document
 * by RFC 9457. docs/API.md lists the kinds.
 */

/** The kinds of problems, and the status of each. */
export const PROBLEM_STATUS = {
  /** The request is not what the OpenAPI document describes. */
  "bad-request": 400,
  /** No token, or none that is known. */
  unauthorized: 401,
  /** The token does not have the scope. */
  forbidden: 403,
  /** There is no such resource. */
  "not-found": 404,
  /** There is such a path, but not with that method. */
  "method-not-allowed": 405,
  /** The TRANSACTION_ID has another payment. */
  "conflicting-id": 409,
  /** The rules or the list have changed since they were read. */
  outdated: 412,
  /** The body has too many bytes. */
  "too-large": 413,
  /** The body has another media type than those listed. */
  "unsupported-media-type": 415,
  /** The stream does not take the payment, the label or the rules. */
  rejected: 422,
  /** A replacement has to name the version that it replaces. */
  "precondition-required": 428,
  /** The token has used up its rate. */
  "too-many-requests": 429,
  /** An error of this program. */
  internal: 500,
  /** Too much load, or not ready yet. */
  unavailable: 503,
  /** No decision within the deadline: it is unknown whether there will be one. */
  unknown: 504,
} as const;

/** A kind of problem. */
export type ProblemKind = keyof typeof PROBLEM_STATUS;

/** Ends a request with a problem document. */
export class Problem extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "Problem";
  /** Its kind, which decides the status. */
  readonly kind: ProblemKind;
  /** Further members of the document: REASON of a rejected payment, LINE of a body with several. */
  readonly members: Readonly<Record<string, string | number>>;
  /** Seconds for the header Retry-After, if any. */
  readonly retryAfter: number | undefined;

  /** Makes one; `detail` is a sentence that says what was wrong and what to do. */
  constructor(
    kind: ProblemKind,
    detail: string,
    { members = {}, retryAfter }: {
      readonly members?: Readonly<Record<string, string | number>>;
      readonly retryAfter?: number;
    } = {},
  ) {
    super(detail);
    this.kind = kind;
    this.members = members;
    this.retryAfter = retryAfter;
  }
}

/** The problem of a request whose deadline has passed without an answer. */
export function unknownOutcome(): Problem {
  return new Problem("unknown", "unknown, ask again", { retryAfter: 1 });
}
