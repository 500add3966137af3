/** Before anything is painted: the theme that was chosen, and whether the view that came with the page is the one to be opened. */
(() => {
  const root = document.documentElement;
  try {
    root.dataset.theme = localStorage.getItem("theme") ?? "system";
  } catch {
    root.dataset.theme = "system"; // a browser that keeps nothing
  }
  const isFirst = ["", "#/", "#/now"].includes(location.hash);
  root.classList.toggle("elsewhere", !isFirst);
})();
