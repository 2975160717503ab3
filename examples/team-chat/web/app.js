// The page of the team chat: sign-in, rooms, messages, members. All of it through the Stead SDK; there is no server code.
import { createClient, newId } from '/sdk/stead.js';

const stead = createClient();
const [rooms, members, messages, users] = ['rooms', 'members', 'messages', 'users'].map((name) => stead.collection(name));
const at = (id) => document.getElementById(id);

/** Live queries of the signed-in user; ended on sign-out. `room` are those of the open room. */
const live = { page: [], room: [] };
const people = new Map();
let open = null;
let inRoom = [];

// ── sign in and out ─────────────────────────────────────────────────────────────────────────────────────────────────

const form = at('sign-in');
let signingUp = false;

at('switch').onclick = () => {
  signingUp = !signingUp;
  at('name-row').hidden = !signingUp;
  at('door-hint').hidden = signingUp;
  form.elements.name.required = signingUp;
  form.elements.password.autocomplete = signingUp ? 'new-password' : 'current-password';
  at('enter').textContent = signingUp ? 'Make an account' : 'Sign in';
  at('switch').textContent = signingUp ? 'I have an account' : 'New here? Make an account';
};

for (const button of form.querySelectorAll('[data-as]')) {
  button.onclick = () => {
    form.elements.email.value = `${button.dataset.as}@example.test`;
    form.elements.password.value = `correct-horse-${button.dataset.as}`;
    form.requestSubmit();
  };
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const { name, email, password } = Object.fromEntries(new FormData(form));
  await attempt(form.querySelector('.error'), async () => {
    if (signingUp) await stead.auth.signUp({ email, password, data: { name } });
    else await stead.auth.signIn({ email, password });
  });
};

at('leave').onclick = () => stead.auth.signOut().catch(() => {});

stead.auth.onChange((session, event) => {
  if (event === 'refreshed' || event === 'user_updated') return;
  stopAll();
  at('door').hidden = session !== null;
  at('app').hidden = session === null;
  if (session) start(session.user);
});

// ── rooms and people ────────────────────────────────────────────────────────────────────────────────────────────────

function start(user) {
  at('me').textContent = user.name;
  live.page.push(
    users.subscribe({}, ({ records }) => {
      people.clear();
      records.forEach((person) => people.set(person.id, person));
      drawMembers();
      drawMessages();
    }),
    rooms.subscribe({ sort: 'name' }, ({ records }) => drawRooms(records)),
  );
}

function stopAll() {
  live.page.forEach((query) => query.stop());
  live.page = [];
  people.clear();
  close();
}

function drawRooms(records) {
  const items = records.map((room) => {
    const button = element('button', { onclick: () => enter(room) }, element('span', { className: room.kind }), element('span', { textContent: room.name }));
    button.dataset.room = room.id;
    return element('li', {}, button);
  });
  at('rooms').replaceChildren(...items);
  if (open) {
    const now = records.find((room) => room.id === open.id);
    // Gone from sight: deleted, or this user is no longer in it.
    if (now) title(now);
    else close();
  }
  // On a wide screen an empty page helps nobody; on a phone the list of rooms comes first.
  if (!open && records.length && matchMedia('(min-width: 40rem)').matches) enter(records.find((room) => room.kind === 'public') ?? records[0]);
}

at('new-room').onsubmit = async (event) => {
  event.preventDefault();
  const { name, open: isPublic } = Object.fromEntries(new FormData(event.target));
  await attempt(at('why'), async () => {
    const id = newId();
    const me = stead.auth.user.id;
    // One batch: the room and its first admin, both or neither.
    const [made] = await stead.batch([
      { op: 'create', collection: 'rooms', data: { id, name, kind: isPublic ? 'public' : 'private', owner: me } },
      { op: 'create', collection: 'members', data: { room: id, user: me, role: 'admin' } },
    ]);
    event.target.reset();
    enter(made.record);
  });
};

// ── the open room ───────────────────────────────────────────────────────────────────────────────────────────────────

function enter(room) {
  if (open?.id === room.id) return;
  close();
  showRoom(room);
  const inThisRoom = { filter: 'room == p.room', params: { room: room.id } };
  live.room = [
    messages.subscribe({ ...inThisRoom, sort: '-created_at', limit: 100 }, ({ records }) => drawMessages(records)),
    members.subscribe(inThisRoom, ({ records }) => {
      inRoom = records;
      drawMembers();
    }),
  ];
}

