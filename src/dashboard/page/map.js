/** Placeholder. */
import { heading } from "./dom.js";
export function openMap(root) {
  root.append(heading("Map"));
}
