/**
 * Translates errors of the operating system and of Deno about files into one
 * line for the user: what failed, where, and what to do. Nothing else in the
 * program interprets error codes.
 */
import { DataError } from "./error.ts";

/** What was being done to a file: completes "cannot … PATH". */
export type FileAction = "read" | "write" | "list" | "make" | "remove";

/**
 * A DataError for a failed operation on `path`; its cause is the original
 * error. A DataError is returned unchanged.
 */
export function fileError(
  error: unknown,
  action: FileAction,
  path: string,
): DataError {
  if (error instanceof DataError) return error;
  return new DataError(
    `cannot ${action} ${path}: ${fileErrorReason(error, action, path)}`,
    { cause: error },
  );
}

/** Why an operation on `path` failed and what to do about it, without naming the operation. */
export function fileErrorReason(
  error: unknown,
  action: FileAction,
  path: string,
): string {
  if (error instanceof Deno.errors.NotCapable) {
    const flag = action === "read" || action === "list"
      ? "--allow-read"
      : "--allow-write";
    if (/^\/(dev|proc|sys)\//.test(path)) {
      return "Deno lets no program use it; name another file, or - for " +
        "standard input or output";
    }
    return `Deno was not given the permission; add ${flag}=${path} ` +
      "(or a folder above it) before main.ts, or start the program by " +
      "'./fraudstream --anywhere'";
  }
  switch (errorCode(error)) {
    case "ENOENT":
      return action === "read" || action === "list" || action === "remove"
        ? "there is no such file or folder; check the path"
        : "its folder does not exist; make the folder first";
    case "EACCES":
    case "EPERM":
      return "permission denied; check the owner and mode of it and its folder";
    case "EROFS":
      return "the file system is read-only; choose another place";
    case "ENOSPC":
    case "EDQUOT":
      return "no space left on the device; make room and run again";
    case "EISDIR":
      return "it is a folder; name a file";
    case "ENOTDIR":
      return "a part of the path is a file, not a folder; check the path";
    case "EEXIST":
      return "a file has that name; remove it or choose another name";
    case "EMFILE":
    case "ENFILE":
      return "too many open files; raise the limit (ulimit -n)";
    case "ENAMETOOLONG":
      return "the name is too long; choose a shorter one";
    default:
      return error instanceof Error ? oneLine(error.message) : String(error);
  }
}

function errorCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error) {
    if (typeof error.code === "string") return error.code;
  }
  if (error instanceof Deno.errors.NotFound) return "ENOENT";
  if (error instanceof Deno.errors.PermissionDenied) return "EACCES";
  return undefined;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
