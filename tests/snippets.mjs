// Runs what the book shows. A page is one folder: a `yaml` block whose first line is a comment with a path is a file of
// it, `console` blocks are commands run there with the output they must have (a line `…` stands for any lines), and `cel`
// blocks are expressions with the value, or the code of the mistake, they must give.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const stead = process.env.STEAD_BIN ?? join(root, 'target/debug/stead');
const complaints = [];
let ran = 0;

function pages(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return pages(path);
    return name.endsWith('.md') ? [path] : [];
  });
}

function blocks(text) {
  const found = [];
  const fence = /^```(\w*)[^\n]*\n([\s\S]*?)^```/gm;
  for (const match of text.matchAll(fence)) {
    found.push({ language: match[1], body: match[2], line: text.slice(0, match.index).split('\n').length });
  }
  return found;
}

function run(args, folder) {
  const ended = spawnSync(stead, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  return { code: ended.status, out: ended.stdout ?? '', err: ended.stderr ?? '' };
}

/** Words of a command line; single and double quotes as in a shell, nothing else. */
function words(line) {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);
}

/** Whether lines fit a pattern in which `…` alone on a line stands for any lines. */
function fits(lines, pattern) {
  if (pattern.length === 0) return lines.length === 0;
  const [first, ...rest] = pattern;
  if (first.trim() === '…') return lines.some((_, at) => fits(lines.slice(at), rest)) || rest.length === 0;
  return lines.length > 0 && lines[0].trimEnd() === first.trimEnd() && fits(lines.slice(1), rest);
}

const trimmed = (text) => text.replace(/^\n+|\n+$/g, '').split('\n');

function runConsole(body, folder, complain) {
  for (const piece of body.split(/^\$ /m).filter((piece) => piece.trim())) {
    const [command, ...expected] = piece.replace(/\n+$/, '').replace(/ \\\n\s+/g, ' ').split('\n');
    const [program, ...args] = words(command);
    if (program !== 'stead') continue;
    ran += 1;
    const { out, err } = run(args, folder);
    const lines = trimmed(err + out);
    if (!fits(lines, expected)) complain(`\`${command}\` printed:\n${lines.join('\n')}\nand not:\n${expected.join('\n')}`);
  }
}

function runExpressions(body, complain) {
  for (const line of body.split('\n').filter((line) => line.includes('//'))) {
    const at = line.lastIndexOf('//');
    const [source, wanted] = [line.slice(0, at).trim(), line.slice(at + 2).trim()];
    ran += 1;
    const { out } = run(['rules', 'eval', source, '--json'], root);
    const answer = JSON.parse(out);
    const got = answer.errors ? answer.errors[0].code : JSON.stringify(answer.value);
    if (got !== wanted) complain(`\`${source}\` is ${got}, not ${wanted}`);
  }
}

function runPage(page) {
  const folder = mkdtempSync(join(tmpdir(), 'stead-snippets-'));
  symlinkSync(join(root, 'examples'), join(folder, 'examples'));
  for (const { language, body, line } of blocks(readFileSync(page, 'utf8'))) {
    const complain = (text) => complaints.push(`${page.slice(root.length + 1)}:${line}: ${text}`);
    const file = /^# ([\w./-]+\.(?:yaml|jsonl))\n/.exec(body)?.[1];
    if (language === 'yaml' && file) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), body);
    }
    if (language === 'console') runConsole(body, folder, complain);
    if (language === 'cel') runExpressions(body, complain);
  }
  rmSync(folder, { recursive: true });
}

pages(join(root, 'docs/src')).forEach(runPage);
complaints.forEach((text) => console.error(text));
console.log(`${ran} snippets, ${complaints.length} complaints`);
process.exit(complaints.length || ran === 0 ? 1 : 0);
