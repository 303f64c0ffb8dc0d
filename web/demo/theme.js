// @ts-check
// The light and the dark theme: the system's, until the visitor chooses.

import { byId } from "./dom.js";

const STORED = "seedbed-theme";
const darkSystem = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : darkSystem.matches;
}

/**
 * Connects the switch, and calls `changed` after each change of the theme.
 * @param {() => void} changed
 */
export function startTheme(changed) {
  const choice = byId("theme");
  choice.value = stored();
  apply(choice.value);
  choice.addEventListener("change", () => {
    apply(choice.value);
    store(choice.value);
    changed();
  });
  darkSystem.addEventListener("change", changed);
}

/** @param {string} theme */
function apply(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

// A browser may forbid storage. The switch then works until the page is left.
function stored() {
  try {
    const theme = localStorage.getItem(STORED);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
}

/** @param {string} theme */
function store(theme) {
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // Nothing is lost but the memory of the choice.
  }
}
