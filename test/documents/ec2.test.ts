// The steps for EC2, of every example and of the guide: run as they are written, on a stand-in for an instance.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { codeBlocks } from '../readme/code-blocks.ts';
import { Containers, whyNoContainers } from './containers.ts';
import type { SessionOptions } from './instance.ts';
import { Instance, whyNoInstance } from './instance.ts';

const MINUTE = 60_000;

/** A public certificate authority, which answers to a request. */
const AUTHORITY = `openssl req -x509 -newkey rsa:2048 -noenc -keyout $INSTANCE/authority.key -out $INSTANCE/authority.pem -subj /CN=authority
openssl x509 -req -in request.pem -copy_extensions copy -days 30 -CA $INSTANCE/authority.pem -CAkey $INSTANCE/authority.key -out chain.pem`;
const impossible = await whyNoInstance();
const withoutContainers = whyNoContainers();
const reason = impossible ?? (withoutContainers && `no Dockerfile: ${withoutContainers}`);

/** The blocks of the steps; those for docker where it can be stood in for. */
function steps(document: string): CodeBlock[] {
  return codeBlocks(document).filter(
    ({ language, marks }) =>
      language === 'sh' && marks[0] === 'ec2' && (withoutContainers === undefined || !marks.includes('docker')),
  );
}

describe.skipIf(impossible !== undefined)(`the steps for EC2${reason === undefined ? '' : ` [${reason}]`}`, () => {
  let instance: Instance;
  let containers: Containers | undefined;
  beforeAll(async () => {
    instance = await Instance.start();
    if (withoutContainers === undefined)
      containers = new Containers(mkdtempSync(join(tmpdir(), 'containers-')), [
        'docker.io/library/node:24-bookworm-slim',
      ]);
  }, 5 * MINUTE);
  afterAll(async () => {
    containers?.close();
    await instance?.[Symbol.asyncDispose]();
  }, MINUTE);

  async function run(document: string, options: SessionOptions = {}): Promise<string> {
    const { status, output } = await instance.run(steps(document), { ...options, env: containers?.env ?? {} });
    expect(status, output.slice(-5000)).toBe(0);
    return output;
  }

  it(
    'of hello lead to an enclave that tells what it is',
    async () => {
      const output = await run('examples/hello/README.md');
      expect(output).toContain('"Terminated": true');
      expect(output).toContain(`PCR0 ${'0'.repeat(96)}\n`);
      const measured = Array.from(output.matchAll(/^PCR0 ([0-9a-f]{96})$/gm), ([, pcr]) => pcr);
      expect(measured.at(-1)).toBe(measured[withoutContainers === undefined ? 1 : 0]);
      expect(parse(instance.read('/etc/nitro_enclaves/allocator.yaml'))).toEqual({ memory_mib: 1024, cpu_count: 2 });
    },
    10 * MINUTE,
  );

  /** The requests that KMS has answered for enclaves, since the session began. */
  function attested(from: number): string[] {
    return instance.audit.slice(from).flatMap(({ eventName, errorCode, additionalEventData }) => {
      const { recipient } = (additionalEventData ?? {}) as { recipient?: object };
      return recipient !== undefined && errorCode === undefined ? [String(eventName)] : [];
    });
  }

  it(
    'of kms-tool lead to an application whose data key nobody else has',
    async () => {
      const from = instance.audit.length;
      const afterwards = `until grep -q '"eventName":"GenerateDataKey"' $INSTANCE/audit; do sleep 1; done`;
      await run('examples/kms-tool/README.md', { afterwards });
      expect(attested(from)).toEqual(['GenerateDataKey']);
    },
    10 * MINUTE,
  );

  it(
    'of process-file lead to a summary that the sender believes',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/process-file/README.md');
      expect(output).toMatch(/^verified: \d+ checks held/m);
      expect(output).toContain('"rows": 3');
      expect(attested(from)).toEqual(['Decrypt', 'GenerateDataKey']);
    },
    10 * MINUTE,
  );

  it(
    'of signer lead to a signature, and to a trail that verifies',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/signer/README.md');
      expect(output).toMatch(/"signature":"\w/);
      expect(output).toMatch(/^verified: i-\w+-enc\w+ of the image, 2 entries of its trail$/m);
      expect(attested(from)).toEqual(['GenerateDataKeyPair']);
    },
    10 * MINUTE,
  );

  it(
    'of tls-server lead to TLS that ends in the enclave',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/tls-server/README.md', { before: { certified: AUTHORITY } });
      expect(output).toContain('GET /: hello from behind TLS that ends in the enclave');
      expect(output).toContain('Verify return code: 0 (ok)');
      expect(attested(from)).toEqual(['Decrypt']);
    },
    10 * MINUTE,
  );

  it(
    'of verify-in-browser lead to a page, and to a document for its challenge',
    async () => {
      const ask = `curl -sf --retry 60 --retry-all-errors http://127.0.0.1:8080/attestation?nonce=${'ab'.repeat(32)} > $INSTANCE/answer`;
      const output = await run('examples/verify-in-browser/README.md', { afterwards: ask });
      expect(output).toMatch(/^[0-9a-f]{64} {2}page\.html$/m);
      const { PCR0, PCR1, PCR2 } = JSON.parse(instance.read('tree/measurements.json')).Measurements;
      const { moduleId } = await verifyAttestationDocument(instance.readBytes('answer'), {
        images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
        freshness: { nonce: Buffer.from('ab'.repeat(32), 'hex') },
        [customTrustAnchor]: instance.emulator.rootCertificate,
      });
      expect(moduleId).toContain('-enc');
    },
    10 * MINUTE,
  );
});
