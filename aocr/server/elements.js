// What the scripts of all pages share: inlined in results.js, and in the labelling page.

export const $ = id => document.getElementById(id);
export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
export const colour = share => `hsl(${Math.round(130 * share ** 2)} 75% var(--shade))`;
