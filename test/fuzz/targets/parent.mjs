// What reaches the parent from enclaves and clients: the first bytes of proxied connections, prefaces, telemetry, exit
// statuses. None of these readers throws at all: they answer, and what they cannot read they refuse.
import { decodeHex } from '@nitro-enclaves/core';
import { parseExitStatus } from '../../../packages/parent/dist/launch/exit-status.js';
import { parseRecord } from '../../../packages/parent/dist/logs/record.js';
import { parseClientHello } from '../../../packages/parent/dist/proxy/client-hello.js';
import { parseConnectRequest } from '../../../packages/parent/dist/proxy/connect-request.js';
import { normalizeHost } from '../../../packages/parent/dist/proxy/host-name.js';
import { decodePreface, encodePreface } from '../../../packages/vsock/dist/unix-preface.js';

const text = (content) => new TextEncoder().encode(content);
const latin1 = (bytes) => Buffer.from(bytes).toString('latin1');

function uint16(value) {
  return [value >> 8, value & 0xff];
}

function clientHello(extensions) {
  const block = extensions.flatMap(([type, content]) => [...uint16(type), ...uint16(content.length), ...content]);
  const body = [3, 3, ...new Uint8Array(32), 0, ...uint16(2), 0x13, 0x01, 1, 0, ...uint16(block.length), ...block];
  const message = [1, 0, ...uint16(body.length), ...body];
  return Uint8Array.of(22, 3, 1, ...uint16(message.length), ...message);
}

function clientHelloSeeds() {
  const name = [...text('kms.us-east-1.amazonaws.com')];
  const serverName = [...uint16(name.length + 3), 0, ...uint16(name.length), ...name];
  return [
    clientHello([
      [0, serverName],
      [43, [2, 3, 4]],
    ]),
    clientHello([[43, [2, 3, 4]]]),
  ];
}

/** A server name is a name, whatever bytes it came from: nothing else may reach a resolver or a log. */
function readClientHello(bytes) {
  const hello = parseClientHello(bytes);
  if (hello.kind === 'complete' && hello.serverName !== undefined) normalizeHost(hello.serverName);
  return hello.kind;
}

function connectSeeds() {
  return [
    'CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.1\r\nHost: kms.us-east-1.amazonaws.com:443\r\n\r\nrest',
    'CONNECT [::1]:443 HTTP/1.0\r\n\r\n',
  ].map(text);
}

function readConnect(bytes) {
  const request = parseConnectRequest(Buffer.from(bytes));
  if (request.kind === 'complete') {
    normalizeHost(request.target.host);
    if (request.headBytes > bytes.length) throw new Error('a head longer than what was read');
  }
  return request.kind;
}

function prefaceSeeds() {
  return [new Uint8Array(encodePreface({ remote: { cid: 16, port: 1024 }, dialledCid: 3 }))];
}

function readPreface(bytes) {
  const preface = decodePreface(Buffer.from(bytes));
  if (preface === undefined) return 'none';
  if (!encodePreface(preface).equals(bytes)) throw new Error('a preface with a second form');
  return 'preface';
}

function recordSeeds() {
  const log = { kind: 'log', time: 1, level: 'info', event: 'started', fields: { count: 1, name: 'a', ok: true } };
  const metric = { kind: 'metric', time: 1, operation: 'add', name: 'requests', value: 1, fields: {} };
  return [log, metric].map((record) => text(JSON.stringify(record)));
}

const outcome = (value) => (value === undefined ? 'refused' : 'accepted');

const TLS_TOKENS = ['160301', '0100', '0000', '00000100', 'ffff', '0010', '002b', '160303ffff', '01ffffff'].map((hex) =>
  decodeHex(hex),
);
const HTTP_TOKENS = [
  '\r\n',
  '\r\n\r\n',
  'CONNECT ',
  ' HTTP/1.1',
  ':443',
  ':0',
  ':65536',
  '[',
  ']',
  '%00',
  '\0',
  'Host: ',
  ' ',
].map(text);
const JSON_TOKENS = [
  '{',
  '}',
  '[',
  ']',
  'null',
  '1e999',
  '""',
  ',',
  '"__proto__":',
  '"fields":',
  '{}',
  '"exitCode":',
  '-1',
  '1.5',
].map(text);

/** @type {Readonly<Record<string, import('../targets.mjs').FuzzTarget>>} */
export const TARGETS = {
  'client-hello': { seeds: clientHelloSeeds, run: readClientHello, errors: [], tokens: TLS_TOKENS, longest: 20_000 },
  'connect-request': { seeds: connectSeeds, run: readConnect, errors: [], tokens: HTTP_TOKENS, longest: 9000 },
  'vsock-preface': { seeds: prefaceSeeds, run: readPreface, errors: [], tokens: [text('VSCK')], longest: 40 },
  telemetry: {
    seeds: recordSeeds,
    run: (bytes) => outcome(parseRecord(latin1(bytes))),
    errors: [],
    tokens: JSON_TOKENS,
    longest: 9000,
  },
  'exit-status': {
    seeds: () => [text('{"exitCode":0}\n'), text('{"signal":9}\n')],
    run: (bytes) => outcome(parseExitStatus(latin1(bytes))),
    errors: [],
    tokens: JSON_TOKENS,
    longest: 200,
  },
};
