import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressRange, isPublicAddress } from '../src/proxy/address-range.ts';
import { AllowList } from '../src/proxy/allow-list.ts';
import { MAX_CLIENT_HELLO_BYTES, parseClientHello } from '../src/proxy/client-hello.ts';
import { MAX_CONNECT_HEAD_BYTES, parseConnectRequest } from '../src/proxy/connect-request.ts';
import { normalizeHost } from '../src/proxy/host-name.ts';
import { encodeProxyV1, encodeProxyV2 } from '../src/proxy/proxy-protocol.ts';

/** The first bytes that Node's own TLS client sends. */
async function clientHello(options: object): Promise<Buffer> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, 'connection');
  const client = connectTls({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, ...options }).on(
    'error',
    () => undefined,
  );
  const [socket] = await accepted;
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same message cut into records of `size` bytes. */
function fragment(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    records.push(Buffer.concat([Buffer.of(22, 3, 1, piece.length >> 8, piece.length & 0xff), piece]));
  }
  return Buffer.concat(records);
}

describe('the ClientHello', () => {
  it('of a real client tells the server name', async () => {
    const hello = await clientHello({ servername: 'kms.eu-west-1.amazonaws.com' });
    expect(parseClientHello(hello)).toEqual({ kind: 'complete', serverName: 'kms.eu-west-1.amazonaws.com' });
  });

  it('without a server name is told as such', async () => {
    expect(parseClientHello(await clientHello({ servername: '' }))).toEqual({
      kind: 'complete',
      serverName: undefined,
    });
  });

  it.each([1, 3, 7, 100])('cut into records of %d bytes is put together', async (size) => {
    const hello = await clientHello({ servername: 'a.example' });
    expect(parseClientHello(fragment(hello, size))).toEqual({ kind: 'complete', serverName: 'a.example' });
  });

  it('is incomplete until its last byte', async () => {
    const hello = await clientHello({ servername: 'a.example' });
    for (let end = 0; end < hello.length; end += 1)
      expect(parseClientHello(hello.subarray(0, end)).kind).toBe('incomplete');
    expect(parseClientHello(Buffer.concat([hello, Buffer.from('more')])).kind).toBe('complete');
  });

  it('of more than 16 KiB is refused', async () => {
    const endless = Buffer.concat([
      Buffer.of(22, 3, 1, 0x3f, 0xff, 1, 0xff, 0xff, 0xff),
      Buffer.alloc(MAX_CLIENT_HELLO_BYTES),
    ]);
    expect(parseClientHello(endless).kind).toBe('refused');
  });

  it('that comes byte by byte in thousands of records costs little for each byte', () => {
    const endless = fragment(Buffer.concat([Buffer.alloc(5), Buffer.of(1, 0xff, 0xff, 0xff), Buffer.alloc(2700)]), 1);
    for (let end = 0; end < endless.length; end += 1)
      expect(parseClientHello(endless.subarray(0, end)).kind).toBe('incomplete');
  });

  it.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH')],
    ['SSL 2', Buffer.from('802e0100020015', 'hex')],
    ['a TLS alert', Buffer.from('15030100020228', 'hex')],
    ['another handshake message', Buffer.from('160301000402000000', 'hex')],
    ['an empty record', Buffer.from('1603010000', 'hex')],
    ['a ClientHello of no content', Buffer.from('16030100040100000000', 'hex')],
  ])('that is %s is refused', (_, bytes) => {
    expect(parseClientHello(bytes)).toMatchObject({ kind: 'refused' });
  });

  it('with two names, or two extensions of names, is refused', async () => {
    const hello = await clientHello({ servername: 'a.example' });
    const name = Buffer.from('a.example');
    const extension = Buffer.concat([Buffer.of(0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length), name]);
    const at = hello.indexOf(extension);
    expect(at).toBeGreaterThan(0);
    expect(parseClientHello(insert(hello, at, extension))).toMatchObject({ reason: 'two server name extensions' });
    const twoNames = Buffer.concat([
      Buffer.of(0, 0, 0, 2 * (name.length + 3) + 2, 0, 2 * (name.length + 3)),
      ...[0, 1].map(() => Buffer.concat([Buffer.of(0, 0, name.length), name])),
    ]);
    const replaced = Buffer.concat([hello.subarray(0, at), twoNames, hello.subarray(at + extension.length)]);
    expect(parseClientHello(relength(replaced, twoNames.length - extension.length))).toMatchObject({
      reason: 'more than one server name',
    });
  });

  it('whatever it is, is decided without an exception', async () => {
    const hello = await clientHello({ servername: 'a.example' });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(hello.length),
        (changes, end) => {
          const changed = Buffer.from(hello.subarray(0, end));
          for (const [at, byte] of changes) if (at < changed.length) changed[at] = byte;
          expect(['incomplete', 'refused', 'complete']).toContain(parseClientHello(changed).kind);
        },
      ),
    );
  });
});

