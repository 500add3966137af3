/** Payments and two definitions of them, for streams that follow one another. */

/** How many payments there are. */
export const ROWS = 20_000;

const PAYMENT = `version: 1
payment:
  TRANSACTION_ID: { from: id, type: number }
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: amt
  TX_FRAUD: fraud
`;

/** The definition of a stream that another one follows. */
export const OLD = `${PAYMENT}  keep: { kind: { from: category, type: text } }
`;

/** The definition of the stream that follows it: a kept field has another name, one that passed through is kept, features are declared. */
export const NEW = `${PAYMENT}  keep: { category: text, age: number }
features:
  include: handbook
  CARD_TX_10MIN: { count: payments, by: CUSTOMER_ID, over: 10m }
  CARD_CATEGORY: { sum: TX_AMOUNT, by: [CUSTOMER_ID, category], over: 2d }
  SHOP_AGE: { mean: age, by: TERMINAL_ID, over: 3d }
`;

/** Payments of some weeks, as CSV; `age` is a number in most rows. */
export function followCsv(random: () => number): string {
  const below = (n: number) => Math.floor(random() * n);
  let seconds = Date.UTC(2024, 0, 1, 5) / 1000;
  let text = "id,time,card,shop,amt,fraud,category,age\n";
  for (let n = 0; n < ROWS; n++) {
    seconds += 1 + below(200);
    const time = new Date(1000 * seconds).toISOString();
    text += `${n},${time},card ${below(300)},${below(80)},` +
      `${below(30_000) / 100},${below(50) === 0 ? 1 : 0},kind ${below(5)},` +
      `${below(9) === 0 ? "" : below(90)}\n`;
  }
  return text;
}
