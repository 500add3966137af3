/** The definition of the small data that `check` and `import` are tested with. */

/** Every field is mapped by its name alone. */
export const SHOP_DEFINITION = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  TX_FRAUD: is_fraud
`;
