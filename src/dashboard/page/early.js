/**
 * In the page itself, before anything is painted: the theme that was chosen,
 * and whether the view that came with the page is the one to be opened. Then
 * the scripts are loaded once that has been painted, since they would keep the
 * browser busy before.
 */
(() => {
  const root = document.documentElement;
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // A browser that keeps nothing.
  }
  root.dataset.theme = theme === "light" || theme === "dark" ? theme : "system";
  const isFirst = ["", "#/", "#/now"].includes(location.hash);
  root.classList.toggle("elsewhere", !isFirst);

  const load = () => {
    const scripts = document.getElementById("scripts");
    if (!(scripts instanceof HTMLTemplateElement)) return;
    scripts.remove();
    document.head.append(document.importNode(scripts.content, true));
  };
  const PAINT_MS_MAX = 500;
  document.addEventListener("DOMContentLoaded", () => {
    if (!isFirst) return load();
    requestAnimationFrame(() => setTimeout(load));
    setTimeout(load, PAINT_MS_MAX); // a page in the background is not painted
  });
})();
