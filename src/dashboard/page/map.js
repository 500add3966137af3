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
  messageOf,
  money,
  panel,
  percent,
  setText,
  table,
} from "./dom.js";
import { plane, planeLegend, pointOf } from "./plane.js";

/** @import { PastPayment } from "../views/page_view.ts" */
/** @import { MapAnswers, PlaceColumns, PlaceView, Plane } from "../views/map.ts" */

const MAP_MS = 3000;
const RISKIEST = 25;

/**
 * Opens the view; parameters may name a card or a terminal.
 * @param {HTMLElement} root
 * @param {URLSearchParams} parameters
 */
export function openMap(root, parameters) {
  /** @type {Plane | undefined} */
  let places;
  let card = parameters.get("card");
  let terminal = parameters.get("terminal");
  /** @type {MapAnswers["/api/cards/:id"] | undefined} */
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
    const compromised = terminals.compromised?.filter(Boolean).length ?? 0;
    drawing.show(
      {
        terminals,
        cards: withCards.checked ? cards : undefined,
        card: pointOf(found?.card),
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
  /**
   * @param {string} name
   * @param {HTMLInputElement} field
   * @returns {(event: SubmitEvent) => void}
   */
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
        found = await ask("/api/cards/:id", { id: card });
        details.replaceChildren(
          placePanel(
            `Card ${card}`,
            found.card,
            found.payments,
            found.radius === undefined
              ? "its radius is not known"
              : `reaches ${
                count(found.reach.length)
              } terminals within ${found.radius}`,
          ),
        );
      } else if (terminal) {
        const { terminal: place, payments } = await ask(
          "/api/terminals/:id",
          { id: terminal },
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
      setText(said, messageOf(error));
      [card, terminal] = [null, null];
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

/** @param {PlaceColumns} terminals */
function riskRows({ id, risk, payments, compromised }) {
  const order = id.map((_, i) => i)
    .sort((a, b) =>
      risk[b] - risk[a] ||
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
        compromised?.[i]
          ? mark("fraud", "compromised")
          : risk[i] > 0
          ? mark("warn", "risky")
          : mark("genuine", "quiet"),
      ),
    )
  );
}

/**
 * @param {string} title
 * @param {PlaceView} place
 * @param {readonly PastPayment[]} payments
 * @param {string} words
 */
function placePanel(title, place, payments, words) {
  const point = pointOf(place);
  const at = point
    ? `at ${point.x.toFixed(1)}, ${point.y.toFixed(1)}`
    : "place not known";
  return panel(
    title,
    h(
      "p",
      {},
      `${at}; ${words}; ${count(place.frauds)} frauds in ${
        count(place.payments)
      } payments seen.`,
    ),
    table(
      `${title}: newest payments`,
      [["Payment"], ["Event time"], ["Amount"], ["Label"]],
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
      "scroll tall",
    ),
  );
}
