import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRequest, UsageError } from '../src/request.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const CIPHERTEXT = Buffer.from('a ciphertext').toString('base64');

const read = (line: string, env: Record<string, string> = {}, isTerminal = false) =>
  readRequest({ args: line.split(' '), env, isTerminal });

function refusalOf(line: string, env: Record<string, string> = {}, isTerminal = false): string {
  try {
    read(line, env, isTerminal);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return expect.fail(`expected to refuse ${line}`);
}

describe('the command line', () => {
  it('reads what kmstool_enclave_cli reads', () => {
    expect(read(`decrypt --region eu-west-1 --proxy-port 8002 --ciphertext ${CIPHERTEXT}`)).toMatchObject({
      region: 'eu-west-1',
      proxyPort: 8002,
      operation: { command: 'decrypt', algorithm: 'SYMMETRIC_DEFAULT', keyId: undefined, context: undefined },
    });
    expect(read('genkey --key-id alias/orders --key-spec AES-128')).toMatchObject({
      region: 'us-east-1',
      proxyPort: 8000,
      operation: { command: 'genkey', keyId: 'alias/orders', keySpec: 'AES_128' },
    });
    expect(read('genrandom --length 1024').operation).toStrictEqual({ command: 'genrandom', length: 1024 });
  });

  it('reads an encryption context, equal signs in its values included', () => {
    const { operation } = read(
      'genkey --key-id k --key-spec AES-256 --encryption-context a=1 --encryption-context b=c=d',
    );
    expect(operation).toMatchObject({ context: { a: '1', b: 'c=d' } });
  });

  it('takes credentials out of the environment', () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: 'token' };
    const credentials = { accessKeyId: 'AKID', secretAccessKey: SECRET, sessionToken: 'token' };
    expect(read('genrandom --length 1', env).credentials).toStrictEqual(credentials);
  });

  it.each(['--aws-access-key-id', '--aws-secret-access-key', '--aws-session-token'])(
    'refuses %s, says what to do, and repeats no secret',
    (flag) => {
      for (const given of [`${flag} ${SECRET}`, `${flag}=${SECRET}`]) {
        const message = refusalOf(`genrandom --length 1 ${given}`);
        expect(message).toContain(flag);
        expect(message).toContain('AWS_SECRET_ACCESS_KEY');
        expect(message).not.toContain(SECRET);
      }
    },
  );

  it.each([
    ['no command', '--length 1', 'expected the command'],
    ['another command', 'encrypt --length 1', 'expected the command'],
    ['two commands', 'genrandom genkey --length 1', 'one command'],
    ['an unknown option', 'genrandom --length 1 --plaintext x', 'Unknown option'],
    ['no length', 'genrandom', 'expected --length'],
    ['a length of zero', 'genrandom --length 0', '1 to 1024'],
    ['too many bytes', 'genrandom --length 1025', '1 to 1024'],
    ['parts of bytes', 'genrandom --length 1.5', '1 to 1024'],
    ['a key of another kind', 'genkey --key-id k --key-spec AES_256', 'AES-256 or AES-128'],
    ['no key', 'genkey --key-spec AES-256', 'expected --key-id'],
    ['no ciphertext', 'decrypt --key-id k', 'expected --ciphertext'],
    ['what is no base64', 'decrypt --key-id k --ciphertext a*b=', 'base64'],
    ['a ciphertext that KMS would not take', `decrypt --ciphertext ${Buffer.alloc(6145).toString('base64')}`, '6144'],
    ['an algorithm that KMS has not', `decrypt --ciphertext ${CIPHERTEXT} --encryption-algorithm ROT13`, 'RSAES'],
    ['a port that is none', 'genrandom --length 1 --proxy-port 4294967295', '--proxy-port'],
    ['an option of another command', 'genrandom --length 1 --key-id k', 'no option of genrandom'],
    ['looseness where it means nothing', 'genkey --key-id k --key-spec AES-256 --allow-any-key', 'no option of genkey'],
    ['a context without a name', `decrypt --ciphertext ${CIPHERTEXT} --encryption-context =1`, 'name=value'],
    [
      'a context with a name twice',
      `decrypt --ciphertext ${CIPHERTEXT} --encryption-context a=1 --encryption-context a=2`,
      'once',
    ],
  ])('refuses %s', (_, line, reason) => {
    expect(refusalOf(line)).toContain(reason);
  });

  it('refuses half of an access key in the environment, without repeating it', () => {
    const message = refusalOf('genrandom --length 1', { AWS_SECRET_ACCESS_KEY: SECRET });
    expect(message).toContain('together');
    expect(message).not.toContain(SECRET);
  });

  it('refuses to print secrets to a terminal unless told to', () => {
    expect(refusalOf('genrandom --length 1', {}, true)).toContain('--allow-terminal');
    expect(read('genrandom --length 1 --allow-terminal', {}, true).operation.command).toBe('genrandom');
  });

  it('repeats nothing of what stands on it by mistake', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9+/=]{12,40}$/);
    fc.assert(fc.property(word, (text) => !refusalOf(`genrandom --length 1 ${text}`).includes(text)));
    fc.assert(fc.property(word, (text) => !refusalOf(`decrypt --ciphertext *${text}`).includes(text)));
  });
});
