// The sign-in page, as people meet it: an account by mail, a link, a forgotten password, devices, in light, dark and narrow.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const shots = join(root, 'tests/browser/shots');
mkdirSync(shots, { recursive: true });

const work = mkdtempSync(join(tmpdir(), 'stead-sign-in-'));
const [app, mails] = [join(work, 'app'), join(work, 'mails')];
mkdirSync(join(app, 'schema'), { recursive: true });
mkdirSync(mails);
const port = await new Promise((found) => {
  const any = createServer().listen(0, '127.0.0.1', () => {
    const { port } = any.address();
    any.close(() => found(port));
  });
});
// As its links call it.
const url = `http://localhost:${port}`;
writeFileSync(join(app, 'schema/app.yaml'), `name: Allotment club
public_url: ${url}
auth:
  verify_email: true
  methods: [password, magic_link, otp, passkey, anonymous]
  delete_after_days: 7
  providers: {acme: {issuer: 'https://id.acme.example', client_id: club, label: Acme}}
`);
writeFileSync(
  join(app, 'schema/users.yaml'),
  'collections:\n  users:\n    kind: auth\n    fields:\n      plot: {type: text, max: 20}\n    rules:\n      read: resource.id == auth.id\n',
);
const server = spawn(
  process.env.STEAD_BIN ?? join(root, 'target/debug/stead'),
  ['serve', app, '--listen', `127.0.0.1:${port}`, '--data', join(work, 'data'), '--mail', `file:${mails}`, '--mail-from', 'Club <club@example.test>'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
await new Promise((found, failed) => {
  createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found());
  server.on('exit', (code) => failed(new Error(`the server ended with ${code}`)));
});
const browser = await launch();

const complaints = [];
async function window(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 760 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('pageerror', (error) => complaints.push(`${name}: ${error}`));
  page.on('console', (message) => {
    // Refusals and a cut line are part of the journey; the browser reports each on the console.
    if (message.type() === 'error' && !/status of 4\d\d|ERR_INTERNET_DISCONNECTED/.test(message.text())) complaints.push(`${name}: ${message.text()}`);
  });
  return page;
}

const read = new Set();
/** The next letter: its link and its code. */
async function letter() {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((go) => setTimeout(go, 30))) {
    const name = readdirSync(mails).find((file) => file.endsWith('.eml') && !read.has(file));
    if (!name) continue;
    read.add(name);
    const text = readFileSync(join(mails, name), 'utf8').replaceAll('\r\n', '\n').replaceAll('=\n', '').replaceAll('=3D', '=');
    return { link: /https?:\/\/\S+#[a-z_]+=[\w-]+/.exec(text)?.[0], code: /\b\d{6}\b/.exec(text)?.[0] };
  }
  throw new Error('no letter came');
}

const shot = (page, name) => page.screenshot({ path: join(shots, `sign-in-${name}.png`) });
const heading = (page, text) => page.waitForSelector(`h1:text-is("${text}")`);
const fill = (page, name, value) => page.fill(`input[name="${name}"]`, value);
const go = (page, text) => page.click(`button:text-is("${text}")`);

/** An authenticator app (RFC 6238): each code is good once, so those of the step before, of now and of the next have their turn. */
function authenticator(secret) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const seed = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  let last = 0;
  return async () => {
    for (;;) {
      const now = Math.floor(Date.now() / 30_000);
      const step = Math.max(last + 1, now - 1);
      if (step <= now + 1) {
        last = step;
        const counter = Buffer.alloc(8);
        counter.writeBigUInt64BE(BigInt(step));
        const mac = createHmac('sha1', seed).update(counter).digest();
        return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
      }
      await new Promise((later) => setTimeout(later, 200));
    }
  };
}

