/**
 * The definitions that the program knows by name, as text: `init` writes them
 * to a file, comments and all.
 */

/** The text of each, by name. */
export const BUILT_IN_DEFINITIONS: Readonly<Record<string, string>> = {
  handbook:
    `# The stream of the Fraud Detection Handbook, as 'generate' writes it.
version: 1
payment:
  TRANSACTION_ID: { from: TRANSACTION_ID, type: number }
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: { from: CUSTOMER_ID, type: number }
  TERMINAL_ID: { from: TERMINAL_ID, type: number }
  TX_AMOUNT: TX_AMOUNT
  TX_FRAUD: TX_FRAUD
  TX_FRAUD_SCENARIO: TX_FRAUD_SCENARIO
labels: { from: payment, delay: 7d }
# Declare your own beside include (docs/FEATURES.md), such as
# CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }
features: { include: handbook }
`,
  live: `# The handbook's fields and features, with labels that arrive later.
version: 1
payment:
  TRANSACTION_ID: { from: TRANSACTION_ID, type: number }
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: { from: CUSTOMER_ID, type: number }
  TERMINAL_ID: { from: TERMINAL_ID, type: number }
  TX_AMOUNT: TX_AMOUNT
labels: { from: stream, delay: 7d, grace: 1d }
# Declare your own beside include (docs/FEATURES.md), such as
# CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }
features: { include: handbook }
`,
  sparkov:
    `# Sparkov's data set (Kaggle: kartik2112/fraud-detection, fraudTrain.csv).
version: 1
payment:
  TRANSACTION_ID: trans_num
  # The data set has no zone; its times are read as UTC.
  TX_DATETIME:
    from: trans_date_trans_time
    format: "yyyy-MM-dd HH:mm:ss"
    zone: UTC
  # Card numbers have up to 19 digits, more than a number keeps.
  CUSTOMER_ID: cc_num
  TERMINAL_ID: merchant
  TX_AMOUNT: { from: amt, decimals: 2, currency: USD }
  TX_FRAUD: is_fraud
  keep:
    category: text
    city_pop: number
    lat: number
    long: number
    merch_lat: number
    merch_long: number
  # Personal data that nothing here needs.
  drop: [first, last, gender, street, dob]
# A label counts 7 days after its payment.
labels: { from: payment, delay: 7d }
# Declare your own beside include (docs/FEATURES.md), such as
# CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }
features: { include: handbook }
`,
  tabformer: `# IBM's TabFormer data set (card_transaction.v1.csv).
version: 1
payment:
  # The data set has no id of the payment: its rows are numbered.
  TRANSACTION_ID: { from: row }
  # 2002, 9, 1 and 06:21 become "2002 9 1 06:21".
  TX_DATETIME:
    from: [Year, Month, Day, Time]
    join: " "
    format: "yyyy M d HH:mm"
    zone: UTC
  # Card 0 of user 12 is "12-0".
  CUSTOMER_ID: { from: [User, Card], join: "-" }
  # A signed 64-bit number, which text keeps exactly.
  TERMINAL_ID: Merchant Name
  # "$134.09"; refunds are "$-99.00".
  TX_AMOUNT:
    from: Amount
    prefix: $
    decimals: 2
    currency: USD
    refunds: true
  TX_FRAUD: { from: "Is Fraud?", true: "Yes", false: "No" }
  keep:
    mcc: { from: MCC, type: text }
    use_chip: { from: Use Chip, type: text }
    errors: { from: "Errors?", type: text }
# A label counts 7 days after its payment.
labels: { from: payment, delay: 7d }
# Declare your own beside include (docs/FEATURES.md), such as
# CARD_TX_1H: { count: payments, by: CUSTOMER_ID, over: 1h }
features: { include: handbook }
`,
};
