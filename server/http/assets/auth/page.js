// The sign-in page: it offers what the app has, and nothing else. All of it through the SDK, with the documented calls.
import { createClient, readLink } from '/sdk/stead.js';

/** Of the app's settings: what a session is known by. */
let auth = createClient().auth;
const main = document.querySelector('main');
/** What the app offers. */
let offers;
/** The link that a mail led here with, once. */
const sent = readLink(location.href);
/** What somebody new was invited with. */
const invitation = sent?.purpose === 'invitation' ? sent.token : undefined;

// ── pieces of a page ────────────────────────────────────────────────────────────────────────────────────────────────

/** An element with its properties and what is in it; what is null is left out. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

const text = (name, content, className = '') => element(name, { textContent: content, className });
const button = (label, act, className = '') => element('button', { type: 'button', textContent: label, onclick: () => attempted(act), className });
const quiet = (label, act) => button(label, act, 'link');

const FIELDS = {
  email: { label: 'E-mail', type: 'email', autocomplete: 'username', autocapitalize: 'none', spellcheck: false },
  new_email: { label: 'New e-mail', type: 'email', autocomplete: 'email', autocapitalize: 'none', spellcheck: false },
  password: { label: 'Password', type: 'password', autocomplete: 'current-password' },
  new_password: { label: 'New password', type: 'password', autocomplete: 'new-password' },
  current_password: { label: 'Current password', type: 'password', autocomplete: 'current-password' },
  code: { label: 'Code', type: 'text', autocomplete: 'one-time-code', inputMode: 'numeric', className: 'code', maxLength: 9 },
  recovery_code: { label: 'Recovery code', type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: false, className: 'code', maxLength: 20 },
};

/** The name of a field as a label: `data.plot_number` is "Plot number". */
function spoken(name) {
  const words = name.replace('data.', '').replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** An input with its label; fields of the app's own have the name for a label. */
function field(name, more = {}) {
  const known = FIELDS[name] ?? { label: spoken(name), type: 'text' };
  const { label, ...properties } = { ...known, ...more };
  const input = element('input', { name, required: true, ...properties });
  return element('label', {}, label, input);
}

/** A form that says what went wrong beside what is wrong. `submit` gets its values by name. */
function form(fields, action, submit) {
  const wrong = text('p', '', 'bad');
  wrong.setAttribute('role', 'alert');
  const go = element('button', { type: 'submit', textContent: action, className: 'primary' });
  const made = element('form', {}, fields, wrong, go);
  made.onsubmit = async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    made.querySelectorAll('[aria-invalid]').forEach((input) => input.removeAttribute('aria-invalid'));
    go.disabled = true;
    try {
      await submit(Object.fromEntries(new FormData(made)));
    } catch (thrown) {
      if (thrown?.code === 'mfa_required') secondStep(thrown.question);
      else explain(made, wrong, thrown);
    } finally {
      go.disabled = false;
    }
  };
  return made;
}

/** Shows an error of the server: at its fields, where it names some, and asks for those that it misses. */
function explain(made, wrong, thrown) {
  if (thrown?.code === undefined) throw thrown;
  const lines = [];
  for (const { path, code, message } of thrown.errors ?? []) {
    const name = path.slice(1).replaceAll('/', '.');
    let input = made.elements.namedItem(name);
    if (!input && name.startsWith('data.')) {
      wrong.before(field(name));
      input = made.elements.namedItem(name);
      if (code === 'required') continue;
    }
    input?.setAttribute('aria-invalid', 'true');
    lines.push(message);
  }
  const asked = made.querySelector('input[name^="data."]');
  wrong.textContent = lines.join(' ') || (asked && thrown.code === 'field_invalid' ? 'A little more is needed.' : told(thrown));
  (made.querySelector('[aria-invalid]') ?? asked ?? made.elements[0])?.focus();
}

/** Does what a button is for, and says on the page when it fails. */
async function attempted(act) {
  main.querySelector('h1 + [role=alert]')?.remove();
  try {
    await act();
  } catch (thrown) {
    if (thrown?.code === undefined) throw thrown;
    main.querySelector('h1').after(alarm(thrown));
  }
}

const alarm = (thrown) => element('p', { className: 'bad', role: 'alert', textContent: told(thrown) });

