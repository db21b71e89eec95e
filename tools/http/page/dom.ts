// How anything gets into the document: elements of ours with classes of ours, and texts, which may be an attacker's, as text nodes only.
// The address's Content-Security-Policy has browsers refuse the ways by which a text could become markup (require-trusted-types-for).

export type Child = Node | string;

export function element<Name extends keyof HTMLElementTagNameMap>(name: Name, className = "", ...children: Child[]): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

export const byId = (id: string): HTMLElement => document.getElementById(id)!;

// Controls, formats (those that change the direction of text, those of no width, tags), separators, spaces other than the usual one, and
// letters that look like nothing. A lone surrogate never comes this far, but costs nothing here.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u1680\u17b4\u17b5\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]/gu;
const LAYOUT = new Set(["\n", "\t"]);

// `text` in pieces: what does not show is named in its place. With `lines`, new lines and tabs are what they are.
function* pieces(text: string, lines: boolean): Generator<Child> {
  let from = 0;
  for (const { 0: unseen, index } of text.matchAll(UNSEEN)) {
    if (lines && LAYOUT.has(unseen)) continue;
    if (index > from) yield text.slice(from, index);
    yield element("span", "mark", `U+${unseen.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
    from = index + unseen.length;
  }
  if (from < text.length) yield text.slice(from);
}

// What a worker or a stranger wrote. <bdi>: letters that run the other way stay among themselves.
export const foreign = (text: string): HTMLElement => element("bdi", "foreign", ...pieces(text, false));
export const foreignLines = (text: string): HTMLElement => element("bdi", "foreign lines", ...pieces(text, true));

// Makes the text of `node` this, and touches nothing if it is: what is selected stays so, and nothing is read out again.
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

// A table that is filled again and again. Rows are known by a key and cells only change when their content does, so that focus and
// selection stay where they are. Below the width of a telephone's screen some columns go.
export interface Column<Row> {
  title: string;
  kind?: "number" | "rest";   // "rest": takes the room that is left
  spare?: boolean;            // goes where there is little room
  // What is shown, as a text by which it is known when that changes; and how.
  text: (row: Row) => string;
  show?: (row: Row, text: string) => Child;
}

export class Table<Row> {
  readonly #columns: Column<Row>[];
  readonly #key: (row: Row) => number | string;
  readonly #isChosen: (row: Row) => boolean;
  readonly #body = element("tbody");
  readonly #rows = new Map<number | string, { element: HTMLTableRowElement; texts: string[] }>();
  readonly element: HTMLElement;

  constructor(caption: string, columns: Column<Row>[], key: (row: Row) => number | string, isChosen: (row: Row) => boolean = () => false) {
    this.#columns = columns;
    this.#key = key;
    this.#isChosen = isChosen;
    const heads = columns.map((column) => {
      const head = element("th", classOf(column), column.title);
      head.scope = "col";
      return head;
    });
    this.element = element("table", "", element("caption", "unseen", caption), element("thead", "", element("tr", "", ...heads)), this.#body);
  }

  fill(rows: Row[]): void {
    const gone = new Set(this.#rows.keys());
    let after: Element | null = null;
    for (const row of rows) {
      const key = this.#key(row);
      gone.delete(key);
      const known = this.#rows.get(key) ?? this.#add(key);
      known.element.classList.toggle("chosen", this.#isChosen(row));
      this.#columns.forEach((column, i) => {
        const text = column.text(row);
        if (known.texts[i] === text) return;
        known.texts[i] = text;
        known.element.cells[i]!.replaceChildren(column.show?.(row, text) ?? text);
      });
      const before: Element | null = after === null ? this.#body.firstElementChild : after.nextElementSibling;
      if (before !== known.element) this.#body.insertBefore(known.element, before);
      after = known.element;
    }
    for (const key of gone) {
      this.#rows.get(key)!.element.remove();
      this.#rows.delete(key);
    }
  }

  #add(key: number | string): { element: HTMLTableRowElement; texts: string[] } {
    const made = { element: element("tr", "", ...this.#columns.map((column) => element("td", classOf(column)))), texts: [] };
    this.#rows.set(key, made);
    return made;
  }
}

const classOf = (column: { kind?: string; spare?: boolean }): string => [column.kind ?? "", column.spare ? "spare" : ""].join(" ").trim();

// Puts one of them into its place, if it is not there.
export function place(parent: Element, child: Element): void {
  if (parent.firstElementChild !== child || parent.childElementCount !== 1) parent.replaceChildren(child);
}
