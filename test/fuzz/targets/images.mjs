// Enclave images, the cpio archives inside them, and the tar archives that they are built from.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { concatBytes, encodeCbor, encodeCoseSign1 } from '@nitro-enclaves/core';
import { EifBuildError, EifError, EifWriter, lintEif, lsEif, readEif } from '@nitro-enclaves/eif';
import { decodeImageConfig } from '../../../packages/eif/dist/build/image/config.js';
import { tarEntries } from '../../../packages/eif/dist/build/tar/reader.js';
import { piecesOf } from '../../../packages/eif/dist/build/tar/region.js';
import { readCpio } from '../../../packages/eif/dist/cpio/reader.js';
import { CPIO_TRAILER, cpioPadding, encodeCpioHeader } from '../../../packages/eif/dist/cpio/writer.js';
import { decodeSignatureSection, encodeSignatureSection } from '../../../packages/eif/dist/sign/signature-section.js';
import { verifyEifSignature } from '../../../packages/eif/dist/sign/verify-signature.js';
import { emulatedRoot, NOW } from '../seeds.mjs';

const text = (content) => new TextEncoder().encode(content);

const FILE = { uid: 0, gid: 0, links: 1, modified: 0, deviceMajor: 0, deviceMinor: 0, mode: 0o100644 };

function cpioEntry(name, content, fields = {}) {
  const header = { ...FILE, name, inode: 1, size: content.length, ...fields };
  return concatBytes(text(encodeCpioHeader(header)), content, new Uint8Array(cpioPadding(content.length)));
}

function cpioArchive() {
  return concatBytes(
    cpioEntry('etc', text(''), { mode: 0o040755, inode: 2 }),
    cpioEntry('etc/hello', text('hello world'), { inode: 3 }),
    cpioEntry('bin', text('etc'), { mode: 0o120777, inode: 4 }),
    cpioEntry('dev/null', text(''), { mode: 0o020666, deviceMajor: 1, deviceMinor: 3, inode: 5 }),
    cpioEntry(CPIO_TRAILER, text(''), { inode: 0, mode: 0 }),
  );
}

function cpioSeeds() {
  const archive = cpioArchive();
  return [archive, concatBytes(archive, new Uint8Array(4), archive), new Uint8Array(gzipSync(archive))];
}

const CPIO_LIMITS = { maxBytes: 1 << 20, maxEntries: 1000 };

async function* inPieces(bytes) {
  for (let at = 0; at < bytes.length; at += 64) yield bytes.subarray(at, at + 64);
}

async function readCpioWhole(bytes) {
  await readCpio(
    inPieces(bytes),
    async (_, content) => {
      for await (const piece of content) void piece;
    },
    CPIO_LIMITS,
  );
}

const METADATA = text(
  JSON.stringify({
    ImageName: 'hello',
    ImageVersion: '1.0',
    BuildMetadata: {
      BuildTime: '2026-01-01T00:00:00+00:00',
      BuildTool: 'nitro-cli',
      BuildToolVersion: '1.4.0',
      OperatingSystem: 'Linux',
      KernelVersion: '6.6.79',
    },
    DockerInfo: null,
    CustomMetadata: null,
  }),
);

