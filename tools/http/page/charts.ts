// Small pictures, and what is read off histograms.

import type { Histogram } from "./status.ts";

const SVG = "http://www.w3.org/2000/svg";

function svg(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

const WIDTH = 120, HEIGHT = 28;

// A line of the last values, the highest at the top; the figure itself stands beside it.
export class Sparkline {
  readonly #line = svg("polyline", { class: "line" });
  readonly #area = svg("polygon", { class: "area" });
  readonly element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "spark", "aria-hidden": "true" });

  constructor() {
    this.element.append(this.#area, this.#line);
  }

  // `room`: how many values make the whole width.
  show(values: number[], room: number): void {
    const top = Math.max(...values, 0) || 1;
    const x = (i: number) => WIDTH - (values.length - 1 - i) * WIDTH / (room - 1);
    const points = values.map((value, i) => `${x(i).toFixed(1)},${(HEIGHT - 2 - Math.max(value, 0) / top * (HEIGHT - 4)).toFixed(1)}`);
    this.#line.setAttribute("points", points.join(" "));
    this.#area.setAttribute("points", points.length === 0 ? "" : `${x(0).toFixed(1)},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`);
  }
}

// Shares of a whole, side by side. `classes`: one for each.
export class Shares {
  readonly element = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", class: "shares", "aria-hidden": "true" });
  readonly #parts: SVGElement[];

  constructor(classes: string[]) {
    this.#parts = classes.map((name) => svg("rect", { class: name, y: 0, height: 1 }));
    this.element.append(...this.#parts);
  }

  show(values: number[]): void {
    const all = values.reduce((sum, value) => sum + value, 0);
    let x = 0;
    values.forEach((value, i) => {
      const width = all === 0 ? 0 : value / all * 100;
      this.#parts[i]!.setAttribute("x", x.toFixed(3));
      this.#parts[i]!.setAttribute("width", width.toFixed(3));
      x += width;
    });
  }
}

// What happened between two looks.
export function since(now: Histogram, before: Histogram | undefined): Histogram {
  if (before === undefined) return now;
  return { bounds: now.bounds, counts: now.counts.map((value, i) => value - (before.counts[i] ?? 0)), sum: now.sum - before.sum };
}

export const total = (histogram: Histogram): number => histogram.counts.reduce((sum, value) => sum + value, 0);

// Seconds below which that share of all was; within a class as if they lay evenly, as Prometheus' histogram_quantile does. NaN of nothing.
export function quantile(histogram: Histogram, share: number): number {
  const wanted = total(histogram) * share;
  if (wanted === 0) return NaN;
  let below = 0;
  for (let i = 0; i < histogram.bounds.length; i++) {
    const here = histogram.counts[i]!;
    if (below + here >= wanted) {
      const from = i === 0 ? 0 : histogram.bounds[i - 1]!;
      return from + (histogram.bounds[i]! - from) * (wanted - below) / here;
    }
    below += here;
  }
  return histogram.bounds.at(-1)!;
}
