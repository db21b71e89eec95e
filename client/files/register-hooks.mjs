// For register.mjs on Node.js 20, where module hooks run in a thread of their own.
const shim = new URL("./workers.mjs", import.meta.url).href;

export async function resolve(specifier, context, next) {
  return specifier === "cloudflare:workers" ? { url: shim, format: "module", shortCircuit: true } : next(specifier, context);
}