function insert(hello: Buffer, at: number, piece: Buffer): Buffer {
  return relength(Buffer.concat([hello.subarray(0, at), piece, hello.subarray(at)]), piece.length);
}

/** Mends the lengths of record, message and extensions after `more` bytes came in. */
function relength(hello: Buffer, more: number): Buffer {
  const copy = Buffer.from(hello);
  copy.writeUInt16BE(copy.readUInt16BE(3) + more, 3);
  copy.writeUIntBE(copy.readUIntBE(6, 3) + more, 6, 3);
  const session = 9 + 2 + 32;
  const suites = session + 1 + (copy[session] ?? 0);
  const compression = suites + 2 + copy.readUInt16BE(suites);
  const extensions = compression + 1 + (copy[compression] ?? 0);
  copy.writeUInt16BE(copy.readUInt16BE(extensions) + more, extensions);
  return copy;
}

describe('the CONNECT request', () => {
  const parse = (text: string) => parseConnectRequest(Buffer.from(text, 'latin1'));

  it.each([
    ['CONNECT a.example:443 HTTP/1.1\r\n\r\n', { host: 'a.example', port: 443 }],
    [
      'CONNECT a.example:443 HTTP/1.0\r\nHost: a.example:443\r\nUser-Agent: x y\r\n\r\n',
      { host: 'a.example', port: 443 },
    ],
    ['CONNECT [::1]:8443 HTTP/1.1\r\n\r\n', { host: '::1', port: 8443 }],
    ['CONNECT 192.0.2.1:1 HTTP/1.1\r\n\r\n', { host: '192.0.2.1', port: 1 }],
  ])('%j names its target', (text, target) => {
    expect(parse(text)).toEqual({ kind: 'complete', target, headBytes: text.length });
    expect(parse(`${text}early bytes`)).toEqual({ kind: 'complete', target, headBytes: text.length });
  });

  it.each([
    ['GET / HTTP/1.1\r\n\r\n', 405],
    ['GET http://a.example/ HTTP/1.1\r\n\r\n', 405],
    ['CONNECT a.example HTTP/1.1\r\n\r\n', 400],
    ['CONNECT a.example:0 HTTP/1.1\r\n\r\n', 400],
    ['CONNECT a.example:65536 HTTP/1.1\r\n\r\n', 400],
    ['CONNECT user@a.example:443 HTTP/1.1\r\n\r\n', 400],
    ['CONNECT http://a.example:443 HTTP/1.1\r\n\r\n', 400],
    ['CONNECT a.example:443 HTTP/2\r\n\r\n', 400],
    ['CONNECT  a.example:443 HTTP/1.1\r\n\r\n', 400],
    ['connect a.example:443 HTTP/1.1\r\n\r\n', 400],
    ['CONNECT a.example:443 HTTP/1.1\r\nno colon\r\n\r\n', 400],
    ['CONNECT a.example:443 HTTP/1.1\r\nA: b\nB: c\r\n\r\n', 400],
    ['CONNECT a.example:443 HTTP/1.1\r\n folded: x\r\n\r\n', 400],
    ['\r\n\r\n', 400],
    [`CONNECT ${'a'.repeat(600)}:443 HTTP/1.1\r\n\r\n`, 400],
    [`CONNECT a.example:443 HTTP/1.1\r\nA: ${'x'.repeat(MAX_CONNECT_HEAD_BYTES)}`, 431],
  ])('%j is refused with %d', (text, status) => {
    expect(parse(text)).toMatchObject({ kind: 'refused', status });
  });

  it('is incomplete until its empty line', () => {
    const text = 'CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n';
    for (let end = 0; end < text.length; end += 1) expect(parse(text.slice(0, end)).kind).toBe('incomplete');
  });

  it('whatever it is, is decided without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['incomplete', 'refused', 'complete']).toContain(parseConnectRequest(Buffer.from(bytes)).kind);
      }),
    );
  });
});

