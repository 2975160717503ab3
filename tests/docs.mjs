// Keeps the book honest: every page of the summary exists, every link between pages leads somewhere, every problem
// code of the source has a page, and the commands shown for the README are the ones that exist.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const book = join(root, 'docs/src');
const complaints = [];

function pages(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return pages(path);
    return name.endsWith('.md') ? [path] : [];
  });
}

function rust(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === 'target' ? [] : rust(path);
    return name.endsWith('.rs') ? [path] : [];
  });
}

function checkLinks(page) {
  const text = readFileSync(page, 'utf8').replace(/```[\s\S]*?```/g, '');
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?:|mailto:|#)/.test(target)) continue;
    const path = resolve(dirname(page), target.split('#')[0]);
    if (!existsSync(path)) complaints.push(`${page.slice(root.length + 1)}: link to ${target} leads nowhere`);
  }
}

const everyPage = pages(book);
[...everyPage, join(root, 'README.md'), join(root, 'CONTRIBUTING.md')].forEach(checkLinks);

const summary = readFileSync(join(book, 'SUMMARY.md'), 'utf8');
for (const page of everyPage) {
  const name = page.slice(book.length + 1);
  if (name !== 'SUMMARY.md' && !summary.includes(`(${name})`)) complaints.push(`SUMMARY.md does not list ${name}`);
}

const table = readFileSync(join(root, 'server/wire/src/problem.rs'), 'utf8');
const codes = [...table.matchAll(/^ {4}\w+ = "(\w+)", \d+/gm)].map((m) => m[1]);
if (codes.length < 30) complaints.push(`only ${codes.length} problem codes were found in the source`);
for (const code of codes) {
  if (!existsSync(join(book, 'reference/problems', `${code}.md`))) complaints.push(`problem code ${code} has no page`);
}

// Every test of an attack stands in the table of them, and nothing else does.
const sources = ['server', 'tests/e2e/tests'].flatMap((folder) => rust(join(root, folder)));
const attacks = new Set(sources.flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/fn (at_\d+_\w+)\(/g)].map((m) => m[1])));
const listed = new Set([...readFileSync(join(book, 'internals/security-tests.md'), 'utf8').matchAll(/`(at_\d+_\w+)`/g)].map((m) => m[1]));
if (attacks.size < 60) complaints.push(`only ${attacks.size} tests of attacks were found in the sources`);
for (const name of attacks) if (!listed.has(name)) complaints.push(`security-tests.md does not list ${name}`);
for (const name of listed) if (!attacks.has(name)) complaints.push(`security-tests.md lists ${name}, which is no test`);

complaints.forEach((line) => console.error(line));
console.log(`${everyPage.length} pages, ${codes.length} problem codes, ${complaints.length} complaints`);
process.exit(complaints.length ? 1 : 0);
