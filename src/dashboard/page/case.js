/** One case: a payment, what made its score, what its card and terminal did, and the verdict. */
import {
  ask,
  caseLink,
  count,
  h,
  heading,
  labelMark,
  mark,
  money,
  panel,
  score,
  setText,
  svg,
} from "./dom.js";
import { plane, planeLegend } from "./plane.js";

const DAY = 86_400;

/** Opens the view of a payment. */
export function openCase(root, id) {
  let drawing;
  let closed = false;
  const said = h("p", { class: "empty", role: "status" }, "Looking it up…");
  root.append(heading(`Case ${id}`), said);
  const load = async () => {
    let found;
    let places;
    try {
      [found, places] = await Promise.all([
        ask(`/api/cases/${encodeURIComponent(id)}`),
        ask("/api/map"),
      ]);
    } catch (error) {
      setText(said, error.message);
      return;
    }
    if (closed) return;
    drawing = plane(`Map around payment ${id}`);
    root.replaceChildren(...parts(found, drawing));
    root.querySelector("h1").focus();
    const { card, terminal, reach, radius } = found;
    drawing.show(
      {
        terminals: places.terminals,
        card: card && card.x !== null ? card : undefined,
        reach,
        radius,
        focus: terminal?.id,
      },
      radius
        ? `The card reaches ${count(reach.length)} terminals within ${radius}`
        : "",
    );
  };
  load();
  return {
    close() {
      closed = true;
      drawing?.close();
    },
  };
}

function parts(found, drawing) {
  const { payment, alert, verdicts, windows } = found;
  const history = h("div", {
    role: "log",
    "aria-label": "History of verdicts",
  });
  showHistory(history, verdicts);
  return [
    heading(
      `Case ${payment.id}`,
      h("p", {}, h("a", { href: "#/alerts" }, "All alerts")),
    ),
    h(
      "div",
      { class: "aside" },
      h(
        "div",
        { class: "column" },
        panel("Payment", factsOf(found)),
        panel("What made the score", contributionsOf(alert)),
        panel(
          "Timeline",
          h(
            "p",
            { class: "note" },
            `Windows of ${
              windows.windowDays.join(", ")
            } days; the terminal's end ` +
              `${windows.delayDays} days back, when frauds are known.`,
          ),
          timeline("Card", found.ofCard, payment, windows.windowDays, 0),
          timeline(
            "Terminal",
            found.ofTerminal,
            payment,
            windows.windowDays,
            windows.delayDays,
          ),
          rowsOf("The card's payments", found.ofCard, "terminalId", "Terminal"),
          rowsOf(
            "The terminal's payments",
            found.ofTerminal,
            "customerId",
            "Card",
          ),
        ),
        found.features.length > 0 &&
          panel("Features", featuresOf(found.features)),
      ),
      h(
        "div",
        { class: "column" },
        panel(
          "Verdict",
          verdictForm(payment.id, history),
          h("h3", {}, "History"),
          history,
        ),
        panel(
          "Where",
          drawing.element,
          planeLegend(),
          h(
            "p",
            {},
            h(
              "a",
              { href: `#/map?card=${payment.customer}` },
              `Card ${payment.customer} on the map`,
            ),
            " · ",
            h(
              "a",
              { href: `#/map?terminal=${payment.terminal}` },
              `Terminal ${payment.terminal}`,
            ),
          ),
        ),
      ),
    ),
  ];
}

