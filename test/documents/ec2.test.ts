// The steps for EC2, of every example and of the guide: run as they are written, on a stand-in for an instance.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks } from '../readme/code-blocks.ts';
import { Instance, whyNoInstance } from './instance.ts';

const MINUTE = 60_000;
const impossible = await whyNoInstance();

function blocksOf(document: string, ...marks: readonly string[]) {
  return codeBlocks(document).filter((block) => block.language === 'sh' && marks.includes(block.marks[0] ?? ''));
}

describe.skipIf(impossible !== undefined)(
  `the steps for EC2${impossible === undefined ? '' : `: ${impossible}`}`,
  () => {
    let instance: Instance;
    beforeAll(async () => {
      instance = await Instance.start();
    }, 3 * MINUTE);
    afterAll(() => instance?.[Symbol.asyncDispose]());

    async function run(example: string, options: Parameters<Instance['run']>[1] = {}): Promise<string> {
      const { status, output } = await instance.run(blocksOf(`examples/${example}/README.md`, 'ec2'), options);
      expect(status, output).toBe(0);
      return output;
    }

    it(
      'of hello lead to an enclave that tells what it is',
      async () => {
        const output = await run('hello');
        expect(output).toContain('"Terminated": true');
        const [, measured] = /"PCR0": "([0-9a-f]{96})"/.exec(output) ?? [];
        expect(output).toContain(`PCR0 ${'0'.repeat(96)}\n`);
        expect(output).toContain(`PCR0 ${measured}\n`);
      },
      10 * MINUTE,
    );
  },
);
