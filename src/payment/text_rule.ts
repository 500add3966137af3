/**
 * What texts may hold, the same wherever they come from: ids, kept texts, and
 * any other text.
 */

/** Which rule a text keeps. */
export type TextRule = "id" | "kept" | "any";

/** Most bytes of a text id in UTF-8. */
export const ID_BYTES_MAX = 128;

/** What no id may hold: control characters, the replacement character, and surrogates without their other half. */
export const ID_REFUSED: RegExp = /[\p{Cc}\p{Cs}\uFFFD]/u;

/** Most bytes of a kept text in UTF-8. */
export const KEPT_BYTES_MAX = 1024;

/** What no text may hold: NUL, at which SQLite's tools end it, and unpaired surrogates, which UTF-8 has not. */
export const TEXT_REFUSED: RegExp = /[\0\p{Cs}]/u;

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** Whether a text keeps a rule; empty texts keep none but "any". */
export function keepsRule(text: string, max: number, rule: TextRule): boolean {
  if (rule === "any") return true;
  const refused = rule === "id" ? ID_REFUSED : TEXT_REFUSED;
  return text !== "" && !refused.test(text) &&
    (text.length * 3 <= max || ENCODER.encode(text).length <= max);
}

/** The text of a JSON string in UTF-8, quotes included; undefined if it is not one or breaks the rule. */
export function textOf(
  json: Uint8Array,
  max: number,
  rule: TextRule,
): string | undefined {
  try {
    const text: unknown = JSON.parse(STRICT.decode(json));
    if (typeof text !== "string") return undefined;
    return keepsRule(text, max, rule) ? text : undefined;
  } catch {
    return undefined;
  }
}