function factsOf({ payment, alert, terminal }) {
  const fact = (name, ...value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h(
    "dl",
    { class: "facts" },
    fact("Amount", money(payment.amount)),
    fact("Event time, UTC", payment.datetime),
    fact("Card", String(payment.customer)),
    fact(
      "Terminal",
      String(payment.terminal),
      " ",
      terminal?.compromised ? mark("fraud", "compromised") : "",
    ),
    fact("Score", score(payment.score)),
    fact(
      "Model",
      alert
        ? alert.model
        : payment.score === undefined
        ? "not scored"
        : "no alert",
    ),
    fact(
      "Label (simulated)",
      h(
        "details",
        {},
        h("summary", {}, "Show"),
        labelMark(payment.fraud, payment.scenario),
      ),
    ),
  );
}

function contributionsOf(alert) {
  const entries = Object.entries(alert?.contributions ?? {})
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  if (entries.length === 0) {
    return h(
      "p",
      { class: "note" },
      "Not computed for this payment: alerts have it.",
    );
  }
  const most = Math.abs(entries[0][1]) || 1;
  return h(
    "div",
    { class: "bars" },
    entries.map(([name, value]) => {
      const width = 50 * Math.abs(value) / most;
      return [
        h("span", {}, name),
        svg(
          "svg",
          {
            viewBox: "0 0 100 10",
            preserveAspectRatio: "none",
            "aria-hidden": "true",
          },
          svg("line", {
            class: "zero",
            x1: 50,
            x2: 50,
            y1: 0,
            y2: 10,
            "vector-effect": "non-scaling-stroke",
          }),
          svg("rect", {
            class: value > 0 ? "up" : "down",
            x: value > 0 ? 50 : 50 - width,
            y: 2,
            width,
            height: 6,
          }),
        ),
        h(
          "span",
          { class: "number" },
          value === 0
            ? "0"
            : `${value > 0 ? "▲ +" : "▼ −"}${Math.abs(value).toFixed(3)}`,
        ),
      ];
    }),
  );
}

const WIDTH = 760;
const HEIGHT = 92;

/** The payments of a window as dots in time, larger with more money, frauds as triangles. */
function timeline(name, payments, self, windowDays, delayDays) {
  const longest = windowDays.at(-1) + delayDays;
  const from = self.time - longest * DAY;
  const x = (time) => 16 + (time - from) / (longest * DAY) * (WIDTH - 32);
  const most = Math.max(1, ...payments.map(({ amount }) => amount));
  const frauds = payments.filter(({ fraud }) => fraud === 1).length;
  const windows = windowDays.map((days, i) => {
    const end = self.time - delayDays * DAY;
    return [
      svg("rect", {
        class: "window",
        x: x(end - days * DAY),
        y: 16,
        width: x(end) - x(end - days * DAY),
        height: 46,
      }),
      svg("text", { x: x(end - days * DAY) + 2, y: 28 + 12 * i }, `${days} d`),
    ];
  });
  const dots = payments.map(({ transactionId, timeSeconds, amount, fraud }) => {
    const at = x(timeSeconds);
    const size = 2.5 + 6 * Math.sqrt(amount / most);
    const own = transactionId === self.id;
    return [
      fraud === 1
        ? svg("path", {
          class: "fraud",
          d: `M${at} ${48 - size}L${at + size} ${48 + size}L${at - size} ${
            48 + size
          }Z`,
        })
        : svg("circle", { class: "payment", cx: at, cy: 48, r: size }),
      own && svg("circle", { class: "self", cx: at, cy: 48, r: size + 4 }),
    ];
  });
  const step = longest > 20 ? 7 : 1;
  const ticks = [];
  for (let days = 0; days <= longest; days += step) {
    const at = x(self.time - days * DAY);
    ticks.push(
      svg("line", { class: "axis", x1: at, x2: at, y1: 64, y2: 69 }),
      svg(
        "text",
        { x: at, y: 82, "text-anchor": days === 0 ? "end" : "middle" },
        days === 0
          ? "this payment"
          : `${days} days before`.replace(" days before", " d"),
      ),
    );
  }
  return h(
    "figure",
    { class: "figure" },
    h(
      "figcaption",
      { class: "note" },
      `${name}: ${count(payments.length)} payments, ${
        count(frauds)
      } of them frauds (▲)`,
    ),
    h(
      "div",
      {
        class: "scroll",
        tabindex: "0",
        role: "region",
        "aria-label": `Timeline of the ${name.toLowerCase()}`,
      },
      svg(
        "svg",
        {
          class: "timeline",
          viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
          role: "img",
          "aria-label": `${
            count(payments.length)
          } payments of the ${name.toLowerCase()} in ${longest} days, ${
            count(frauds)
          } frauds; the table below has them`,
        },
        windows,
        svg("line", { class: "axis", x1: 16, x2: WIDTH - 16, y1: 64, y2: 64 }),
        ticks,
        dots,
      ),
    ),
  );
}

function rowsOf(title, payments, key, other) {
  return h(
    "details",
    {},
    h("summary", {}, `${title} as a table`),
    h(
      "div",
      {
        class: "scroll tall",
        tabindex: "0",
        role: "region",
        "aria-label": title,
      },
      h(
        "table",
        {},
        h("caption", { class: "hidden" }, title),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Payment", "Event time", other, "Amount", "Label"].map((name) =>
              h("th", { scope: "col" }, name)
            ),
          ),
        ),
        h(
          "tbody",
          {},
          payments.map((payment) =>
            h(
              "tr",
              {},
              h("td", {}, caseLink(payment.transactionId)),
              h("td", {}, payment.datetime),
              h("td", { class: "number" }, String(payment[key])),
              h("td", { class: "number" }, money(payment.amount)),
              h("td", {}, labelMark(payment.fraud, payment.scenario)),
            )
          ),
        ),
      ),
    ),
  );
}