async function journey() {
  const ana = await window('Ana');
  await ana.goto(`${url}/auth/ui`);
  await heading(ana, 'Sign in to Allotment club');
  await shot(ana, 'light');

  // An account begins with the code of a mail; what the app wants to know is asked for where it is missed.
  await go(ana, 'New here? Make an account');
  await fill(ana, 'email', 'ana@example.test');
  await fill(ana, 'password', 'short');
  await ana.press('input[name=password]', 'Enter');
  assert.equal(await ana.locator('h1').textContent(), 'Make an account', 'the browser itself says that it is too short');
  await fill(ana, 'password', 'plenty of marigolds');
  await go(ana, 'Make an account');
  await fill(ana, 'data.plot', '12b');
  await shot(ana, 'sign-up');
  await go(ana, 'Make an account');
  await heading(ana, 'Confirm your e-mail address');
  const first = await letter();
  await fill(ana, 'code', first.code === '000000' ? '000001' : '000000');
  await go(ana, 'Continue');
  await ana.waitForSelector('[role=alert]:has-text("not valid any more")');
  await shot(ana, 'wrong-code');
  await fill(ana, 'code', first.code);
  await go(ana, 'Continue');
  await heading(ana, 'Allotment club');
  await ana.waitForSelector('text=ana@example.test');
  await shot(ana, 'account');

  // A link signs in on another device, after somebody has said so; it is gone from the address bar.
  const phone = await window('phone', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
  await phone.goto(`${url}/auth/ui`);
  await shot(phone, 'dark-360');
  await go(phone, 'E-mail me a link');
  await fill(phone, 'email', 'ana@example.test');
  await go(phone, 'Send');
  await heading(phone, 'Check your mail');
  const { link } = await letter();
  assert.ok(link.startsWith(`${url}/auth/ui#sign_in=`), link);
  await phone.goto('about:blank');
  await phone.goto(link);
  await heading(phone, 'Sign in');
  assert.equal(new URL(phone.url()).hash, '');
  await go(phone, 'Continue');
  await heading(phone, 'Allotment club');
  await shot(phone, 'account-dark-360');
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(wide, 360, 'nothing is wider than the screen');
  await phone.goto('about:blank');
  await phone.goto(link);
  await go(phone, 'Continue');
  await phone.waitForSelector('[role=alert]:has-text("not valid any more")');

  // One device ends another.
  await ana.reload();
  await ana.waitForSelector('button:text-is("End")');
  await ana.context().setOffline(true);
  await go(ana, 'End');
  await ana.waitForSelector('[role=alert]:has-text("cannot be reached")');
  await shot(ana, 'away');
  await ana.context().setOffline(false);
  await go(ana, 'End');
  await ana.waitForSelector('h2:text-is("Signed in on") + ul li:only-child');
  await phone.goto(`${url}/auth/ui`);
  await heading(phone, 'Sign in to Allotment club');

  // A forgotten password: everybody is out, the new one is in.
  await go(phone, 'Forgot the password?');
  await fill(phone, 'email', 'ana@example.test');
  await go(phone, 'Send');
  await heading(phone, 'Choose a new password');
  const forgotten = await letter();
  await phone.goto('about:blank');
  await phone.goto(forgotten.link);
  await heading(phone, 'Choose a new password');
  await shot(phone, 'reset-dark-360');
  await fill(phone, 'new_password', 'plenty of nasturtiums');
  await go(phone, 'Set the password');
  await phone.waitForSelector('text=The password is set.');
  await letter();
  await fill(phone, 'email', 'ana@example.test');
  await fill(phone, 'password', 'plenty of marigolds');
  await go(phone, 'Sign in');
  await phone.waitForSelector('[role=alert]:has-text("is wrong")');
  await fill(phone, 'password', 'plenty of nasturtiums');
  await go(phone, 'Sign in');
  await heading(phone, 'Allotment club');
  await ana.goto(`${url}/auth/ui`);
  await heading(ana, 'Sign in to Allotment club');

  // It leads back to the app's own page, and to no other origin.
  await ana.goto(`${url}/auth/ui?next=https://example.org/`);
  await fill(ana, 'email', 'ana@example.test');
  await fill(ana, 'password', 'plenty of nasturtiums');
  await go(ana, 'Sign in');
  await heading(ana, 'Allotment club');
  await ana.goto(`${url}/auth/ui?next=/`);
  await ana.waitForURL(`${url}/`);

  // A second step: added with a code, asked for at the next sign-in, lost and found by a recovery code.
  await ana.goto(`${url}/auth/ui`);
  await ana.locator('section:has(h2:text-is("Second step")) button:text-is("Add")').click();
  await heading(ana, 'Add an authenticator app');
  assert.ok(await ana.locator('img.qr').evaluate((image) => image.complete && image.naturalWidth > 0), 'the picture is drawn');
  const code = authenticator((await ana.locator('p code').textContent()).replaceAll(' ', ''));
  await shot(ana, 'add-app');
  await fill(ana, 'code', '000000');
  await go(ana, 'Add');
  await ana.waitForSelector('[role=alert]:has-text("wrong")');
  await fill(ana, 'code', await code());
  await go(ana, 'Add');
  await heading(ana, 'Recovery codes');
  await letter();
  const kept = await ana.locator('.codes code').allTextContents();
  assert.equal(kept.length, 10);
  await shot(ana, 'recovery-codes');
  await go(ana, 'I have kept them');
  await ana.waitForSelector('text=10 recovery codes left');
  await shot(ana, 'account-two-steps');

  await go(phone, 'Sign out');
  await fill(phone, 'email', 'ana@example.test');
  await fill(phone, 'password', 'plenty of nasturtiums');
  await go(phone, 'Sign in');
  await heading(phone, 'One more step');
  await shot(phone, 'second-step-dark-360');
  await fill(phone, 'code', '000000');
  await go(phone, 'Continue');
  await phone.waitForSelector('[role=alert]:has-text("wrong")');
  await fill(phone, 'code', await code());
  await go(phone, 'Continue');
  await heading(phone, 'Allotment club');
  await go(phone, 'Sign out');
  await fill(phone, 'email', 'ana@example.test');
  await fill(phone, 'password', 'plenty of nasturtiums');
  await go(phone, 'Sign in');
  await go(phone, 'Use a recovery code');
  await fill(phone, 'recovery_code', kept[0].toUpperCase());
  await go(phone, 'Continue');
  await heading(phone, 'Allotment club');
  await phone.waitForSelector('text=9 recovery codes left');

  // A passkey, on a device that knows who touches it: added, shown in the place of a code, and alone.
  await ana.reload();
  const cdp = await ana.context().newCDPSession(ana);
  await cdp.send('WebAuthn.enable');
  const device = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: device });
  await ana.locator('section:has(h2:text-is("Passkeys")) button:text-is("Add")').click();
  await ana.waitForSelector('section:has(h2:text-is("Passkeys")) li');
  await letter();
  await shot(ana, 'account-passkey');
  await go(ana, 'Sign out');
  await fill(ana, 'email', 'ana@example.test');
  await fill(ana, 'password', 'plenty of nasturtiums');
  await go(ana, 'Sign in');
  await heading(ana, 'One more step');
  await go(ana, 'Use a passkey');
  await heading(ana, 'Allotment club');
  await go(ana, 'Sign out');
  await heading(ana, 'Sign in to Allotment club');
  await shot(ana, 'ways');
  // Who does not know the touch gets nowhere.
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await go(ana, 'Use a passkey');
  await ana.waitForSelector('[role=alert]:has-text("cancelled")');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  await go(ana, 'Use a passkey');
  await heading(ana, 'Allotment club');
  await ana.locator('section:has(h2:text-is("Passkeys")) li button').click();
  await ana.waitForSelector('section:has(h2:text-is("Passkeys")):not(:has(li))');
  await letter();
  await go(ana, 'Sign out');
  await go(ana, 'Use a passkey');
  await ana.waitForSelector('[role=alert]:has-text("not valid any more")');

  await phone.reload();
  await phone.locator('li:has-text("Authenticator app") button').click();
  await heading(phone, 'Is it you?');
  await go(phone, 'Use a recovery code');
  await fill(phone, 'recovery_code', kept[1]);
  await go(phone, 'Continue');
  await phone.waitForSelector('text=No authenticator app');
  await letter();
}

