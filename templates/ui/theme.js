// Runs before the page is drawn, so that it never shows in the wrong colours.
"use strict";
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* a browser that stores nothing has the system's theme */ }
