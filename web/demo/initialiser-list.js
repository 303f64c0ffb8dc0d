// @ts-check
// The list of the library's initialisers beside a text field.

import { make } from "./dom.js";

/** @typedef {{ name: string, signature: string, example: string, what: string }} Signature */

/** The name of an initialiser, with its framework: what stands before the arguments. @param {string} text */
export function nameOf(text) {
  return text.split("(")[0].trim();
}

/**
 * The text that the choice of an initialiser writes: without arguments where all have defaults.
 * @param {Signature} signature
 */
export function textFor({ signature, example }) {
  const between = signature.slice(signature.indexOf("(") + 1, signature.lastIndexOf(")"));
  // Commas inside a tuple, as in batch_axis=(0,1), separate no arguments.
  const parts = between
    .replace(/\([^)]*\)/g, "()")
    .split(",")
    .filter((part) => part.trim() !== "");
  const optional = parts.every((part) => part.includes("="));
  return optional ? `${nameOf(signature)}()` : example;
}

/**
 * Fills a select element with the initialisers, in groups by framework.
 * @param {HTMLSelectElement} select
 * @param {Signature[]} signatures
 * @param {(signature: Signature) => void} chosen
 */
export function listInitialisers(select, signatures, chosen) {
  const groups = new Map(
    [
      ["PyTorch", "PyTorch"],
      ["jax", "JAX"],
      ["keras", "Keras"],
    ].map(([key, label]) => {
      const group = /** @type {HTMLOptGroupElement} */ (make("optgroup"));
      group.label = label;
      return [key, group];
    }),
  );
  for (const signature of signatures) {
    const name = nameOf(signature.signature);
    const [framework] = name.includes("::") ? name.split("::") : ["PyTorch"];
    const option = /** @type {HTMLOptionElement} */ (make("option", name));
    option.value = name;
    option.title = signature.what;
    (groups.get(framework) ?? groups.get("PyTorch"))?.append(option);
  }
  select.append(...groups.values());
  select.addEventListener("change", () => {
    const signature = signatures.find((one) => nameOf(one.signature) === select.value);
    if (signature) chosen(signature);
  });
}

/**
 * Selects the initialiser of a text in the list.
 * @param {HTMLSelectElement} select
 * @param {string} text
 */
export function selectInitialiser(select, text) {
  const name = nameOf(text);
  const known = [...select.options].some((option) => option.value === name);
  if (known) select.value = name;
  else select.selectedIndex = -1;
}
