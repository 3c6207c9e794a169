// What the scripts of all pages share: inlined in results.js, and in the labelling page.

export const $ = id => document.getElementById(id);
export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
export const percent = share => `${(100 * share).toFixed(share > 0.9995 ? 0 : 1)} %`;
/** A text to be set into a sentence, whatever direction it is read in. */
export const isolated = text => `\u2068${text}\u2069`;
/** The letter of a key, also on a keyboard whose letters are not Latin; lower case. */
export const letter = event => /^[a-z]$/i.test(event.key) ? event.key.toLowerCase()
  : event.code.replace(/^Key/, "").toLowerCase();
/** Show a confidence by the line under an element. Returns the element. */
export function underline(element, share) {
  element.style.borderBottomColor = `hsl(${Math.round(130 * share ** 2)} 75% var(--shade))`;
  element.style.borderBottomStyle = share < .9 ? "dashed" : "solid";
  return element;
}
