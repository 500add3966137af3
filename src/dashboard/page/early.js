/** Before anything is painted: the theme that was chosen, and whether the view that came with the page is the one to be opened. */
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
})();
