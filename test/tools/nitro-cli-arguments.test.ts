import { describe, expect, it } from 'vitest';
import { parseNitroCliArguments } from '../documents/nitro-cli-arguments.mjs';

const parse = (line: string) => parseNitroCliArguments(line.split(' '));

describe("nitro-cli's command line", () => {
  it('is read as nitro-cli reads it', () => {
    expect(parse('run-enclave --eif-path a.eif --memory 2G --cpu-ids 2 3 --enclave-cid=16 --debug-mode')).toEqual({
      command: 'run-enclave',
      options: { 'eif-path': 'a.eif', memory: '2G', 'cpu-ids': ['2', '3'], 'enclave-cid': '16', 'debug-mode': true },
    });
    expect(parse('describe-enclaves')).toEqual({ command: 'describe-enclaves', options: {} });
    expect(parse('terminate-enclave --all').options).toEqual({ all: true });
    expect(parse('explain --error-code E36').options).toEqual({ 'error-code': 'E36' });
    expect(parse('run-enclave --config enclave.json').options).toEqual({ config: 'enclave.json' });
  });

  it.each([
    ['an unknown command', 'start-enclave --eif-path a.eif'],
    ['no command', ''],
    ['an unknown option', 'run-enclave --eif a.eif --memory 512 --cpu-count 2'],
    ['an option of another command', 'describe-enclaves --all'],
    ["an object's own members", 'describe-enclaves --constructor'],
    ['a missing option', 'run-enclave --eif-path a.eif --cpu-count 2'],
    ['two options in the place of one', 'run-enclave --eif-path a.eif --memory 512 --cpu-count 2 --cpu-ids 2 3'],
    ['an option of which the other half is missing', 'build-enclave --docker-uri a --output-file b --private-key k'],
    ['an option twice', 'console --enclave-id a --enclave-id b'],
    ['a flag with a value', 'run-enclave --eif-path a --memory 512 --cpu-count 2 --debug-mode true'],
    ['an option without its value', 'run-enclave --eif-path --memory 512 --cpu-count 2'],
    ['memory in another unit', 'run-enclave --eif-path a.eif --memory 512MiB --cpu-count 2'],
    ['no CPU', 'run-enclave --eif-path a.eif --memory 512 --cpu-count 0'],
    ["the parent's CID", 'run-enclave --eif-path a.eif --memory 512 --cpu-count 2 --enclave-cid 3'],
    ['a word that is no option', 'console hello'],
    ['no choice of an enclave', 'terminate-enclave'],
    ['a code that is none', 'explain --error-code 36'],
  ])('is refused with %s', (_what, line) => {
    expect(() => parse(line)).toThrow(/expected/);
  });
});
