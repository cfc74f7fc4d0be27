import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NITRO_CLI_ERRORS, parseServiceConfig } from '../src/index.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = read('../README.md');
const codesIn = (text: string): string[] => [...text.matchAll(/'([A-Z_]+)'/g)].map(([, code = '']) => code).sort();

/** The codes in the table of one class, whose head names the class. */
function documented(className: string): string[] {
  const [, table = ''] = new RegExp(`^\\| \`${className}\` code.*\\n((?:\\|.*\\n)*)`, 'm').exec(readme) ?? [];
  return [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, code = '']) => code).sort();
}

describe('the tables of error codes in the README', () => {
  it.each([
    ['ProxyError', codesIn(read('../src/proxy/error.ts'))],
    ['LaunchError', codesIn(read('../src/launch/error.ts'))],
    ['NitroCliError', Object.keys(NITRO_CLI_ERRORS).sort()],
  ])('list the codes of %s, no more and no fewer', (className, codes) => {
    expect(codes.length).toBeGreaterThan(0);
    expect(documented(className)).toEqual(codes);
  });

  it('say of each of nitro-cli’s codes what the error itself says', () => {
    for (const [code, meaning] of Object.entries(NITRO_CLI_ERRORS))
      expect(readme).toMatch(
        new RegExp(`^\\| \`${code}\` +\\| ${meaning.replaceAll(/[.*+?()[\]]/g, '\\$&')} +\\|$`, 'm'),
      );
  });
});

describe('the configuration file of the README', () => {
  const [, yaml = ''] = /^```yaml\n(.*?)^```$/ms.exec(readme) ?? [];

  it('is one that the service takes, with every kind of route', () => {
    const { proxy, credentials, logs, metrics } = parseServiceConfig(yaml, 'README.md');
    expect(proxy.routes.map((route) => (route.direction === 'egress' ? route.to.kind : route.from.kind))).toEqual([
      'tcp',
      'sni',
      'connect',
      'unix',
      'tcp',
      'systemd',
    ]);
    expect([credentials, logs, metrics]).not.toContain(undefined);
  });

  it('has every key of the reference, and no other', () => {
    const rows = [...readme.matchAll(/^\| `([a-zA-Z]+)` +\| [^|]+\|$/gm)].map(([, key = '']) => key);
    const keys = ['allowlist', 'routes', 'limits', 'drainTimeout', 'metrics', 'credentials', 'logs'];
    expect(rows.filter((key) => /^[a-z]/.test(key))).toEqual(keys);
    expect(() => parseServiceConfig('elsewhere: {}', 'README.md')).toThrow('elsewhere');
    for (const key of keys) expect(() => parseServiceConfig(`${key}: 1.5`, 'README.md')).toThrow(key);
  });
});