/** An error in words for people. */
function told({ code, detail, retryAfterMs }) {
  const wait = retryAfterMs ? ` Try again in ${Math.ceil(retryAfterMs / 1000)} seconds.` : '';
  const words = {
    invalid_credentials: 'The e-mail address or the password is wrong.',
    proof_invalid: 'This link or code is wrong, or not valid any more.',
    rate_limited: 'That was too often.',
    hash_busy: 'Too many people sign in right now.',
    reauth_required: 'Sign in again to do this.',
    aal2_required: 'This needs a code of your authenticator app.',
    already_enrolled: 'There is one already.',
    access_denied: 'That was cancelled, or there is nothing here to sign in with.',
    last_way_in: 'This is the last way into the account. Add another one first.',
    address_taken: 'There is an account with this address already. Sign in to it as before, and add the service there.',
    network: 'The server cannot be reached.',
  };
  return (words[code] ?? detail ?? 'Something went wrong.') + wait;
}

/** Puts a card on the page, and the cursor into its first field. */
function show(title, ...children) {
  document.title = offers?.name ? `${title} · ${offers.name}` : title;
  const heading = element('h1', { textContent: title, tabIndex: -1 });
  main.replaceChildren(element('div', { className: 'card' }, heading, ...children));
  (main.querySelector('input') ?? heading).focus();
}

/** Fields of the app's own, from the names `data.name`; undefined when none was asked for. */
function dataOf(values) {
  const own = Object.entries(values).filter(([name, value]) => name.startsWith('data.') && value !== '');
  return own.length > 0 ? Object.fromEntries(own.map(([name, value]) => [name.slice('data.'.length), value])) : undefined;
}

// ── where it leads to ───────────────────────────────────────────────────────────────────────────────────────────────

const wanted = new URLSearchParams(location.search).get('next');

/** A page of this origin, or none: an address of another must not come from a link. */
function next() {
  if (wanted === null || !URL.canParse(wanted, location.origin)) return null;
  const page = new URL(wanted, location.origin);
  return page.origin === location.origin ? page : null;
}

/** What waits for a sign-in. */
let pending = null;

/** Somebody is signed in: on with what waited for it, to the page that asked, or to the account. */
function entered() {
  const waited = pending;
  pending = null;
  if (waited) return waited();
  const page = next();
  if (page) location.replace(page);
  else account();
}

// ── ways in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function signIn(note = null, email = '') {
  const ways = [];
  if (offers.password) {
    ways.push(
      form([field('email', { value: email }), field('password')], 'Sign in', async ({ email, password }) => {
        await auth.signIn({ email, password });
        entered();
      }),
    );
  }
  const others = [
    offers.passkey && auth.passkeys.available ? button('Use a passkey', withPasskey) : null,
    offers.magic_link ? button('E-mail me a link', () => sendTo('A link to sign in', 'sendLink')) : null,
    offers.otp ? button('E-mail me a code', () => sendTo('A code to sign in', 'sendCode')) : null,
    ...offers.providers.map(({ name, label }) => button(`Continue with ${label}`, () => auth.signInWithProvider(name, { redirectTo: here(), invitation }))),
  ].filter((way) => way !== null);
  if (others.length > 0) ways.push(ways.length > 0 ? text('div', 'or', 'or') : null, element('div', { className: 'ways' }, others));
  const links = [
    offers.password && offers.mail ? quiet('Forgot the password?', forgotten) : null,
    offers.password && (offers.sign_up || (invitation && offers.invitations)) ? quiet('New here? Make an account', () => signUp()) : null,
    offers.anonymous ? quiet('Continue without an account', withoutAccount) : null,
  ];
  show(offers.name ? `Sign in to ${offers.name}` : 'Sign in', note, ...ways, element('div', { className: 'links' }, links));
}

async function withPasskey() {
  await auth.signInWithPasskey();
  entered();
}

/** The first factor was right; the second is shown here. */
function secondStep(question, recovery = false) {
  const made = form([proofField(recovery)], 'Continue', async (values) => {
    await auth.verifySecondFactor(question, proofOf(values));
    entered();
  });
  const other = question.factors.includes('recovery_code') || recovery ? otherProof(recovery, () => secondStep(question, !recovery)) : null;
  const passkey = async () => {
    await auth.verifySecondFactor(question, { passkey: await auth.passkeys.ask() });
    entered();
  };
  const asks = question.factors.includes('passkey') && auth.passkeys.available ? button('Use a passkey', passkey) : null;
  show('One more step', text('p', proofWords(recovery), 'quiet'), made, asks, element('div', { className: 'links' }, other, quiet('Back', () => signIn())));
}

