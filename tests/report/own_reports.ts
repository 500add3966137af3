/** Reports of payments of own definitions, each odd in its own way. */
import type {
  KeptShape,
  PaymentShape,
} from "../../src/payment/payment_shape.ts";
import type { ReportData } from "../../src/report/content.ts";
import { OWN_SHAPE, type OwnPayment, ownReport } from "./statistics_of.ts";

const DAY = 86_400;
const YEAR = 365 * DAY;

const LONG_NAME = `Société "Générale" & <Sons> ${
  "of the far north ".repeat(7)
}`;

/** Fields of every kind. */
export const KEPT: readonly KeptShape[] = [
  { name: "category", type: "text" },
  { name: "year", type: "number" },
  { name: "chip", type: "flag" },
  { name: "birth", type: "time" },
  { name: "reference", type: "text" },
];

/** Some payments, at this distance of each other in seconds. */
export function somePayments(
  length: number,
  seconds: number,
  change: (at: number) => OwnPayment = () => ({}),
): OwnPayment[] {
  return Array.from({ length }, (_, at) => ({
    ids: [`t${at}`, `card ${at % 7}`, `${LONG_NAME} ${at % 5}`],
    seconds: at * seconds,
    amount: 1 + at % 90,
    fraud: at % 10 === 0 ? 1 : 0,
    kept: [
      at % 4 === 0 ? null : `category ${at % 3}`,
      1990 + at % 30,
      at % 2,
      -YEAR * (at % 60) + 12_345,
      `reference ${at}`,
    ],
    ...change(at),
  }));
}

/** The reports, by what is odd about them. */
export function ownReports(): [name: string, data: ReportData][] {
  const of = (
    shape: Partial<PaymentShape>,
    rows: readonly OwnPayment[],
  ) => ownReport({ ...OWN_SHAPE, kept: KEPT, ...shape }, rows);
  const unlabelled = { hasFraud: false } as const;
  const stream = { ...unlabelled, hasLabels: true } as const;
  const pending = somePayments(200, 3600, (at) => {
    return { fraud: at < 150 ? at % 2 : undefined };
  });
  return [
    ["own payments", of({}, somePayments(300, 3600))],
    ["no own payments", of({}, [])],
    ["one own payment", of({}, somePayments(1, 1))],
    ["payments of an hour", of({}, somePayments(600, 6))],
    ["payments of 20 years", of({}, somePayments(200, 36 * DAY))],
    ["no kept field", of({ kept: [] }, somePayments(40, DAY))],
    [
      "no labels",
      of(unlabelled, somePayments(40, DAY, () => ({ fraud: undefined }))),
    ],
    [
      "labels that have not arrived",
      of(stream, somePayments(40, DAY, () => ({ fraud: undefined }))),
    ],
    ["labels that have partly arrived", {
      ...of(stream, pending),
      genuineAfterDays: 7,
    }],
    [
      "refunds only",
      of({ refunds: true }, somePayments(50, DAY, (at) => ({ amount: -at }))),
    ],
    [
      "yen, up to the limit",
      of(
        { currency: "JPY", decimals: 0, refunds: true },
        somePayments(
          50,
          DAY,
          (at) => ({ amount: (-1) ** at * 10 ** (at % 12) }),
        ),
      ),
    ],
    [
      "no currency, four decimals",
      of(
        { currency: null, decimals: 4 },
        somePayments(50, DAY, (at) => ({ amount: at / 10_000 })),
      ),
    ],
    [
      "no value in any field",
      of({}, somePayments(30, DAY, () => ({ kept: [] }))),
    ],
    [
      "numbers of any size",
      of(
        {},
        somePayments(60, DAY, (at) => ({
          kept: [
            "",
            (-1) ** at * 10 ** (6 * (at % 51)),
            at % 2,
            10 ** 9 * at,
            "x",
          ],
        })),
      ),
    ],
    [
      "ids of numbers",
      of(
        { transactionId: "number", customerId: "number", terminalId: "number" },
        somePayments(30, DAY, (at) => ({
          ids: [at, 2 ** 53 - 1 - at % 3, 2 ** 31 + at % 4],
        })),
      ),
    ],
  ];
}
