// What worker/node/library.mjs puts before the runtime's own bundle.

declare const nodeLibrary: {
  // Of Node.js's own library, each a function.
  readonly parts: {
    readonly "internal/per_context/primordials": (primordials: object) => void;
    readonly [id: string]: ((...parameters: never[]) => void) | undefined;
  };
  readonly constants: { readonly os: Record<string, unknown>; readonly zlib: Record<string, number> };
  readonly versions: { readonly node: string; readonly v8: string; readonly openssl: string; readonly zlib: string };
};
