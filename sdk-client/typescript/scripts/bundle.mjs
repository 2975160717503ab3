// Makes dist/stead.js: the whole client as one file that a page can import.

import { build } from "esbuild";

await build({
  entryPoints: ["dist/index.js"],
  outfile: "dist/stead.js",
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  legalComments: "none",
});