/** Somebody begins without an account, makes one later, gives it up, and keeps it after all. */
async function visit() {
  const guest = await window('guest');
  await guest.goto(`${url}/auth/ui`);
  await go(guest, 'Continue without an account');
  await heading(guest, 'Continue without an account');
  await go(guest, 'Continue');
  await fill(guest, 'data.plot', '7');
  await go(guest, 'Continue');
  await heading(guest, 'Allotment club');
  await guest.waitForSelector('text=You have no account yet');
  await shot(guest, 'without-account');

  await go(guest, 'Make an account');
  await fill(guest, 'email', 'guest@example.test');
  await fill(guest, 'password', 'plenty of marigolds');
  await go(guest, 'Make an account');
  await heading(guest, 'Confirm your e-mail address');
  const { link } = await letter();
  assert.ok(link.startsWith(`${url}/auth/ui#upgrade=`), link);
  await guest.goto('about:blank');
  await guest.goto(link);
  await heading(guest, 'Keep your account');
  await go(guest, 'Continue');
  await guest.waitForSelector('text=You have an account now.');
  await guest.waitForSelector('text=guest@example.test');

  await go(guest, 'Delete the account');
  await guest.waitForSelector('text=In 7 days it is deleted');
  await shot(guest, 'delete');
  await go(guest, 'Delete the account');
  await guest.waitForSelector('text=The account is closed.');
  await letter();
  await fill(guest, 'email', 'guest@example.test');
  await fill(guest, 'password', 'plenty of marigolds');
  await go(guest, 'Sign in');
  await heading(guest, 'Allotment club');
}

try {
  await journey();
  await visit();
  assert.deepEqual(complaints, []);
  console.log('the sign-in page held');
} finally {
  await browser.close();
  server.removeAllListeners('exit');
  server.kill();
  rmSync(work, { recursive: true, force: true });
}
