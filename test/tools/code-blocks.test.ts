import { describe, expect, it } from 'vitest';
import { codeBlocksOf, documents } from '../readme/code-blocks.ts';

const DOCUMENT = [
  '# Title',
  '',
  '```ts',
  'one();',
  '```',
  '',
  '```ts no-run',
  'two();',
  '',
  '```',
  '```sh run',
  'three',
  '```',
  '```',
  'four',
  '```',
  '1. A step:',
  '',
  '   ```sh ec2 docker',
  '   five \\',
  '     six',
  '',
  '   ```',
  '',
];

describe('the blocks of a document', () => {
  it('are found with their language, marks, code and place', () => {
    expect(codeBlocksOf('A.md', DOCUMENT.join('\n'))).toEqual([
      { place: 'A.md:3', language: 'ts', marks: [], code: 'one();\n' },
      { place: 'A.md:7', language: 'ts', marks: ['no-run'], code: 'two();\n\n' },
      { place: 'A.md:11', language: 'sh', marks: ['run'], code: 'three\n' },
      { place: 'A.md:19', language: 'sh', marks: ['ec2', 'docker'], code: 'five \\\n  six\n\n' },
    ]);
  });

  it('are looked for in the README of every package', () => {
    expect(documents()).toContain('packages/core/README.md');
  });
});
