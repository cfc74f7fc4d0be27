// The browser entries in a real Chromium, in a page and in a worker: every outcome must be the one that Node gives.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@nitro-enclaves/core';
import { EifWriter } from '@nitro-enclaves/eif';
import type { FlawName } from '@nitro-enclaves/emulator';
import { createNitroPki, FLAWS, issueAttestationDocument, issueFlawedDocument } from '@nitro-enclaves/emulator';
import type { BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from './bundle.ts';
import type { Outcomes, Scenario, ScenarioDocument } from './scenario.ts';
import { play } from './scenario.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
];

const NOW = Date.UTC(2026, 4, 17, 9, 30);
const MODULE_ID = 'i-1234567890abcdef0-enc0198bc571bf3e785';
const PCRS = { 0: '01'.repeat(48), 1: '02'.repeat(48), 2: '03'.repeat(48) };

async function emulatedDocuments(): Promise<Pick<Scenario, 'rootHex' | 'documents'>> {
  const pki = await createNitroPki({ seed: 'browser', clock: () => NOW });
  const request = { moduleId: MODULE_ID, pcrs: PCRS, userData: new Uint8Array(1024).fill(1), nonce: new Uint8Array(0) };
  const documents: ScenarioDocument[] = [];
  for (const encoding of ['indefinite', 'definite'] as const) {
    const hex = encodeHex(await issueAttestationDocument(pki, { ...request, encoding }));
    documents.push({ name: encoding, hex, at: NOW }, { name: `${encoding}, expired`, hex, at: NOW + 86_400_000 });
  }
  for (const name of Object.keys(FLAWS) as FlawName[]) {
    documents.push({ name, hex: encodeHex(await issueFlawedDocument(pki, request, name)), at: NOW });
  }
  return { rootHex: encodeHex(pki.rootCertificate), documents };
}

function genuineDocuments(): ScenarioDocument[] {
  const folder = join(process.env['NITRO_VECTORS'] ?? '', 'attestation');
  if (process.env['NITRO_VECTORS'] === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .map((name) => ({ name, hex: readFileSync(join(folder, name), 'hex'), at: 'archived' }));
}

async function smallImages(folder: string): Promise<Scenario['images']> {
  const path = join(folder, 'image.eif');
  await using writer = await EifWriter.create(path, { architecture: 'x86_64', version: 3 });
  await writer.section('kernel', new Uint8Array(2_000_000).fill(7));
  await writer.section('cmdline', new TextEncoder().encode('reboot=k panic=30'));
  await writer.section('ramdisk', new Uint8Array(70_000).fill(8));
  await writer.finish();
  const hex = readFileSync(path, 'hex');
  return [
    { name: 'an image', hex },
    { name: 'an image cut off', hex: hex.slice(0, 1_000_000) },
  ];
}

async function serve(): Promise<Server> {
  const files: Record<string, Uint8Array> = {};
  for (const name of ['page', 'worker']) {
    files[`/${name}.js`] = await bundle({ entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))] });
  }
  const server = createServer(({ url = '/' }, response) => {
    const script = files[url];
    response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript');
    response.end(script ?? '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const reason = `needs ${CHROMIUM}: apt-get install chromium`;

describe.skipIf(!existsSync(CHROMIUM))(`in Chromium (${reason})`, () => {
  let folder: string;
  let server: Server;
  let browser: BrowserContext;
  let page: Page;
  let scenario: Scenario;
  let inNode: Outcomes;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'browser-'));
    const { rootHex, documents } = await emulatedDocuments();
    const images = await smallImages(folder);
    scenario = { rootHex, pcrs: PCRS, documents: [...documents, ...genuineDocuments()], images };
    inNode = JSON.parse(JSON.stringify(await play(scenario)));
    server = await serve();
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      args: FLAGS,
      timeout: 120_000,
    });
    page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction('play');
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('Node itself accepts what is good and refuses what is not', () => {
    expect(inNode['indefinite']).toMatchObject({ moduleId: MODULE_ID });
    expect(inNode['definite']).toMatchObject({ moduleId: MODULE_ID });
    expect(inNode['an image']).toMatchObject({ pcrs: expect.anything() });
    expect(inNode['an image cut off']).toMatchObject({ refused: expect.any(String) });
    const refused = Object.values(inNode).filter((outcome) => (outcome as { refused?: string }).refused !== undefined);
    expect(refused.length).toBeGreaterThan(30);
  });

  it('a page gives the same outcome for every document and image', { timeout: 300_000 }, async () => {
    const inPage = await page.evaluate((input) => (globalThis as unknown as Player).play(input), scenario);
    expect(inPage).toEqual(inNode);
  });

  it('a worker gives the same outcome for every document and image', { timeout: 300_000 }, async () => {
    const inWorker = await page.evaluate((input) => {
      const worker = new Worker('/worker.js', { type: 'module' });
      return new Promise<unknown>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage(input);
      });
    }, scenario);
    expect(inWorker).toEqual({ outcomes: inNode });
  });
});

interface Player {
  play(scenario: Scenario): Promise<Outcomes>;
}
