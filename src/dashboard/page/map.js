/** The view of the plane: where risk is, what is compromised, what a card reaches. */
import {
  ask,
  caseLink,
  count,
  every,
  h,
  heading,
  labelMark,
  mark,
  money,
  panel,
  percent,
  setText,
  table,
} from "./dom.js";
import { plane, planeLegend } from "./plane.js";

const MAP_MS = 3000;
const RISKIEST = 25;

/** Opens the view; parameters may name a card or a terminal. */
export function openMap(root, parameters) {
  let places;
  let card = parameters.get("card");
  let terminal = parameters.get("terminal");
  let found;
  const drawing = plane(
    "Map of cards and terminals on a plane of 100 by 100",
    (id) => {
      location.hash = `#/map?terminal=${id}`;
    },
  );
  const withCards = h("input", {
    type: "checkbox",
    id: "with-cards",
    class: "check",
  });
  const cardField = h("input", {
    id: "map-card",
    inputmode: "numeric",
    value: card ?? "",
  });
  const terminalField = h("input", {
    id: "map-terminal",
    inputmode: "numeric",
    value: terminal ?? "",
  });
  const said = h("p", { class: "note", role: "status" });
  const riskiest = h("tbody");
  const details = h("div", { class: "column" });
  const show = () => {
    if (!places) return;
    const { terminals, cards } = places;
    const compromised = terminals.compromised.filter(Boolean).length;
    drawing.show(
      {
        terminals,
        cards: withCards.checked ? cards : undefined,
        card: found?.card,
        reach: found?.reach,
        radius: found?.radius,
        focus: terminal ? Number(terminal) : undefined,
      },
      `${count(terminals.id.length)} terminals, ${
        count(compromised)
      } of them compromised`,
    );
    riskiest.replaceChildren(...riskRows(terminals));
  };
  withCards.addEventListener("change", show);
  const search = (name, field) => (event) => {
    event.preventDefault();
    location.hash = field.value.trim() === ""
      ? "#/map"
      : `#/map?${name}=${encodeURIComponent(field.value.trim())}`;
  };
  root.append(
    heading("Map"),
    h(
      "div",
      { class: "aside" },
      h(
        "section",
        { class: "panel" },
        h("h2", {}, "The plane"),
        drawing.element,
        planeLegend(),
        h(
          "div",
          { class: "row" },
          withCards,
          h("label", { for: "with-cards" }, "Show all cards"),
        ),
      ),
      h(
        "div",
        { class: "column" },
        panel(
          "Find",
          h(
            "form",
            { onsubmit: search("card", cardField) },
            h("label", { for: "map-card" }, "Card, and what it reaches"),
            cardField,
            h("button", { type: "submit", class: "quiet" }, "Show card"),
          ),
          h(
            "form",
            { onsubmit: search("terminal", terminalField) },
            h("label", { for: "map-terminal" }, "Terminal"),
            terminalField,
            h("button", { type: "submit", class: "quiet" }, "Show terminal"),
          ),
          said,
        ),
        details,
        panel(
          "Riskiest terminals",
          table("Riskiest terminals", [
            ["Terminal", "number"],
            ["Risk", "number"],
            ["Payments", "number"],
            ["State"],
          ], riskiest),
        ),
      ),
    ),
  );
  const load = async () => {
    try {
      if (card) {
        found = await ask(`/api/cards/${encodeURIComponent(card)}`);
        details.replaceChildren(
          placePanel(
            `Card ${card}`,
            found.card,
            found.payments,
            found.radius === null || found.radius === undefined
              ? "its radius is not known"
              : `reaches ${
                count(found.reach.length)
              } terminals within ${found.radius}`,
          ),
        );
      } else if (terminal) {
        const { terminal: place, payments } = await ask(
          `/api/terminals/${encodeURIComponent(terminal)}`,
        );
        details.replaceChildren(
          placePanel(
            `Terminal ${terminal}`,
            place,
            payments,
            place.compromised
              ? "compromised in the simulation"
              : "not compromised",
          ),
        );
      }
      setText(said, "");
    } catch (error) {
      setText(said, error.message);
      [card, terminal] = [undefined, undefined];
    }
  };
  load().then(show);
  const end = every(MAP_MS, async () => {
    places = await ask("/api/map");
    show();
  });
  return {
    close() {
      end();
      drawing.close();
    },
  };
}

function riskRows({ id, risk, payments, compromised }) {
  const order = id.map((_, i) => i)
    .sort((a, b) =>
      compromised[b] - compromised[a] || risk[b] - risk[a] ||
      payments[b] - payments[a]
    )
    .slice(0, RISKIEST);
  return order.map((i) =>
    h(
      "tr",
      {},
      h(
        "td",
        { class: "number" },
        h("a", { href: `#/map?terminal=${id[i]}` }, String(id[i])),
      ),
      h("td", { class: "number" }, percent(risk[i])),
      h("td", { class: "number" }, count(payments[i])),
      h(
        "td",
        {},
        compromised[i]
          ? mark("fraud", "compromised")
          : risk[i] > 0
          ? mark("warn", "risky")
          : mark("genuine", "quiet"),
      ),
    )
  );
}

function placePanel(title, place, payments, words) {
  const at = place.x === null
    ? "place not known"
    : `at ${place.x.toFixed(1)}, ${place.y.toFixed(1)}`;
  return panel(
    title,
    h(
      "p",
      {},
      `${at}; ${words}; ${count(place.frauds)} frauds in ${
        count(place.payments)
      } payments seen.`,
    ),
    h(
      "div",
      {
        class: "scroll tall",
        tabindex: "0",
        role: "region",
        "aria-label": `${title}: newest payments`,
      },
      h(
        "table",
        {},
        h("caption", { class: "hidden" }, `${title}: newest payments`),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Payment", "Event time", "Amount", "Label"].map((name) =>
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
              h("td", { class: "number" }, money(payment.amount)),
              h("td", {}, labelMark(payment.fraud, payment.scenario)),
            )
          ),
        ),
      ),
    ),
  );
}
