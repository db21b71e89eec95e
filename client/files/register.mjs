// node --import glovebox/register: packages that import `cloudflare:workers` load in Node.js.
import * as nodeModule from "node:module";

const shim = new URL("./workers.mjs", import.meta.url).href;

if (nodeModule.registerHooks !== undefined) {
  nodeModule.registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "cloudflare:workers" ? { url: shim, format: "module", shortCircuit: true } : next(specifier, context),
  });
} else {
  // Node.js 20: `import` through the loader's thread, `require` through its resolver.
  nodeModule.register(new URL("./register-hooks.mjs", import.meta.url));
}
const Module = nodeModule.default;
const resolveFilename = Module._resolveFilename;
const file = nodeModule.createRequire(import.meta.url).resolve("./glovebox.cjs");
Module._resolveFilename = function (specifier, ...rest) {
  return specifier === "cloudflare:workers" ? file : resolveFilename.call(this, specifier, ...rest);
};
