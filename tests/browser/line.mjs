// A way to a server that can be cut, as when a laptop sleeps or a database is away.
import { connect, createServer } from 'node:net';

/** `far` is what `net.connect` takes: `{ port, host }` or `{ path }`. */
export function line(far) {
  const open = new Set();
  let cut = false;
  const proxy = createServer((near) => {
    if (cut) return void near.destroy();
    const other = connect(far);
    for (const [one, two] of [[near, other], [other, near]]) {
      open.add(one);
      one.pipe(two);
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        two.destroy();
      });
    }
  });
  return {
    /** The port of the near end, on 127.0.0.1. */
    port: new Promise((found) => proxy.listen(0, '127.0.0.1', () => found(proxy.address().port))),
    cut() {
      cut = true;
      open.forEach((socket) => socket.destroy());
    },
    mend: () => void (cut = false),
    close() {
      open.forEach((socket) => socket.destroy());
      proxy.close();
    },
  };
}
