/** Problems as the documents that clients get: application/problem+json by RFC 9457. */
import { type Problem, PROBLEM_STATUS, type ProblemKind } from "../problem.ts";

/** The media type of problem documents. */
export const PROBLEM_TYPE = "application/problem+json";

/** What each kind of problem is called: the same for every problem of the kind. */
export const PROBLEM_TITLES: Readonly<Record<ProblemKind, string>> = {
  "bad-request": "The request is not valid",
  unauthorized: "A token is needed",
  forbidden: "Not allowed",
  "not-found": "Not found",
  "method-not-allowed": "Method not allowed",
  "conflicting-id": "The TRANSACTION_ID has another payment",
  outdated: "Changed since it was read",
  "too-large": "The body is too large",
  "unsupported-media-type": "Unsupported media type",
  rejected: "Not accepted",
  "precondition-required": "If-Match is needed",
  "too-many-requests": "Too many requests",
  internal: "Internal error",
  unavailable: "Not available at this moment",
  unknown: "No decision within the deadline",
};

/** A problem document. */
export interface ProblemDocument {
  /** Which kind of problem: a reference that never changes. */
  readonly type: string;
  /** The kind in words. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** What was wrong and what to do. */
  readonly detail: string;
  /** Further members. */
  readonly [member: string]: string | number;
}

/** The type of the documents about a kind of problem. */
export function problemType(kind: ProblemKind): string {
  return `/problems/${kind}`;
}

/** The document about a problem. */
export function problemDocument(
  { kind, message, members }: Problem,
): ProblemDocument {
  return {
    type: problemType(kind),
    title: PROBLEM_TITLES[kind],
    status: PROBLEM_STATUS[kind],
    detail: message,
    ...members,
  };
}

/** The answer about a problem, with further headers. */
export function problemResponse(
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { kind, retryAfter } = problem;
  return new Response(JSON.stringify(problemDocument(problem)), {
    status: PROBLEM_STATUS[kind],
    headers: {
      "content-type": PROBLEM_TYPE,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...kind === "unauthorized" && {
        "www-authenticate": 'Bearer realm="fraudstream"',
      },
      ...retryAfter !== undefined && { "retry-after": String(retryAfter) },
      ...headers,
    },
  });
}