const proofField = (recovery) => field(recovery ? 'recovery_code' : 'code');
const proofOf = ({ code, recovery_code }) => (code === undefined ? { recoveryCode: recovery_code } : { code });
const proofWords = (recovery) => (recovery ? 'Type one of the recovery codes that you have kept. It works once.' : 'Type the code that your authenticator app shows.');
const otherProof = (recovery, act) => quiet(recovery ? 'Use the authenticator app' : 'Use a recovery code', act);

function withoutAccount() {
  confirmed('Continue without an account', 'You can make one later and keep what you do until then. Without one, it is lost when you sign out.', async (data) => {
    await auth.signInAnonymously({ data });
    entered();
  });
}

/** This page as a provider leads back to it. */
function here() {
  return location.origin + location.pathname + location.search;
}

function signUp(note = null) {
  const fields = [field('email'), field('password', { autocomplete: 'new-password', minLength: offers.password_chars_min })];
  const made = form(fields, 'Make an account', async (values) => {
    const { email, password } = values;
    const answer = await auth.signUp({ email, password, data: dataOf(values), invitation });
    if ('challengeId' in answer) checkMail(email, 'Confirm your e-mail address', (proof, data) => auth.confirmSignUp({ ...proof, data }), answer);
    else entered();
  });
  show('Make an account', note, made, element('div', { className: 'links' }, quiet('I have an account', () => signIn())));
}

function sendTo(title, call) {
  const made = form([field('email')], 'Send', async ({ email }) => {
    const challenge = await auth[call]({ email, invitation });
    checkMail(email, 'Check your mail', call === 'sendCode' ? (proof, data) => auth.verify({ ...proof, data }) : null, challenge);
  });
  show(title, made, back());
}

/** Something was sent; with `take`, its code can be typed here. */
function checkMail(email, title, take, { challengeId }) {
  if (take && challengeId) sessionStorage.setItem('stead.challenge', challengeId);
  const about = text('p', `If ${email} can be used here, a mail is on its way to it.`, 'quiet');
  const code = take
    ? form([field('code')], 'Continue', async (values) => {
        await take({ challengeId, code: values.code }, dataOf(values));
        entered();
      })
    : null;
  show(title, about, take ? text('p', 'Type the code that it holds, or open its link in this browser.', 'quiet') : null, code, back());
}

function back() {
  return element('div', { className: 'links' }, quiet('Back', () => signIn()));
}

function forgotten() {
  const made = form([field('email')], 'Send', async ({ email }) => {
    const { challengeId } = await auth.requestPasswordReset({ email });
    const about = text('p', `If ${email} has an account, a mail is on its way to it.`, 'quiet');
    const again = form([field('code'), newPassword()], 'Set the password', ({ code, new_password }) => reset({ challengeId, code }, new_password, email));
    show('Choose a new password', about, text('p', 'Type the code that it holds, or open its link.', 'quiet'), again, back());
  });
  show('Forgot the password?', made, back());
}

const newPassword = () => field('new_password', { minLength: offers.password_chars_min });

async function reset(proof, password, email = '') {
  await auth.resetPassword({ ...proof, newPassword: password });
  if (auth.session) await auth.signOut().catch(() => {});
  signIn(text('p', 'The password is set. Sign in with it.', 'good'), email);
}

// ── links of mails ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What a link is for, once somebody says so: programs that look at mails open links too. */
const LINKS = {
  sign_in: (token) => confirmed('Sign in', 'Go on to sign in with the link of your mail.', async (data) => {
    await auth.verify({ token, data });
    entered();
  }),
  sign_up: (token) => confirmSignUp(token),
  verify_email: (token) => signedIn('Confirm your e-mail address', 'Confirm that the address of this account is yours.', async () => {
    await auth.verifyEmail({ token });
    await account('Your address is confirmed.');
  }),
  reset_password: (token) => show('Choose a new password', form([newPassword()], 'Set the password', ({ new_password }) => reset({ token }, new_password))),
  change_email: (token) => signedIn('Change your e-mail address', 'Confirm that the new address is yours.', async () => {
    await auth.confirmEmailChange({ token });
    await account('Your address is changed.');
  }),
  upgrade: (token) => signedIn('Keep your account', 'Confirm that the address is yours.', async () => {
    await auth.confirmUpgrade({ token });
    await account('You have an account now.');
  }),
  invitation: () => {
    const invited = text('p', offers.invitations ? 'You are invited. Make your account with the address that was invited.' : 'Nobody may sign up here.', 'quiet');
    return offers.password && offers.invitations ? signUp(invited) : signIn(invited);
  },
  undo_email: (token) => confirmed('Undo the change', 'Your account gets its old address back. Everybody who is signed in to it is signed out, and you choose a new password by mail.', async () => {
    await auth.undoEmailChange(token);
    if (auth.session) await auth.signOut().catch(() => {});
    signIn(text('p', 'Done. A mail with a link to choose a new password is on its way to you.', 'good'));
  }),
};

