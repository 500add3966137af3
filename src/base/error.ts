/**
 * The errors a person may meet. Each carries a stable `code`; its message is
 * one line that says what was wrong, where, and what to do. Only the command
 * line prints them and chooses the exit code: 2 for wrong use, 1 for the rest.
 */

/** Wrong use: a flag, a setting or a combination that cannot work. Exit 2. */
export class ConfigError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "ConfigError";
  /** Stable identifier for programs. */
  readonly code = "CONFIG";
}

/** Data that cannot be read or written as asked: a file, a row, a folder. */
export class DataError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "DataError";
  /** Stable identifier for programs. */
  readonly code = "DATA";
}

/** The log refused or failed an operation: fenced, full, locked, damaged. */
export class LogError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "LogError";
  /** Stable identifier for programs. */
  readonly code = "LOG";
  /** Whether a newer producer of the same id has taken this one's place. */
  readonly isFenced: boolean;

  /** Makes an error that says what went wrong. */
  constructor(
    message: string,
    options: ErrorOptions & { readonly isFenced?: boolean } = {},
  ) {
    super(message, options);
    this.isFenced = options.isFenced ?? false;
  }
}

/** The store refused or failed an operation. */
export class StoreError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "StoreError";
  /** Stable identifier for programs. */
  readonly code = "STORE";
}

/** A model that cannot be read, trained or applied: broken, of other features, of one class only. */
export class ModelError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "ModelError";
  /** Stable identifier for programs. */
  readonly code = "MODEL";
}

/** A request that does not fit how things stand any more, with what they are now. */
export class ConflictError extends Error {
  /** Names the class, also in minified builds. */
  override readonly name = "ConflictError";
  /** Stable identifier for programs. */
  readonly code = "CONFLICT";
  /** How things stand. */
  readonly now: Readonly<Record<string, number>>;

  /** `now` is added to the answer. */
  constructor(message: string, now: Readonly<Record<string, number>> = {}) {
    super(message);
    this.now = now;
  }
}
