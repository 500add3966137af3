/** The text of a request's body, of which no more than a limit is held. */
import { Problem } from "../problem.ts";

const STRICT = new TextDecoder("utf-8", { fatal: true });

/**
 * The body as text. Throws Problem: "too-large" where it has more than
 * `bytesMax` bytes, "bad-request" where it is not UTF-8 or ends early.
 */
export async function bodyText(
  request: Request,
  bytesMax: number,
): Promise<string> {
  const bytes = await bodyBytes(request, bytesMax);
  try {
    return STRICT.decode(bytes);
  } catch {
    throw new Problem("bad-request", "the body is not UTF-8; send it as UTF-8");
  }
}

async function bodyBytes(
  request: Request,
  bytesMax: number,
): Promise<Uint8Array> {
  const { headers, body } = request;
  const length = headers.get("content-length");
  if (Number(length) > bytesMax) throw tooLarge(bytesMax);
  try {
    // The server lets no more bytes through than the header says.
    return length !== null && !headers.has("transfer-encoding")
      ? await request.bytes()
      : await bytesOf(body, bytesMax);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("bad-request", "the body ended before its end");
  }
}

async function bytesOf(
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Uint8Array> {
  const blocks: Uint8Array[] = [];
  let length = 0;
  for await (const block of body ?? []) {
    length += block.length;
    if (length > bytesMax) throw tooLarge(bytesMax);
    blocks.push(block);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

function tooLarge(bytesMax: number): Problem {
  return new Problem(
    "too-large",
    `the body may have at most ${bytesMax} bytes; send less at once`,
  );
}

/**
 * Which of some media types a body has. Throws Problem
 * "unsupported-media-type" for another one, a coding or a charset that is not
 * UTF-8.
 */
export function mediaTypeOf<T extends string>(
  { headers }: Request,
  accepted: readonly T[],
): T {
  const written = headers.get("content-type") ?? "";
  const [essence, ...parameters] = written.toLowerCase().split(";")
    .map((part) => part.trim());
  const found = accepted.find((type) => type === essence);
  const coding = headers.get("content-encoding") ?? "identity";
  const isUtf8 = parameters.every((parameter) =>
    !parameter.startsWith("charset=") ||
    /^charset="?utf-?8"?$/.test(parameter)
  );
  if (found !== undefined && isUtf8 && coding === "identity") return found;
  throw new Problem(
    "unsupported-media-type",
    `the Content-Type must be ${accepted.join(" or ")}, in UTF-8 and without ` +
      "a Content-Encoding",
  );
}