/** Asks before it is done; what the app's users must say of themselves is asked for where it is missed. */
function confirmed(title, about, done) {
  show(title, text('p', about, 'quiet'), form([], 'Continue', (values) => done(dataOf(values))));
}

/** The same where it counts only for who is signed in. */
function signedIn(title, about, done) {
  if (auth.session) return confirmed(title, about, done);
  pending = () => confirmed(title, about, done);
  signIn(text('p', `${about} Sign in to the account first.`, 'quiet'));
}

function confirmSignUp(token) {
  const challengeId = sessionStorage.getItem('stead.challenge');
  const known = challengeId === null ? [field('password')] : [];
  const about = challengeId === null ? 'Type the password that you have chosen.' : 'Go on to make your account.';
  const made = form(known, 'Continue', async (values) => {
    const data = dataOf(values);
    const { password } = values;
    const proof = { token, ...(challengeId !== null && !password && { challengeId }), password };
    await auth.confirmSignUp({ ...proof, data });
    sessionStorage.removeItem('stead.challenge');
    entered();
  });
  // A challenge of another sign-up does not fit; then the password is asked for.
  show('Confirm your e-mail address', text('p', about, 'quiet'), made);
}

// ── the account ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function account(note = '') {
  const [user, sessions, identities, { method }] = await Promise.all([auth.me(), auth.sessions(), offers.providers.length ? auth.identities() : [], auth.facts()]);
  const anonymous = method === 'anonymous';
  const [factors, passkeys] = anonymous ? [null, null] : await Promise.all([auth.factors.list(), offers.passkey ? auth.passkeys.list() : null]);
  const signOut = async () => {
    await auth.signOut().catch(() => {});
    signIn();
  };
  const address = element('section', {}, text('h2', 'E-mail'), element('div', { className: 'row' }, text('span', user.email ?? (anonymous ? 'You have no account yet' : 'None')), anonymous ? keep() : offers.mail ? button('Change', () => changeEmail(user)) : null));
  if (user.email && !user.verified && offers.mail) address.append(element('div', { className: 'row' }, text('span', 'Not confirmed yet', 'quiet'), button('Confirm', verify)));
  show(
    offers.name ?? 'Your account',
    note ? text('p', note, 'good') : null,
    address,
    offers.password && !anonymous ? element('section', {}, element('div', { className: 'row' }, text('h2', 'Password'), button('Change', changePassword))) : null,
    passkeys ? element('section', {}, element('div', { className: 'row' }, text('h2', 'Passkeys'), auth.passkeys.available ? button('Add', () => acted(() => auth.passkeys.add({ name: browserOf(navigator.userAgent) }))) : null), passkeys.length ? element('ul', {}, passkeys.map(passkey)) : null) : null,
    factors ? element('section', {}, text('h2', 'Second step'), secondFactor(factors)) : null,
    offers.providers.length ? element('section', {}, text('h2', 'Other services'), element('ul', {}, offers.providers.map((offer) => service(offer, identities)))) : null,
    element('section', {}, text('h2', 'Signed in on'), element('ul', {}, sessions.map(device))),
    element('section', {}, button('Sign out', signOut, 'primary'), sessions.length > 1 ? button('Sign out everywhere else', () => acted(() => auth.signOut({ scope: 'others' }))) : null),
    offers.delete_after_days === undefined ? null : element('div', { className: 'links' }, quiet('Delete the account', () => deleteAccount(anonymous ? 0 : offers.delete_after_days))),
  );
}

/** Asks first; `days` is how long signing in keeps it. */
function deleteAccount(days) {
  const about = days > 0 ? `In ${days} days it is deleted with what belongs to it. Until then, signing in keeps it.` : 'It is deleted at once with what belongs to it, and cannot be brought back.';
  const made = form([], 'Delete the account', async () => {
    await auth.deleteAccount();
    signIn(text('p', days > 0 ? 'The account is closed. Sign in to keep it.' : 'The account is deleted.', 'good'));
  });
  show('Delete the account', text('p', about, 'quiet'), made, element('div', { className: 'links' }, quiet('Back', () => account())));
}

