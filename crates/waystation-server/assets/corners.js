// Four corners to drag over a picture. They stand in a field as JSON, in pixels of the picture; who
// writes into the field moves them, too.

const NAMES = ["first", "second", "third", "fourth"];
const RADIUS = 11;
const INSET = 0.12;
const SVG = "http://www.w3.org/2000/svg";

class Corners {
  #picture;
  #field;
  #points;
  #drawing = make("svg", { class: "handles" });
  #outline = make("polygon", { class: "outline" });
  #handles;

  constructor(picture, field) {
    this.#picture = picture;
    this.#field = field;
    const { naturalWidth: width, naturalHeight: height } = picture;
    this.#points = read(field.value) ?? inset(width, height);
    this.#drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#handles = NAMES.map((name, index) => this.#handle(name, index));
    this.#drawing.append(this.#outline, ...this.#handles);
    picture.after(this.#drawing);
    field.addEventListener("input", () => {
      this.#points = read(field.value) ?? this.#points;
      this.#draw();
    });
    new ResizeObserver(() => this.#draw()).observe(picture);
    this.#draw();
  }

  #handle(name, index) {
    const handle = make("circle", {
      class: "handle",
      tabindex: "0",
      role: "slider",
      "aria-label": `${name} corner`,
      "data-corner": String(index),
    });
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus();
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.#move(index, this.#place(event));
    });
    handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const steps = {
        ArrowLeft: [-step, 0],
        ArrowRight: [step, 0],
        ArrowUp: [0, -step],
        ArrowDown: [0, step],
      };
      const by = steps[event.key];
      if (!by) return;
      event.preventDefault();
      const [x, y] = this.#points[index];
      this.#move(index, [x + by[0], y + by[1]]);
    });
    return handle;
  }

  /** Where a pointer is, in pixels of the picture. */
  #place(event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = point.matrixTransform(this.#drawing.getScreenCTM().inverse());
    return [x, y];
  }

  #move(index, [x, y]) {
    const { naturalWidth: width, naturalHeight: height } = this.#picture;
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    this.#points[index] = [within(x, width - 1), within(y, height - 1)];
    this.#field.value = JSON.stringify(this.#points);
    this.#draw();
  }

  #draw() {
    const scale = this.#picture.naturalWidth / Math.max(this.#picture.clientWidth, 1);
    this.#outline.setAttribute("points", around(this.#points).join(" "));
    for (const [index, handle] of this.#handles.entries()) {
      const [x, y] = this.#points[index];
      handle.setAttribute("cx", x);
      handle.setAttribute("cy", y);
      handle.setAttribute("r", RADIUS * scale);
      handle.setAttribute("aria-valuetext", `${Math.round(x)}, ${Math.round(y)}`);
    }
  }
}

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Four points out of a field's text, if they stand there. */
function read(text) {
  try {
    const points = JSON.parse(text);
    const isPoint = (point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite);
    return Array.isArray(points) && points.length === 4 && points.every(isPoint) ? points : null;
  } catch {
    return null;
  }
}

function inset(width, height) {
  const [left, top, right, bottom] = [INSET, INSET, 1 - INSET, 1 - INSET];
  const parts = [[left, top], [right, top], [right, bottom], [left, bottom]];
  return parts.map(([x, y]) => [Math.round(x * width), Math.round(y * height)]);
}

/** The points in an order in which their outline does not cross itself. */
function around(points) {
  const middle = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [middle(0), middle(1)];
  const angle = (point) => Math.atan2(point[1] - y, point[0] - x);
  return points.toSorted((one, other) => angle(one) - angle(other));
}

for (const place of document.querySelectorAll("[data-corners]")) {
  const picture = place.querySelector("img");
  const field = document.querySelector("[data-corners-field]");
  const begin = () => picture.naturalWidth && field && new Corners(picture, field);
  if (picture.complete) begin();
  else picture.addEventListener("load", begin, { once: true });
}
