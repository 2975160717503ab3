// A real mail server that says on standard output, as JSON lines, where it listens and what it was given: {port}, then
// {from, to, secure, user, raw} for each mail and {refused} for each address that it did not take. Its faults go by the
// address: again-2@… is refused for now twice, never@… for good, drop-1@… loses its connection in the middle of the mail
// once, slow@… waits two seconds. It ends with its standard input.
//   --port N          0 takes a free one
//   --tls none|starttls|always
//   --cert FILE --key FILE   instead of a certificate that nobody trusts
import { readFileSync } from 'node:fs';
import { SMTPServer } from 'smtp-server';

const flag = (name, usual) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const tls = flag('tls', 'none');
const cert = flag('cert');

const tries = new Map();
/** Whether an address that names a fault and a number still has it. */
function still(fault, address) {
  const count = new RegExp(`^${fault}-(\\d+)`).exec(address)?.[1];
  if (count === undefined) return false;
  const tried = (tries.get(address) ?? 0) + 1;
  tries.set(address, tried);
  return tried <= Number(count);
}

function refusal(code, text, address) {
  tell({ refused: address });
  return Object.assign(new Error(text), { responseCode: code });
}

const server = new SMTPServer({
  ...(cert ? { cert: readFileSync(cert), key: readFileSync(flag('key')) } : {}),
  secure: tls === 'always',
  authOptional: true,
  allowInsecureAuth: true,
  disableReverseLookup: true,
  closeTimeout: 100,
  disabledCommands: tls === 'none' ? ['STARTTLS'] : [],
  onAuth({ username, password }, session, done) {
    if (password === 'hush') return done(null, { user: username });
    done(Object.assign(new Error('who are you'), { responseCode: 535 }));
  },
  onRcptTo({ address }, session, done) {
    if (address.startsWith('never')) return done(refusal(550, `<${address}> is unknown here`, address));
    if (still('again', address)) return done(refusal(451, 'come again', address));
    done();
  },
  onData(stream, session, done) {
    const to = session.envelope.rcptTo.map((rcpt) => rcpt.address);
    if (still('drop', to[0])) {
      tell({ refused: to[0] });
      for (const connection of server.connections) {
        if (connection.id === session.id) connection._socket.destroy();
      }
      return;
    }
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      const raw = Buffer.concat(chunks).toString();
      const mail = { from: session.envelope.mailFrom.address, to, secure: session.secure, user: session.user ?? null, raw };
      const take = () => {
        tell(mail);
        done(null, 'taken');
      };
      setTimeout(take, to[0].startsWith('slow') ? 2000 : 0);
    });
  },
});
server.on('error', () => {});
server.listen(Number(flag('port', '0')), '127.0.0.1', () => tell({ port: server.server.address().port }));
process.stdin.resume().on('end', () => process.exit(0));