function showRoom(room) {
  inRoom = [];
  shown = [];
  at('app').classList.toggle('in-room', room !== null);
  at('why').hidden = true;
  title(room);
  drawMembers();
  drawMessages([]);
}

function title(room) {
  open = room;
  at('room-name').textContent = room?.name ?? 'Pick a room';
  at('room-topic').textContent = room?.topic ?? '';
  for (const button of at('rooms').querySelectorAll('button')) {
    button.setAttribute('aria-current', String(button.dataset.room === room?.id));
  }
}

function close() {
  live.room.forEach((query) => query.stop());
  live.room = [];
  showRoom(null);
}

at('back').onclick = close;

let shown = [];

function drawMessages(records = shown) {
  shown = records;
  const list = at('messages');
  const me = stead.auth.user?.id;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const items = [...records].reverse().map((message) => {
    const time = new Date(message.created_at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const header = element('header', {}, element('b', { textContent: people.get(message.author)?.name ?? '…' }), element('time', { textContent: time }));
    if (message.author === me || isAdmin()) {
      header.append(element('button', { className: 'link', textContent: 'delete', onclick: () => attempt(at('why'), () => messages.delete(message.id)) }));
    }
    return element('li', { className: message.author === me ? 'mine' : '' }, header, element('p', { textContent: message.body }));
  });
  if (open && !items.length) items.push(element('li', { className: 'empty', textContent: 'Nothing here yet. Say something.' }));
  list.replaceChildren(...items);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawMembers() {
  const me = stead.auth.user?.id;
  const mine = inRoom.find((member) => member.user === me);
  at('members').replaceChildren(
    ...inRoom.map((member) => {
      const line = element('li', {}, element('span', { textContent: people.get(member.user)?.name ?? '…' }));
      if (member.role === 'admin') line.append(element('small', { textContent: 'admin' }));
      else if (isAdmin()) line.append(element('button', { className: 'link', textContent: 'remove', onclick: () => attempt(at('why'), () => members.delete(member.id)) }));
      return line;
    }),
  );
  const strangers = [...people.values()].filter((person) => !inRoom.some((member) => member.user === person.id));
  at('invite').hidden = !isAdmin() || !strangers.length;
  at('invite').elements.user.replaceChildren(...strangers.map((person) => element('option', { value: person.id, textContent: person.name })));
  at('join').hidden = !open || mine !== undefined || open.kind !== 'public';
  // The box stays open to everybody in sight of the room: the rules decide, and their message says why not.
  for (const part of at('write').elements) part.disabled = open === null;
}

function isAdmin() {
  return inRoom.some((member) => member.user === stead.auth.user?.id && member.role === 'admin');
}

at('join').onclick = () => attempt(at('why'), () => members.create({ room: open.id, user: stead.auth.user.id }));

at('invite').onsubmit = (event) => {
  event.preventDefault();
  const user = event.target.elements.user.value;
  attempt(at('why'), () => members.create({ room: open.id, user }));
};

at('write').onsubmit = async (event) => {
  event.preventDefault();
  const field = event.target.elements.body;
  const body = field.value.trim();
  if (!body) return;
  if (await attempt(at('why'), () => messages.create({ room: open.id, body }))) {
    field.value = '';
    at('messages').scrollTop = at('messages').scrollHeight;
  }
  field.focus();
};

// ── the line to the server ──────────────────────────────────────────────────────────────────────────────────────────

const lineTexts = {
  open: 'live',
  connecting: 'connecting…',
  waiting: 'offline, trying again',
  degraded: 'database away, nothing lost',
  idle: '',
};
stead.realtime.onStatus((status) => {
  at('line').dataset.state = status;
  at('line').textContent = lineTexts[status];
  at('line').hidden = status === 'idle';
});

/** Runs `action`; what went wrong is shown in `place`. Whether it went well. */
async function attempt(place, action) {
  try {
    await action();
    place.hidden = true;
    return true;
  } catch (error) {
    place.textContent = error.errors?.length ? error.errors.map((one) => one.message).join(' ') : (error.detail ?? error.message);
    place.hidden = false;
    return false;
  }
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
