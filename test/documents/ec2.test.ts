// The steps for EC2, of every example and of the guide: run as they are written, on a stand-in for an instance.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { codeBlocks } from '../readme/code-blocks.ts';
import { Containers, whyNoContainers } from './containers.ts';
import type { SessionOptions } from './instance.ts';
import { Instance, whyNoInstance } from './instance.ts';

const MINUTE = 60_000;
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
});