describe('addresses', () => {
  it.each([
    '8.8.8.8',
    '52.94.5.1',
    '1.1.1.1',
    '2600:1f00::1',
    '2a05:d018::1',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
    '2002:808:808::1',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::169.254.169.254',
    'fd00:ec2::254',
    '169.254.170.2',
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '0.0.0.0',
    '::',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '3fff:fff::1',
    '5f00::1',
    '64:ff9b:1::1',
    '100::1',
    'fec0::1',
    '::ffff:0:a9fe:a9fe',
    '192.88.99.1',
    'not an address',
    '',
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

  it('172.15 and 172.32 are public: the range ends where it ends', () => {
    expect([isPublicAddress('172.15.255.255'), isPublicAddress('172.32.0.0')]).toEqual([true, true]);
  });

  it.each(['', 'a', '1.2.3', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/', '::1/129', '1.2.3.4/8/8', 'fe80::1%eth0'])(
    '%j is no range',
    (text) => {
      expect(AddressRange.parse(text)).toBeUndefined();
    },
  );

  it('a range includes the IPv6 forms of its IPv4 addresses', () => {
    const range = AddressRange.parse('10.0.0.0/8');
    expect(range?.includes('::ffff:10.9.8.7')).toBe(true);
    expect(range?.includes('::ffff:11.9.8.7')).toBe(false);
  });
});

describe('host names', () => {
  it.each([
    ['A.Example.COM', 'a.example.com'],
    ['a.example.', 'a.example'],
    ['kms.eu-west-1.amazonaws.com', 'kms.eu-west-1.amazonaws.com'],
    ['192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
  ])('%s is %s', (host, name) => expect(normalizeHost(host)).toBe(name));

  it.each([
    '',
    '.',
    'a..b',
    '-a.b',
    'a-.b',
    'a b',
    'a\0b',
    'a/b',
    'a@b',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '1.2.3.4.5',
    'ä.example',
    `${'a'.repeat(64)}.b`,
    `${'a.'.repeat(127)}a`,
    '[::1]',
    'fe80::1%1',
  ])('%j is none', (host) => expect(normalizeHost(host)).toBeUndefined());
});

describe('the allow-list', () => {
  const list = new AllowList([
    { address: 'kms.eu-west-1.amazonaws.com', port: 443 },
    { address: '*.s3.amazonaws.com', port: 443 },
    { address: 'any.example', port: '*' },
    { address: 'one.example', port: 443, cids: [16] },
    { address: 'inside.example', port: 443, allowPrivate: true },
    { address: '10.1.0.0/16', port: 5432 },
    { address: '169.254.169.123', port: 123 },
  ]);
  const permits = (host: string, port: number, address: string, cid = 16) => {
    try {
      return list.permit({ host, port }, cid).allowsAddress(address);
    } catch (error) {
      expect(error).toMatchObject({ code: 'TARGET_NOT_ALLOWED' });
      return 'not allowed';
    }
  };

  it.each([
    ['kms.eu-west-1.amazonaws.com', 443, '52.94.5.1', true],
    ['KMS.EU-WEST-1.amazonaws.com.', 443, '52.94.5.1', true],
    ['kms.eu-west-1.amazonaws.com', 80, '52.94.5.1', 'not allowed'],
    ['kms.eu-west-1.amazonaws.com.evil.example', 443, '8.8.8.8', 'not allowed'],
    ['evilkms.eu-west-1.amazonaws.com', 443, '8.8.8.8', 'not allowed'],
    ['kms.eu-west-1.amazonaws.com', 443, '169.254.169.254', false],
    ['kms.eu-west-1.amazonaws.com', 443, '127.0.0.1', false],
    ['kms.eu-west-1.amazonaws.com', 443, '10.9.0.1', false],
    ['bucket.s3.amazonaws.com', 443, '52.1.1.1', true],
    ['a.b.s3.amazonaws.com', 443, '52.1.1.1', true],
    ['s3.amazonaws.com', 443, '52.1.1.1', 'not allowed'],
    ['xs3.amazonaws.com', 443, '52.1.1.1', 'not allowed'],
    ['any.example', 1, '8.8.8.8', true],
    ['any.example', 65_535, '8.8.8.8', true],
    ['inside.example', 443, '10.200.0.1', true],
    ['inside.example', 443, '169.254.169.254', true],
    ['10.1.2.3', 5432, '10.1.2.3', true],
    ['10.2.2.3', 5432, '10.2.2.3', false],
    ['database.internal', 5432, '10.1.9.9', true],
    ['database.internal', 5432, '10.2.9.9', false],
    ['database.internal', 5432, '8.8.8.8', false],
    ['169.254.169.123', 123, '169.254.169.123', true],
    ['169.254.169.254', 123, '169.254.169.254', false],
    ['169.254.169.254', 80, '169.254.169.254', 'not allowed'],
    ['kms.eu-west-1.amazonaws.com\0.evil', 443, '8.8.8.8', 'not allowed'],
  ] as const)('%s port %d at %s: %s', (host, port, address, expected) => {
    expect(permits(host, port, address)).toBe(expected);
  });

  it('holds its entries to their enclaves', () => {
    expect(permits('one.example', 443, '8.8.8.8', 16)).toBe(true);
    expect(permits('one.example', 443, '8.8.8.8', 17)).toBe('not allowed');
  });

  it('with nothing on it allows nothing', () => {
    expect(() => new AllowList([]).permit({ host: 'a.example', port: 443 }, 16)).toThrow(
      'expected a target on the allow-list',
    );
  });

  it.each([
    { address: '', port: 443 },
    { address: '*', port: 443 },
    { address: '*.', port: 443 },
    { address: '*.10.0.0.1', port: 443 },
    { address: 'a.*.example', port: 443 },
    { address: 'a example', port: 443 },
    { address: '10.0.0.0/33', port: 443 },
    { address: 'a.example', port: 0 },
    { address: 'a.example', port: 65_536 },
    { address: 'a.example', port: 1.5 },
  ])('refuses the entry %j', (entry) => {
    expect(() => new AllowList([entry])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('the PROXY protocol', () => {
  const of = (remoteAddress?: string, localAddress?: string) => ({
    remoteAddress,
    remotePort: 51_000,
    localAddress,
    localPort: 443,
  });

  it('version 1 as the specification has it', () => {
    expect(encodeProxyV1(of('203.0.113.7', '192.0.2.1')).toString()).toBe(
      'PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n',
    );
    expect(encodeProxyV1(of('2001:db8::7', '2001:db8::1')).toString()).toBe(
      'PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n',
    );
    expect(encodeProxyV1(of('::ffff:203.0.113.7', '::ffff:192.0.2.1')).toString()).toBe(
      'PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n',
    );
    expect(encodeProxyV1({}).toString()).toBe('PROXY UNKNOWN\r\n');
  });

  it('version 2 as the specification has it', () => {
    expect(encodeProxyV2(of('203.0.113.7', '192.0.2.1')).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2111000ccb007107c0000201c73801bb',
    );
    expect(encodeProxyV2(of('2001:db8::7', '::1')).toString('hex')).toBe(
      `0d0a0d0a000d0a515549540a21210024${'20010db8000000000000000000000007'}${'0'.repeat(31)}1c73801bb`,
    );
    expect(encodeProxyV2({}).toString('hex')).toBe('0d0a0d0a000d0a515549540a20000000');
  });
});
