// Runs what the README tells a newcomer: the first command as it stands there, then the five minutes on a copy of the
// app: change a rule, see the effect, see which tests break, make a mistake.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'stead-readme-'));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const tour = readFileSync(join(root, 'docs/src/start/five-minutes.md'), 'utf8');
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((block) => block[1].trim());
const running = new Set();

/** Starts a command as written; resolves with its address, and what it has said since. */
async function serve(command, data) {
  const env = { ...process.env, STEAD_DATA: join(folder, data), STEAD_LISTEN: '127.0.0.1:0' };
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const said = [];
  const url = await new Promise((found, failed) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        if (line.startsWith('listening on ')) found(line.slice(13).trim());
      });
    }
    child.on('exit', (code) => failed(new Error(`\`${command}\` ended with ${code}:\n${said.join('\n')}`)));
  });
  return { url, said, child };
}

async function until(what, test) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    if (await test()) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`waited in vain until ${what}`);
}

/** Ids of the messages that a caller sees. */
async function messages(url, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${url}/api/v1/collections/messages/records`, { headers });
  return (await answer.json()).items.map((message) => message.id);
}

async function signUp(url, name) {
  const body = JSON.stringify({ email: `${name}@example.test`, password: 'a-long-enough-secret', data: { name } });
  const answer = await fetch(`${url}/api/v1/auth/sign-up`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  return (await answer.json()).access_token;
}

async function firstCommand() {
  assert.equal(commands[0], 'cargo run -- serve examples/team-chat');
  assert.equal(commands[1], 'bash tests/run.sh');
  const { url, child } = await serve(commands[0], 'first');
  const page = await fetch(url);
  assert.match(await page.text(), /<title>Team chat<\/title>/);
  assert.deepEqual(await messages(url), ['hello-bob', 'welcome'].sort());
  child.kill('SIGTERM');
  await new Promise((ended) => child.on('exit', ended));
}

async function fiveMinutes() {
  const app = join(folder, 'team-chat');
  cpSync(join(root, 'examples/team-chat'), app, { recursive: true });
  const schema = join(app, 'schema/chat.yaml');
  const { url, said } = await serve(`cargo run -- dev ${app}`, 'dev');
  const eve = await signUp(url, 'eve');
  assert.equal((await messages(url, eve)).length, 2);

  const before = '      read: resource.room.kind == "public" || is_member(resource.room)';
  const after = '      read: is_member(resource.room)';
  for (const text of [before, after]) assert.ok(tour.includes(text.trim()) && readme.includes(text.trim().replace('read: ', '')), text);
  const whole = readFileSync(schema, 'utf8');
  assert.equal(whole.split(before).length, 2, 'the rule stands there once');
  writeFileSync(schema, whole.replace(before, after));
  await until('the lobby is empty for who did not join', async () => (await messages(url, eve)).length === 0);

  const report = spawnSync('cargo', ['run', '-q', '--', 'test', app], { cwd: root, encoding: 'utf8' });
  assert.notEqual(report.status, 0);
  assert.match(report.stdout + report.stderr, /guest/);

  writeFileSync(schema, whole.replace(before, before.replace('is_member', 'is_membr')));
  await until('the mistake is told', () => said.some((line) => line.includes('is_membr')) && said.some((line) => /is_member`/.test(line)));
  assert.equal((await messages(url, eve)).length, 0, 'the last good rules stay');
  writeFileSync(schema, whole);
  await until('the rules are back', async () => (await messages(url, eve)).length === 2);
}

try {
  await firstCommand();
  await fiveMinutes();
  console.log('README: 2 passed, 0 failed');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const child of running) {
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
  }
  rmSync(folder, { recursive: true, force: true });
}
