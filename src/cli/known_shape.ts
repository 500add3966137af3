/** Which payments the commands and roles take that do not know every stream definition yet. */
import { ConfigError } from "../base/error.ts";
import { hasText } from "../payment/payment_shape.ts";
import type { StreamParameters } from "../stream/control.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";

/** Throws ConfigError, which begins with `what`, if the payments of a stream have text ids, kept fields, refunds or other decimals, or lack a label. */
export function requireKnownShape(
  parameters: StreamParameters,
  what: string,
  then: string,
): void {
  const shape = shapeOfStream(parameters);
  const isKnown = !hasText(shape) && shape.kept.length === 0 &&
    shape.hasFraud && shape.hasScenario && !shape.refunds &&
    shape.decimals <= 2;
  if (isKnown) return;
  throw new ConfigError(
    `in this version ${what} takes only payments with numbers as ids, with ` +
      "TX_FRAUD and TX_FRAUD_SCENARIO, and without refunds and kept fields; " +
      then,
  );
}