function featuresOf(features) {
  return h(
    "dl",
    { class: "facts" },
    features.map(({ name, value }) =>
      h(
        "div",
        {},
        h("dt", {}, name),
        h("dd", {}, Number.isInteger(value) ? count(value) : value.toFixed(4)),
      )
    ),
  );
}

function verdictForm(id, history) {
  const said = h("p", { class: "note", role: "status" });
  const analyst = h("input", {
    id: "analyst",
    name: "analyst",
    required: true,
    maxlength: "100",
    autocomplete: "name",
    value: keptName(),
  });
  const note = h("textarea", {
    id: "note",
    name: "note",
    rows: "3",
    maxlength: "2000",
    class: "prose",
  });
  const decide = (label) => async () => {
    if (!form.reportValidity()) return;
    setText(said, "Keeping it…");
    try {
      const { verdicts } = await ask(`/api/cases/${id}/verdicts`, {
        label,
        analyst: analyst.value,
        note: note.value,
      });
      keepName(analyst.value);
      note.value = "";
      showHistory(history, verdicts);
      setText(said, label ? "Confirmed as fraud." : "Cleared: no fraud.");
    } catch (error) {
      setText(said, `Not kept: ${error.message}`);
    }
  };
  const form = h(
    "form",
    { onsubmit: (event) => event.preventDefault() },
    h("label", { for: "analyst" }, "Your name"),
    analyst,
    h("label", { for: "note" }, "Note"),
    note,
    h(
      "div",
      { class: "row" },
      h(
        "button",
        { type: "button", class: "danger", onclick: decide(1) },
        "▲ Confirm fraud",
      ),
      h(
        "button",
        { type: "button", class: "quiet", onclick: decide(0) },
        "✓ Clear",
      ),
    ),
    said,
  );
  return form;
}

function showHistory(history, verdicts) {
  history.replaceChildren(
    ...verdicts.length === 0
      ? [h("p", { class: "note" }, "Nobody has decided yet.")]
      : verdicts.map(({ label, analyst, note, decidedAt }) =>
        h(
          "div",
          { class: "verdict" },
          mark(
            label ? "confirmed" : "cleared",
            label ? "confirmed" : "cleared",
          ),
          ` by ${analyst}, ${
            decidedAt.slice(0, 19).replace("T", " ")
          } clock, UTC`,
          note !== "" && h("p", {}, note),
        )
      ),
  );
}

function keptName() {
  try {
    return localStorage.getItem("analyst") ?? "";
  } catch {
    return "";
  }
}

function keepName(name) {
  try {
    localStorage.setItem("analyst", name);
  } catch {
    // It is asked for again.
  }
}