/** Leads whoever has no account to one, if there is a way by an address. */
function keep() {
  const byMail = offers.mail && (offers.magic_link || offers.otp);
  return offers.password || byMail ? button('Make an account', upgrade) : null;
}

function upgrade() {
  const password = field('password', { autocomplete: 'new-password', minLength: offers.password_chars_min });
  const made = form([field('email'), offers.password ? password : null], 'Make an account', async ({ email, password }) => {
    const answer = await auth.upgrade({ email, password });
    if ('challengeId' in answer) checkMail(email, 'Confirm your e-mail address', (proof) => auth.confirmUpgrade(proof), answer);
    else await account('You have an account now.');
  });
  show('Make an account', text('p', 'What you have done so far stays yours.', 'quiet'), made, element('div', { className: 'links' }, quiet('Back', () => account())));
}

/** Does something to the account and shows it anew. */
function acted(act) {
  return guarded(async () => {
    await act();
    await account();
  });
}

/** Does what could give the account away: who has not shown lately who it is does so first. */
async function guarded(act) {
  try {
    await act();
  } catch (thrown) {
    if (thrown?.code === 'aal2_required') return showAgain(act, 'code');
    if (thrown?.code !== 'reauth_required') throw thrown;
    if (offers.password) return showAgain(act, 'password');
    pending = () => guarded(act);
    signIn(alarm(thrown));
  }
}

/** Asks for one proof more, a password, a code or a recovery code, and goes on. */
function showAgain(act, name) {
  const recovery = name === 'recovery_code';
  const made = form([field(name)], 'Continue', async (values) => {
    await auth.reauthenticate(name === 'password' ? { password: values.password } : proofOf(values));
    await act();
  });
  const other = name === 'password' ? null : otherProof(recovery, () => showAgain(act, recovery ? 'code' : 'recovery_code'));
  const passkey = async () => {
    await auth.reauthenticate({ passkey: await auth.passkeys.ask() });
    await act();
  };
  const asks = offers.passkey && auth.passkeys.available ? button('Use a passkey', passkey) : null;
  const words = name === 'password' ? 'Type your password once more.' : proofWords(recovery);
  show('Is it you?', text('p', words, 'quiet'), made, asks, element('div', { className: 'links' }, other, quiet('Back', () => account())));
}

function passkey({ id, name, created_at, last_used_at }) {
  const when = last_used_at ? `last used ${new Date(last_used_at).toLocaleDateString()}` : `added ${new Date(created_at).toLocaleDateString()}`;
  const about = element('span', {}, text('div', name), text('div', when, 'quiet'));
  return element('li', { className: 'row' }, about, button('Remove', () => acted(() => auth.passkeys.remove(id))));
}

function secondFactor({ totp, recovery_codes_left }) {
  if (!totp) return element('div', { className: 'row' }, text('span', 'No authenticator app', 'quiet'), button('Add', () => guarded(addApp)));
  const left = recovery_codes_left === 1 ? '1 recovery code left' : `${recovery_codes_left} recovery codes left`;
  const fresh = button('New codes', () => guarded(async () => recoveryCodes(await auth.factors.regenerateRecoveryCodes())));
  const remove = button('Remove', () => acted(() => auth.factors.removeTotp()));
  return element('ul', {},
    element('li', { className: 'row' }, text('span', 'Authenticator app'), remove),
    element('li', { className: 'row' }, text('span', left, recovery_codes_left < 3 ? 'bad' : 'quiet'), fresh),
  );
}

async function addApp() {
  const { secret, uri, qrCode } = await auth.factors.enrollTotp();
  const picture = element('img', { src: qrCode, alt: 'QR code for an authenticator app', className: 'qr', width: 200, height: 200 });
  const typed = element('p', { className: 'quiet' }, 'On this device, ', element('a', { href: uri, textContent: 'open it in the app' }), ', or type ', text('code', secret.match(/.{1,4}/g).join(' ')), '.');
  const made = form([field('code')], 'Add', async ({ code }) => recoveryCodes(await auth.factors.activateTotp(code)));
  show('Add an authenticator app', text('p', 'Scan this with the app, then type the code that it shows.', 'quiet'), picture, typed, made, toAccount());
}

