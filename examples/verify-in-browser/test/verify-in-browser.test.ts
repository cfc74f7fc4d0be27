// The page in a real Chromium, over a real enclave of the emulator; and over servers that lie.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeHex } from '@nitro-enclaves/core';
import type { EmulatedEnclave, Emulator, FlawName } from '@nitro-enclaves/emulator';
import { FLAWS, issueFlawedDocument, startEmulator } from '@nitro-enclaves/emulator';
import type { BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandOf, scratchFolder, untilListening } from '../../../test/examples/running-example.ts';
import { ATTESTATION_PORT, askEnclave } from '../src/attestation-service.ts';
import { buildPage } from '../src/build-page.ts';
import type { PageTrust } from '../src/page/trust.ts';
import type { PageServerOptions } from '../src/page-server.ts';
import { createPageServer } from '../src/page-server.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
];

const folder = scratchFolder();
const servers = new Set<Server>();
let emulator: Emulator;
let enclave: EmulatedEnclave;
let trust: PageTrust;

beforeAll(async () => {
  emulator = await startEmulator({ kms: false, region: 'eu-west-1' });
  enclave = await emulator.runEnclave({ command: await commandOf('verify-in-browser', folder.path) });
  await untilListening(emulator, enclave, ATTESTATION_PORT);
  const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
  const images = [{ name: 'verify-in-browser 1.0', pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }];
  trust = { images, emulatorRoot: encodeHex(emulator.rootCertificate), endpoint: '/attestation' };
}, 180_000);

afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections();
  await emulator?.close();
  folder[Symbol.dispose]();
});

type Ask = PageServerOptions['ask'];
const honest: Ask = (request) => askEnclave(emulator.transport, enclave.cid, request);

