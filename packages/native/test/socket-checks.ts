import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import {
  bindSocket,
  closeSocket,
  duplicateSocket,
  getSocketOption,
  listenSocket,
  localName,
  openSocket,
  peerName,
  setSocketOption,
} from '@nitro-enclaves/native';
import type { Check } from './check.ts';
import { until } from './check.ts';
import { AF_INET, AF_UNIX, loopbackName, portOf, unixName } from './names.ts';
import { closeListening, connectTo, fullListener, listenOn, startConnecting } from './sockets.ts';

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

/** Sockets, options and names; connecting and accepting on the epoll thread. */
export const socketChecks: readonly Check[] = [
  {
    name: 'a connection over AF_UNIX is made and accepted, and both ends know the names',
    run: async () => {
      const listening = listenOn(AF_UNIX);
      const descriptor = await connectTo(listening.name);
      await until(() => listening.accepted.length === 1);
      assert.deepEqual(peerName(descriptor), listening.name);
      assert.deepEqual(listening.accepted[0]?.local, listening.name);
      closeSocket(descriptor);
      await closeListening(listening);
    },
  },
  {
    name: 'a connection that takes its time (EINPROGRESS) is reported when it stands',
    run: async () => {
      const listening = listenOn(AF_INET);
      const descriptor = await connectTo(listening.name);
      await until(() => listening.accepted.length === 1);
      assert.deepEqual(listening.accepted[0]?.peer, localName(descriptor));
      closeSocket(descriptor);
      await closeListening(listening);
    },
  },
  {
    name: 'where nobody listens the error says so, at once and after EINPROGRESS alike',
    run: async () => {
      await assert.rejects(connectTo(unixName()), { code: 'ECONNREFUSED', syscall: 'connect', errno: -111 });
      const listening = listenOn(AF_INET);
      await closeListening(listening);
      await assert.rejects(connectTo(listening.name), { code: 'ECONNREFUSED', syscall: 'connect' });
    },
  },
  {
    name: 'a connection that does not come about ends with ETIMEDOUT at its deadline',
    run: async () => {
      const full = await fullListener();
      await assert.rejects(connectTo(full.name, 50), { code: 'ETIMEDOUT' });
      await full.close();
    },
  },
  {
    name: 'a connection under way is cancelled, and reports nothing',
    run: async () => {
      const full = await fullListener();
      let reported = false;
      const { connection, cancel } = startConnecting(full.name);
      connection
        .catch(() => {})
        .finally(() => {
          reported = true;
        });
      cancel();
      await assert.rejects(connectTo(full.name, 50), { code: 'ETIMEDOUT' });
      assert.equal(reported, false);
      await full.close();
    },
  },
  {
    name: 'three hundred connections that wait are accepted, batch by batch',
    run: async () => {
      const listening = listenOn(AF_UNIX);
      const descriptors = await Promise.all(Array.from({ length: 300 }, () => connectTo(listening.name)));
      await until(() => listening.accepted.length === 300);
      for (const descriptor of descriptors) closeSocket(descriptor);
      await closeListening(listening);
    },
  },
  {
    name: 'a closed listener frees its name before it says so',
    run: async () => {
      for (let round = 0; round < 50; round += 1) await closeListening(listenOn(AF_UNIX, { name: unixName('again') }));
    },
  },
  {
    name: 'a listener is closed once, however often it is asked',
    run: async () => {
      const { listener } = listenOn(AF_UNIX);
      assert.equal(listener.close(), listener.close());
      await listener.close();
    },
  },
  {
    name: 'a listener that the kernel takes away says so once, and is closed',
    run: async () => {
      const descriptor = openSocket(AF_UNIX);
      const name = unixName();
      bindSocket(descriptor, name);
      const errors: unknown[] = [];
      let arrivals = 0;
      const listener = listenSocket(descriptor, 1, {
        accepted: (socket) => {
          arrivals += 1;
          closeSocket(socket.descriptor);
        },
        failed: (error) => errors.push(error),
      });
      // Who comes first shows that the epoll thread has begun with it.
      closeSocket(await connectTo(name));
      await until(() => arrivals === 1);
      // Something that is no socket under its number; the queue goes on under another, and tells of who comes.
      const keeper = openSocket(AF_UNIX);
      duplicateSocket(descriptor, keeper);
      const nothing = openSync('/dev/null', 'r');
      duplicateSocket(nothing, descriptor);
      closeSync(nothing);
      const client = await connectTo(name);
      await until(() => errors.length > 0);
      await listener.close();
      assert.equal(arrivals, 1);
      assert.deepEqual(
        errors.map((error) => error instanceof Error && [Reflect.get(error, 'code'), Reflect.get(error, 'syscall')]),
        [['EBADF', 'accept']],
      );
      closeSocket(client);
      closeSocket(keeper);
    },
  },
  {
    name: 'a name that is taken is EADDRINUSE',
    run: async () => {
      const listening = listenOn(AF_UNIX);
      const second = openSocket(AF_UNIX);
      assert.throws(() => bindSocket(second, listening.name), { code: 'EADDRINUSE', syscall: 'bind' });
      closeSocket(second);
      await closeListening(listening);
    },
  },
  {
    name: 'socket options are set and read as the kernel lays them out',
    run: async () => {
      const descriptor = openSocket(AF_UNIX);
      setSocketOption(descriptor, SOL_SOCKET, SO_RCVBUF, Buffer.from(Uint32Array.of(65_536).buffer));
      assert.equal(Buffer.from(getSocketOption(descriptor, SOL_SOCKET, SO_RCVBUF)).readUInt32LE(), 131_072);
      assert.throws(() => setSocketOption(descriptor, SOL_SOCKET, 9999, Buffer.alloc(4)), { code: 'ENOPROTOOPT' });
      assert.throws(() => getSocketOption(descriptor, SOL_SOCKET, 9999), {
        code: 'ENOPROTOOPT',
        syscall: 'getsockopt',
      });
      closeSocket(descriptor);
    },
  },
  {
    name: 'a descriptor takes the place of another under its number',
    run: async () => {
      const listening = listenOn(AF_INET);
      const connected = await connectTo(listening.name);
      const decoy = openSocket(AF_UNIX);
      duplicateSocket(connected, decoy);
      closeSocket(connected);
      assert.equal(portOf(peerName(decoy)), portOf(listening.name));
      closeSync(decoy);
      await until(() => listening.accepted.length === 1);
      await closeListening(listening);
    },
  },
  {
    name: 'what the kernel refuses is an error with its code',
    run: async () => {
      assert.throws(() => openSocket(12_345), { code: 'EAFNOSUPPORT', syscall: 'socket' });
      assert.throws(() => closeSocket(-1), { code: 'EBADF', syscall: 'close' });
      assert.throws(() => localName(-1), { code: 'EBADF' });
      assert.throws(() => duplicateSocket(-1, 0), { code: 'EBADF' });
      const descriptor = openSocket(AF_INET);
      assert.throws(() => peerName(descriptor), { code: 'ENOTCONN', syscall: 'getpeername' });
      assert.throws(() => bindSocket(descriptor, new Uint8Array(129)), { code: 'EINVAL' });
      assert.throws(() => bindSocket(descriptor, new Uint8Array(0)), { code: 'EINVAL' });
      closeSocket(descriptor);
      await assert.rejects(connectTo(loopbackName(1).subarray(0, 3)), { code: 'EINVAL' });
      const datagram = { accepted: () => {}, failed: () => {} };
      assert.throws(() => listenSocket(openSocket(AF_UNIX), 1, datagram), { code: 'EINVAL', syscall: 'listen' });
    },
  },
];
