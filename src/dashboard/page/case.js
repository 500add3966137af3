/** Placeholder. */
import { heading } from "./dom.js";
export function openCase(root) {
  root.append(heading("Case"));
}