/** Address of a page server of its own. */
async function serve(ask: Ask = honest, page?: string): Promise<string> {
  const server = createPageServer({ page: page ?? (await buildPage(trust)), ask });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('the page server', () => {
  it('passes a challenge on and a document back, for a page of any origin', async () => {
    const response = await fetch(`${await serve()}attestation?nonce=${'ab'.repeat(32)}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const document = Buffer.from(await response.arrayBuffer());
    expect(document.includes(Buffer.alloc(32, 0xab))).toBe(true);
  });

  it.each(['', '?nonce=', '?nonce=ab', `?nonce=${'AB'.repeat(32)}`, `?nonce=${'ab'.repeat(33)}`])(
    'refuses "%s" without asking the enclave',
    async (query) => {
      let asked = 0;
      const url = await serve(() => {
        asked += 1;
        return Promise.reject(new Error('asked'));
      });
      const response = await fetch(`${url}attestation${query}`);
      expect(response.status).toBe(400);
      expect(asked).toBe(0);
    },
  );

  it('says 502 when the enclave gives nothing, 404 and 405 to what is no question', async () => {
    const url = await serve(() => Promise.reject(new Error('no enclave')), '');
    expect((await fetch(`${url}attestation?nonce=${'00'.repeat(32)}`)).status).toBe(502);
    expect((await fetch(`${url}favicon.ico`)).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  });
});

describe('the enclave', () => {
  it.each([0, 31, 33, 100_000])('answers nothing to a challenge of %d bytes, and goes on', async (length) => {
    const signal = AbortSignal.timeout(30_000);
    await expect(honest({ nonce: new Uint8Array(length), signal })).rejects.toThrow();
    expect((await honest({ nonce: new Uint8Array(32), signal })).length).toBeGreaterThan(1000);
  });

  it('is given up when the signal says so', async () => {
    await expect(honest({ nonce: new Uint8Array(32), signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

describe('the page as a file', () => {
  it('is the same for the same trust, another for another, and names nobody else', async () => {
    const page = await buildPage(trust);
    expect(await buildPage(trust)).toBe(page);
    expect(await buildPage({ images: trust.images, endpoint: trust.endpoint })).not.toBe(page);
    expect(page).not.toMatch(/(?:src|href)=/);
    expect(page).not.toMatch(/<style><|content="policy"|module"><\/script/);
    expect(await buildPage({ ...trust, endpoint: 'https://parent.example/attestation' })).toContain(
      'connect-src https://parent.example;',
    );
  });
});

describe('the programs', () => {
  const program = (name: string) => fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));

  it('run everything on one machine, and end when told to', { timeout: 120_000 }, async () => {
    const laptop = spawn(process.execPath, [program('laptop'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(laptop, 'exit');
    try {
      const [line] = await once(createInterface(laptop.stdout), 'line');
      expect(await (await fetch(line)).text()).toContain('<h1>Is this the enclave?</h1>');
      const document = await fetch(`${line}attestation?nonce=${'00'.repeat(32)}`);
      expect((await document.arrayBuffer()).byteLength).toBeGreaterThan(1000);
    } finally {
      laptop.kill('SIGINT');
    }
    expect(await ended).toEqual([0, null]);
  });

  it('make a page of what an image measured, and refuse what is no measurement', { timeout: 60_000 }, () => {
    const measurements = join(folder.path, 'measurements.json');
    const output = join(folder.path, 'page.html');
    const endpoint = 'https://parent.example/attestation';
    const args = [program('parent'), '--measurements', measurements, '--endpoint', endpoint, '--output', output];
    const { PCR0, PCR1, PCR2 } = enclave.describe().Measurements;
    writeFileSync(
      measurements,
      JSON.stringify({ Measurements: { HashAlgorithm: 'Sha384 { ... }', PCR0, PCR1, PCR2 } }),
    );
    expect(spawnSync(process.execPath, args, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const page = readFileSync(output, 'utf8');
    for (const part of [PCR0, PCR1, PCR2, endpoint]) expect(page).toContain(part);
    writeFileSync(measurements, JSON.stringify({ Measurements: { PCR0, PCR1 } }));
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('expected Measurements.PCR2');
  });
});

const reason = `needs ${CHROMIUM}: apt-get install chromium`;

describe.skipIf(!existsSync(CHROMIUM))(`in Chromium (${reason})`, () => {
  let browser: BrowserContext;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launchPersistentContext(join(folder.path, 'profile'), {
      executablePath: CHROMIUM,
      args: FLAGS,
      timeout: 120_000,
      viewport: { width: 1120, height: 900 },
    });
    page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  }, 180_000);

  afterAll(() => browser?.close(), 60_000);

  const verdict = async () => {
    await page.waitForSelector('.verdict:not(.waiting)');
    return (await page.textContent('#verdict')) ?? '';
  };

  it('shows who it is: image, chain, statement, every check', { timeout: 180_000 }, async () => {
    problems.length = 0;
    await page.goto(await serve());
    expect(await verdict()).toContain('Yes: this is the enclave');
    const report = (await page.textContent('#report')) ?? '';
    expect(report).toContain('verify-in-browser 1.0');
    for (const pcr of Object.values(trust.images[0]?.pcrs ?? {})) expect(report).toContain(pcr);
    expect(report).toContain(enclave.enclaveId);
    expect(report).toContain('eu-west-1');
    expect(report).toContain("an emulator's root, not AWS");
    expect(report).toContain('applicationverify-in-browser');
    expect(await page.locator('.chain li').count()).toBe(5);
    expect(await page.locator('.checks .passed').count()).toBeGreaterThan(15);
    expect(await page.locator('.checks .failed, .checks .not-reached').count()).toBe(0);
    // Styles and script ran under the page's own policy; a favicon is the browser's own idea.
    expect(problems.filter((problem) => !problem.includes('404'))).toEqual([]);
    await screenshot(page, 'verified');
  });

  it('answers each question by another document', { timeout: 120_000 }, async () => {
    const challenge = () => page.locator('.facts dd').nth(4).textContent();
    const first = await challenge();
    await page.click('#ask');
    expect(await verdict()).toContain('Yes');
    expect(await challenge()).not.toBe(first);
  });

  it.each([
    ['replay', 'NONCE_MISMATCH', 'freshness'],
    ['forge', 'SIGNATURE', 'signature'],
    ['image', 'IMAGE_MISMATCH', 'image'],
    ['root', 'TRUST_ANCHOR', 'trust-anchor'],
  ])('notices the attack %s: %s', { timeout: 120_000 }, async (attack, code, check) => {
    await page.click('#ask');
    expect(await verdict()).toContain('Yes');
    await page.click(`#attack-${attack}`);
    await page.waitForSelector('.verdict.refused');
    expect(await page.textContent('#verdict .code')).toBe(code);
    expect(await page.locator(`.checks .failed[data-check="${check}"]`).count()).toBe(1);
    // Nothing of a document that is refused is shown.
    expect(await page.textContent('#report')).not.toContain(enclave.enclaveId);
    if (attack === 'forge') await screenshot(page, 'refused');
  });

  it('refuses a server that replays what it once heard', { timeout: 120_000 }, async () => {
    const heard = await honest({ nonce: new Uint8Array(32).fill(7), signal: AbortSignal.timeout(30_000) });
    await page.goto(await serve(() => Promise.resolve(heard)));
    expect(await verdict()).toContain('No: this answer is refused');
    expect(await page.textContent('#verdict .code')).toBe('NONCE_MISMATCH');
    expect(await page.isDisabled('#attack-replay')).toBe(true);
  });

  it.each<FlawName>(['signature-by-stranger', 'path-leaf-signed-by-stranger', 'document-trailing-byte', 'debug-mode'])(
    'refuses a server that forges: %s',
    { timeout: 120_000 },
    async (flaw) => {
      const pcrs = trust.images[0]?.pcrs ?? {};
      await page.goto(
        await serve(({ nonce }) =>
          issueFlawedDocument(emulator.pki, { moduleId: enclave.enclaveId, pcrs, nonce }, flaw),
        ),
      );
      expect(await verdict()).toContain('No: this answer is refused');
      expect(await page.textContent('#verdict .code')).toBe(FLAWS[flaw].code);
    },
  );

  it('says so when there is no enclave', { timeout: 120_000 }, async () => {
    await page.goto(await serve(() => Promise.reject(new Error('it has ended'))));
    expect(await verdict()).toContain('There is no answer');
    expect(await page.isDisabled('#attack-replay')).toBe(true);
  });
});

/** For people: where SCREENSHOTS names a folder, what the page looks like. */
async function screenshot(page: Page, name: string): Promise<void> {
  const shots = process.env['SCREENSHOTS'] ?? join(folder.path, 'screenshots');
  mkdirSync(shots, { recursive: true });
  const path = join(shots, `${name}.png`);
  await page.screenshot({ path, fullPage: true });
  expect(existsSync(path)).toBe(true);
}
