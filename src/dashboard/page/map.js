/** The view of the plane: where risk is, what a card reaches and, with the simulation's truth, what is compromised. */
import {
  ask,
  caseLink,
  count,
  countOf,
  every,
  h,
  heading,
  idColumn,
  idText,
  labelMark,
  mark,
  messageOf,
  money,
  outcomeMark,
  panel,
  percent,
  setText,
  shownShape,
  table,
} from "./dom.js";
import { plane, planeLegend, pointOf, RISKY } from "./plane.js";

/** @import { PastPayment } from "../views/page_view.ts" */
/** @import { MapAnswers, PlaceView, Plane } from "../views/map.ts" */

const MAP_MS = 3000;

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
      location.hash = `#/map?terminal=${encodeURIComponent(id)}`;
    },
  );
  const withCards = h("input", {
    type: "checkbox",
    id: "with-cards",
    class: "check",
  });
  const cardField = h("input", {
    id: "map-card",
    inputmode: inputOf("card"),
    value: card ?? "",
  });
  const terminalField = h("input", {
    id: "map-terminal",
    inputmode: inputOf("terminal"),
    value: terminal ?? "",
  });
  const said = h("p", { class: "note", role: "status" }, "Loading…");
  const empty = h(
    "p",
    { class: "note", hidden: true },
    "No place is known, so there is no map. Cards and terminals have places only where their profiles say so.",
  );
  const risks = h("tbody");
  const onPlane = h(
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
  );
  const show = () => {
    if (!places) return;
    const { terminals, cards, riskiest } = places;
    const risky = terminals.risk.filter((risk) => risk >= RISKY).length;
    const compromised = terminals.compromised?.filter(Boolean).length;
    drawing.show(
      {
        terminals,
        cards: withCards.checked ? cards : undefined,
        card: pointOf(found?.card),
        reach: found?.reach,
        radius: found?.radius,
        focus: terminal ?? undefined,
      },
      `${countOf(terminals.id.length, "terminal")}, ${
        count(risky)
      } with a risk of ${RISKY * 100} % or more` +
        (compromised === undefined
          ? ""
          : `, ${count(compromised)} compromised in the simulation`),
    );
    const hasPlaces = terminals.id.length > 0 || cards.id.length > 0;
    empty.hidden = hasPlaces;
    onPlane.hidden = !hasPlaces;
    risks.replaceChildren(...riskiest.map(riskRow));
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
  const find = panel(
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
  );
  root.append(
    heading("Map"),
    empty,
    h(
      "div",
      { class: "aside" },
      onPlane,
      h(
        "div",
        { class: "column" },
        find,
        panel(
          "Riskiest terminals",
          table("Riskiest terminals", [
            ["Terminal", idColumn("terminal")],
            ["Risk", "number"],
            ["Payments", "number"],
            ["State"],
          ], risks),
          h(
            "p",
            { class: "note" },
            "Risk is the share of known frauds in the longest window, as the newest payment at the terminal has it.",
          ),
        ),
      ),
    ),
  );
  const load = async () => {
    try {
      if (card) {
        found = await ask("/api/cards/:id", { id: card });
        find.after(
          placePanel(
            `Card ${card}`,
            found.card,
            found.payments,
            found.radius === undefined
              ? shownShape().isOwn ? "" : "Its radius is not known."
              : `It reaches ${
                countOf(found.reach.length, "terminal")
              } within a radius of ${found.radius}.`,
          ),
        );
      } else if (terminal) {
        const { terminal: place, payments } = await ask(
          "/api/terminals/:id",
          { id: terminal },
        );
        find.after(
          placePanel(
            `Terminal ${terminal}`,
            place,
            payments,
            place.compromised === undefined
              ? ""
              : place.compromised
              ? "Compromised in the simulation."
              : "Not compromised in the simulation.",
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

/** The keyboard of a field for ids. @param {"card" | "terminal"} of */
const inputOf = (of) =>
  shownShape().ids[of] === "number" ? "numeric" : undefined;

/** @param {PlaceView} terminal */
function riskRow({ id, risk, payments, compromised }) {
  return h(
    "tr",
    {},
    h(
      "td",
      { class: idColumn("terminal") },
      h(
        "a",
        {
          href: `#/map?terminal=${encodeURIComponent(id)}`,
          "aria-label": `Terminal ${id}`,
        },
        idText(id),
      ),
    ),
    h("td", { class: "number" }, percent(risk)),
    h("td", { class: "number" }, count(payments)),
    h(
      "td",
      {},
      compromised
        ? mark("fraud", "compromised")
        : risk >= RISKY
        ? mark("warn", "risky")
        : risk > 0
        ? mark("unknown", "low risk")
        : mark("genuine", "no known fraud"),
    ),
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
    ? `At ${point.x.toFixed(1)}, ${point.y.toFixed(1)}.`
    : shownShape().isOwn
    ? ""
    : "Its place is not known.";
  return panel(
    title,
    h(
      "p",
      {},
      `${at} ${words} It has had ${
        countOf(place.payments, "payment")
      } so far, with ${countOf(place.frauds, "known fraud")}.`,
    ),
    table(
      `${title}: newest payments`,
      [["Payment"], ["Event time"], ["Amount", "number"], ["Label"]],
      h(
        "tbody",
        {},
        payments.map((payment) =>
          h(
            "tr",
            {},
            h("td", {}, caseLink(payment.transactionId)),
            h("td", {}, payment.datetime.slice(0, 16)),
            h("td", { class: "number" }, money(payment.amount)),
            h(
              "td",
              {},
              shownShape().labels === "stream"
                ? outcomeMark(payment)
                : labelMark(payment.fraud, payment.scenario),
            ),
          )
        ),
      ),
      "scroll tall",
    ),
  );
}
