// @ts-check
// Shorthands for the document.

/**
 * The element with an id. The page's own HTML decides about the element's type.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element #${id}`);
  return element;
}

/**
 * Sets the text of an element, if the text is another one: a live region announces each change.
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element with a text.
 * @param {string} tag
 * @param {string} [text]
 * @param {string} [className]
 */
export function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

/**
 * A table: a row of headings, then rows of cells. The first cell of a row is the row's heading.
 * @param {string[]} headings
 * @param {(string | HTMLElement)[][]} rows
 */
export function table(headings, rows) {
  const element = make("table");
  const head = element.appendChild(make("thead")).appendChild(make("tr"));
  for (const heading of headings) {
    const cell = make("th", heading);
    cell.setAttribute("scope", "col");
    head.append(cell);
  }
  const body = element.appendChild(make("tbody"));
  for (const row of rows) {
    const line = body.appendChild(make("tr"));
    row.forEach((content, index) => {
      const cell = make(index === 0 ? "th" : "td");
      if (index === 0) cell.setAttribute("scope", "row");
      cell.append(content);
      line.append(cell);
    });
  }
  return element;
}

/** The text of an error, whatever was thrown. @param {unknown} error */
export function textOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Waits until the browser has had time to draw. */
export function breathe() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
