// See index.mjs.
import glovebox from "./glovebox.cjs";
export const { BundleError, Bundler, createBundler, createWorker } = glovebox;
