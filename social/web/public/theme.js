// Before the first paint, so that a page in the chosen theme never flashes in the other one. Kept by settings/.
(() => {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