/** Codes that are shown this once. */
function recoveryCodes(codes) {
  const listed = element('ul', { className: 'codes' }, codes.map((code) => element('li', {}, text('code', code))));
  const copy = button('Copy', () => navigator.clipboard.writeText(codes.join('\n')));
  show('Recovery codes', text('p', 'Keep these where you find them without your phone. Each signs you in once in the place of the app. They are not shown again.', 'quiet'), listed, element('div', { className: 'ways' }, copy, button('I have kept them', () => account(), 'primary')));
}

function device({ id, user_agent, ip, last_seen_at, current }) {
  const seen = new Date(last_seen_at).toLocaleString();
  const name = element('span', {}, text('div', user_agent ? browserOf(user_agent) : 'Unknown device'), text('div', [ip, current ? 'this device' : `last seen ${seen}`].filter(Boolean).join(' · '), 'quiet'));
  return element('li', { className: 'row' }, name, current ? null : button('End', () => acted(() => auth.endSession(id))));
}

/** A browser and a system, as people call them. */
function browserOf(agent) {
  const browser = ['Edg', 'OPR', 'Firefox', 'Chrome', 'Safari'].find((name) => agent.includes(`${name}/`));
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'].find((name) => agent.includes(name));
  const named = { Edg: 'Edge', OPR: 'Opera' }[browser] ?? browser;
  return [named, system].filter(Boolean).join(' on ') || agent.slice(0, 60);
}

function service({ name, label }, identities) {
  const held = identities.find(({ provider }) => provider === name);
  const about = element('span', {}, text('div', label), held?.email ? text('div', held.email, 'quiet') : null);
  const act = held ? button('Remove', () => acted(() => auth.unlink(held.id))) : button('Add', () => guarded(() => auth.linkProvider(name, { redirectTo: here() })));
  return element('li', { className: 'row' }, about, act);
}

async function verify() {
  const { challengeId } = await auth.requestVerification();
  const made = form([field('code')], 'Continue', async ({ code }) => {
    await auth.verifyEmail({ challengeId, code });
    await account('Your address is confirmed.');
  });
  show('Confirm your e-mail address', text('p', 'A mail is on its way to you. Type the code that it holds, or open its link in this browser.', 'quiet'), made, toAccount());
}

function changePassword() {
  const made = form([field('current_password'), newPassword()], 'Change the password', ({ current_password, new_password }) =>
    guarded(async () => {
      await auth.changePassword({ currentPassword: current_password, newPassword: new_password });
      await account('The password is changed. Other devices are signed out.');
    }),
  );
  show('Change the password', made, toAccount());
}

function changeEmail() {
  const fields = [field('new_email'), ...(offers.password ? [field('current_password', { required: false })] : [])];
  const made = form(fields, 'Send', ({ new_email, current_password }) => guarded(async () => {
    const { challengeId } = await auth.changeEmail({ newEmail: new_email, currentPassword: current_password || undefined });
    const code = form([field('code')], 'Continue', async (values) => {
      await auth.confirmEmailChange({ challengeId, code: values.code });
      await account('Your address is changed.');
    });
    show('Confirm the new address', text('p', `If ${new_email} can be used here, a mail is on its way to it.`, 'quiet'), code, toAccount());
  }));
  show('Change your e-mail address', made, toAccount());
}

function toAccount() {
  return element('div', { className: 'links' }, quiet('Back', () => account()));
}

// ── the beginning ───────────────────────────────────────────────────────────────────────────────────────────────────

async function begin() {
  offers = await auth.settings();
  if (offers.cookies) auth = createClient(undefined, { session: 'cookie' }).auth;
  await auth.ready;
  // What a link holds must not stay in the address bar or the history.
  if (sent) history.replaceState(null, '', here());
  let note = null;
  try {
    if (await auth.completeSignIn()) return cleared(entered);
  } catch (thrown) {
    if (thrown?.code === undefined) throw thrown;
    if (thrown.code === 'mfa_required') return cleared(() => secondStep(thrown.question));
    note = alarm(thrown);
  }
  const { purpose, token } = sent ?? {};
  if (purpose) return LINKS[purpose](token);
  if (auth.session && note === null) {
    if (next()) return entered();
    return account().catch(() => signIn());
  }
  cleared(() => signIn(note));
}

/** Takes what a provider led back with out of the address bar. */
function cleared(then) {
  const query = new URLSearchParams(location.search);
  for (const name of ['code', 'error', 'state', 'iss']) query.delete(name);
  const rest = query.toString();
  history.replaceState(null, '', location.pathname + (rest ? `?${rest}` : ''));
  return then();
}

begin().catch((thrown) => show('Sign in', alarm(thrown ?? {})));
