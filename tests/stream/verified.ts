/** What a comparison of store and log finds where all is right, beside the number of equal rows. */
export const NOTHING_WRONG = {
  missing: 0,
  different: 0,
  unknown: 0,
  notVerifiable: 0,
  pending: 0,
  first: [],
} as const;
