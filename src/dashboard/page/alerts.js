/** Placeholder. */
import { heading } from "./dom.js";
export function openAlerts(root) {
  root.append(heading("Alerts"));
}
