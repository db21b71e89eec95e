// What is wrong with a project, as data: the caller makes words and errors of it.

export interface Message {
  text: string;
  // Of the project, or of a package below node_modules/. Empty: the place is not known.
  file: string;
  // From 1; 0: not known. Columns count UTF-16 units, as JavaScript's strings do.
  line: number;
  column: number;
  lineText: string;
}

export class Problem extends Error {
  readonly messages: Message[];
  constructor(...messages: Message[]) {
    super(messages[0]?.text);
    this.messages = messages;
  }
}

export function problem(text: string, file = ""): Problem { return new Problem({ text, file, line: 0, column: 0, lineText: "" }); }

// The place of an offset in a text.
export function placed(text: string, file: string, source: string, offset: number): Problem {
  const before = source.slice(0, offset).split("\n");
  const lineText = source.split("\n", before.length).at(-1)!.replace(/\r$/, "");
  return new Problem({ text, file, line: before.length, column: before.at(-1)!.length + 1, lineText: lineText.length > LINE_SHOWN_MAX ? "" : lineText });
}

export const LINE_SHOWN_MAX = 160;
