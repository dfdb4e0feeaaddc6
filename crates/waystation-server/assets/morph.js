// Makes one piece of a page like another by changing only what differs: focus, selection, scroll,
// what is open and what is written in fields stay.

/** Makes `from` like `to`. Elements with `data-keep` stay as they are. */
export function morph(from, to) {
  if (from.hasAttribute("data-keep")) return;
  attributes(from, to);
  children(from, to);
}

function attributes(from, to) {
  for (const { name, value } of [...to.attributes]) {
    if (isOwn(from, name)) continue;
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !isOwn(from, name)) from.removeAttribute(name);
  }
}

/** Whether a reader of the page decides about it, once it is there. */
function isOwn(element, name) {
  return (
    (name === "open" && (element.localName === "details" || element.localName === "dialog")) ||
    (name === "value" && element === document.activeElement) ||
    name === "disabled"
  );
}

function children(from, to) {
  const known = new Map();
  for (const child of from.children) if (child.id) known.set(child.id, child);
  let place = from.firstChild;
  for (const next of [...to.childNodes]) {
    const match = next.id ? known.get(next.id) : isLike(place, next) ? place : null;
    if (!match) {
      from.insertBefore(document.importNode(next, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else from.insertBefore(match, place);
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, next);
    else if (match.data !== next.data) match.data = next.data;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function isLike(node, next) {
  return node && !node.id && node.nodeType === next.nodeType && node.nodeName === next.nodeName;
}
