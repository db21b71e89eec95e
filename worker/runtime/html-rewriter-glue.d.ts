// What worker/web/html-rewriter.mjs makes of the package html-rewriter-wasm: its classes, over a WebAssembly instance of their own.

declare module "html-rewriter-wasm/glue" {
  export function makeRewriter(wasmModule: object, instance: new (module: object, imports: object) => object, taken: object): {
    HTMLRewriter: new (sink: (chunk: Uint8Array<ArrayBuffer>) => void) => RawRewriter;
  };

  export interface RawRewriter {
    on(selector: string, handlers: object): void;
    onDocument(handlers: object): void;
    write(chunk: Uint8Array): Promise<void>;
    end(): Promise<void>;
    free(): void;
  }
}
