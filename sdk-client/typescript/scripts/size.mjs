// Fails when dist/stead.js has grown beyond what a page should have to load.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BYTES_MAX = 15 * 1024;
const bytes = gzipSync(readFileSync("dist/stead.js"), { level: 9 }).length;
console.log(`dist/stead.js: ${bytes} of ${BYTES_MAX} bytes, gzipped`);
if (bytes > BYTES_MAX) {
  console.error(`dist/stead.js is ${bytes - BYTES_MAX} bytes too large`);
  process.exit(1);
}