async function eifSeeds() {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-eif-'));
  try {
    const images = [];
    for (const version of [3, 4]) {
      const path = join(folder, `${version}.eif`);
      const writer = await EifWriter.create(path, { architecture: 'x86_64', version });
      await writer.section('kernel', text('kernel'));
      await writer.section('cmdline', text('reboot=k panic=30 nit.target=/run'));
      if (version === 4) await writer.section('metadata', METADATA);
      await writer.section('ramdisk', cpioArchive());
      await writer.section('ramdisk', new Uint8Array(gzipSync(cpioArchive())));
      await writer.finish();
      images.push(new Uint8Array(readFileSync(path)));
    }
    return images;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readImage(bytes) {
  await readEif(bytes);
  await lsEif(bytes);
  await lintEif(bytes);
}

const PCR0 = 'a0'.repeat(48);

/** A whole signature section, of a certificate whose key has not signed it. */
async function signatureSeeds() {
  const base64 = Buffer.from(await emulatedRoot()).toString('base64');
  const certificate = text(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`);
  const protectedHeader = encodeCbor(new Map([[1, -35]]));
  const payload = encodeCbor(
    new Map([
      ['register_index', 0],
      ['register_value', [...Buffer.from(PCR0, 'hex')]],
    ]),
  );
  const message = encodeCoseSign1({ protectedHeader, payload, signature: new Uint8Array(96).fill(1) });
  return [encodeSignatureSection(certificate, message)];
}

/** Everything up to the signature itself, which no spoiled input gets past. */
async function readSignature(bytes) {
  try {
    await verifyEifSignature({ signature: decodeSignatureSection(bytes), pcrs: { PCR0 } }, { at: new Date(NOW) });
  } catch (error) {
    if (error.code !== 'EIF_SIGNATURE') throw error;
    return 'signed by another';
  }
  return 'verified';
}

const SIGNATURE_TOKENS = ['\x18\x2d', '\x0a', '\x81\xa2', '\x98\x30', 'signature', '-----END CERTIFICATE-----'].map(
  (latin1) => Uint8Array.from(latin1, (character) => character.charCodeAt(0)),
);

const HEADER_BYTES = 548;
const CRC_OFFSET = 544;

/** The CRC put right, so that what is behind it is reached. */
function withRightCrc(bytes) {
  if (bytes.length < HEADER_BYTES) return bytes;
  const crc = crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CRC_OFFSET)));
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(CRC_OFFSET, crc);
  return bytes;
}

const IMAGE_TOKENS = ['.eif', '070701', '070702', 'TRAILER!!!\0', '\x1f\x8b\x08', '\0\x03', '\0\x04', '\0\x05'].map(
  text,
);

function tarHeader(name, type, size) {
  const header = Buffer.alloc(512);
  header.write(name, 0, 'latin1');
  for (const [at, value] of [
    [100, '0000644'],
    [108, '0000000'],
    [116, '0000000'],
    [124, size.toString(8).padStart(11, '0')],
    [136, '00000000000'],
    [148, '        '],
    [156, type],
    [257, 'ustar\x0000'],
  ])
    header.write(value, at, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function tarEntry(name, type, content) {
  const bytes = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  bytes.write(content, 'latin1');
  return Buffer.concat([tarHeader(name, type, content.length), bytes]);
}

function tarSeeds() {
  const end = Buffer.alloc(1024);
  const pax = tarEntry('PaxHeader', 'x', '20 path=a/long/name\n');
  const plain = [tarEntry('etc/', '5', ''), tarEntry('etc/hello', '0', 'hello world'), end];
  return [
    Buffer.concat(plain),
    Buffer.concat([pax, ...plain]),
    Buffer.concat([tarEntry('././@LongLink', 'L', `${'a'.repeat(200)}\0`), ...plain]),
  ].map((bytes) => new Uint8Array(bytes));
}

const tarFile = openTemporary();

/** A file without a name: it goes with the process. */
function openTemporary() {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-tar-'));
  const path = join(folder, 'archive');
  const fd = openSync(path, 'w+');
  unlinkSync(path);
  rmSync(folder, { recursive: true });
  process.once('exit', () => closeSync(fd));
  return fd;
}

/** The checksums put right: nothing behind a wrong one is read. */
function withRightChecksums(bytes) {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (Buffer.from(bytes.buffer, bytes.byteOffset + at + 257, 5).toString('latin1') !== 'ustar') continue;
    const block = bytes.subarray(at, at + 512);
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.set(text(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  }
  return bytes;
}

function readTar(bytes) {
  const archive = withRightChecksums(bytes);
  writeSync(tarFile, archive, 0, archive.length, 0);
  for (const { content } of tarEntries({ fd: tarFile, offset: 0, size: archive.length })) {
    for (const piece of piecesOf(content)) void piece;
  }
}

function configSeeds() {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/hello'], Entrypoint: null, WorkingDir: '/', User: 'nobody' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
  };
  return [text(JSON.stringify(config))];
}

/** Only what is JSON: that it is none is found before. */
function readConfig(bytes) {
  let json;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return 'no JSON';
  }
  return void decodeImageConfig(json);
}

const JSON_TOKENS = [
  '{',
  '}',
  '[',
  ']',
  'null',
  'true',
  '0',
  '1e999',
  '""',
  ',',
  ':',
  '"__proto__":',
  '"rootfs":',
  '"config":',
  '{}',
  '[]',
  '[null]',
].map(text);

/** @type {Readonly<Record<string, import('../targets.mjs').FuzzTarget>>} */
export const TARGETS = {
  eif: { seeds: eifSeeds, run: readImage, errors: [EifError], tokens: IMAGE_TOKENS, longest: 8192 },
  'eif-behind-crc': {
    seeds: eifSeeds,
    run: (bytes) => readImage(withRightCrc(bytes)),
    errors: [EifError],
    tokens: IMAGE_TOKENS,
    longest: 8192,
  },
  'eif-signature': { seeds: signatureSeeds, run: readSignature, errors: [EifError], tokens: SIGNATURE_TOKENS },
  cpio: { seeds: cpioSeeds, run: readCpioWhole, errors: [EifError], tokens: IMAGE_TOKENS, longest: 8192 },
  tar: { seeds: tarSeeds, run: readTar, errors: [EifBuildError], tokens: IMAGE_TOKENS, longest: 8192 },
  'image-config': { seeds: configSeeds, run: readConfig, errors: [EifBuildError], tokens: JSON_TOKENS, longest: 2048 },
};
