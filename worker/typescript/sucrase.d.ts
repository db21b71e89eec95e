// What is used of sucrase's parser. The package publishes types for its CommonJS files only.
declare module "sucrase/dist/esm/parser/index.js" {
  export interface Token {
    readonly type: number;
    readonly start: number;
    readonly end: number;
    readonly isType: boolean;
  }
  export function parse(input: string, jsx: boolean, typescript: boolean, flow: boolean): { tokens: Token[] };
}
declare module "sucrase/dist/esm/parser/tokenizer/types.js" {
  export const TokenType: Readonly<Record<"string" | "name" | "at" | "eof" | "braceL" | "braceR" | "parenL" | "parenR" | "comma" | "dot" | "eq" | "star" | "semi" | "_import" | "_export", number>>;
}
