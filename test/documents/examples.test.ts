// The documents' examples in TypeScript that are about an enclave or its parent, or read files: each runs as a program there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { codeBlocks, documents } from '../readme/code-blocks.ts';
import { whyNoInstance } from './instance.ts';
import { Place } from './place.ts';

const MINUTE = 60_000;

const examples = documents()
  .flatMap(codeBlocks)
  .filter(({ language }) => language === 'ts');
const marked = (mark: string) => examples.filter(({ marks }) => marks[0] === mark);

/** The example for the parent that goes on where one for the enclave has ended. */
function nextOf(block: CodeBlock): CodeBlock | undefined {
  const next = examples[examples.indexOf(block) + 1];
  return next?.marks.includes('go-on') ? next : undefined;
}

const impossible = await whyNoInstance();

describe.skipIf(impossible !== undefined)(
  `the examples of the documents${impossible === undefined ? '' : ` [${impossible}]`}`,
  () => {
    let place: Place;
    beforeAll(async () => {
      place = await Place.open();
    }, 2 * MINUTE);
    afterAll(() => place?.[Symbol.asyncDispose](), MINUTE);

    it.each(marked('enclave').map((block) => [block.place, block] as const))(
      'for an enclave run in one: %s',
      async (_place, block) => {
        const enclave = await place.runEnclave(block);
        try {
          const result = await place.answerOf(enclave);
          if ('answer' in result) expect(result.answer).toContain('hello');
          else expect(result.status, result.output).toBe(0);
          if (block.code.includes('api.example.com')) expect(result).toMatchObject({ output: place.answer });
          const next = nextOf(block);
          if (next !== undefined) expect(await place.run(next)).toMatchObject({ status: 0 });
        } finally {
          await enclave.terminate();
        }
      },
      3 * MINUTE,
    );

    const others = [...marked('parent').filter(({ marks }) => !marks.includes('go-on')), ...marked('files')];
    it.each(others.map((block) => [block.place, block] as const))(
      'for a parent, or with files, run: %s',
      async (_place, block) => {
        const { status, output } = await place.run(block);
        expect(status, output).toBe(0);
      },
      2 * MINUTE,
    );
  },
);
