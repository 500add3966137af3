/** The shape of a definition's payments: all that the stages, stores and files need of it. */
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import { isRowNumber, type StreamDefinition } from "./stream_definition.ts";

/** The shape that a definition gives to payments; a stream without one has the handbook's. */
export function shapeOf(
  definition: StreamDefinition | undefined,
): PaymentShape {
  if (definition === undefined) return HANDBOOK_SHAPE;
  const { payment, labels } = definition;
  const { transactionId, customerId, terminalId, amount, keep } = payment;
  const hasFraud = payment.fraud !== null && labels.from === "payment";
  return {
    transactionId: isRowNumber(transactionId) ? "number" : transactionId.type,
    customerId: customerId.type,
    terminalId: terminalId.type,
    decimals: amount.decimals,
    currency: amount.currency,
    refunds: amount.refunds,
    hasFraud,
    hasScenario: hasFraud && payment.scenario !== null,
    hasLabels: labels.from === "stream",
    kept: keep.map(({ name, type }) => ({ name, type })),
  };
}
