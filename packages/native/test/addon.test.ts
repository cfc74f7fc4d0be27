import { NativeUnavailableError, openSocket } from '@nitro-enclaves/native';
import { describe, expect, it } from 'vitest';
import type { Addon } from '../src/addon.ts';
import { load } from '../src/addon.ts';
import { errnoName, systemError } from '../src/error.ts';

const loadFor = (platform: string): Addon => load(platform, 'nitro-enclaves.node');

describe('the addon of a platform', () => {
  it.each(['darwin-arm64', 'win32-x64', 'linux-riscv64', ''])(
    'is one typed error where there is none: %s',
    (platform) => {
      expect(() => loadFor(platform)).toThrow(NativeUnavailableError);
      expect(() => loadFor(platform)).toThrow(
        expect.objectContaining({ name: 'NativeUnavailableError', code: 'NATIVE_UNSUPPORTED_PLATFORM' }),
      );
    },
  );

  const foreign = process.arch === 'x64' ? 'linux-arm64' : 'linux-x64';
  it.runIf(process.platform === 'linux')(
    'is one typed error where the system refuses it, with the system’s word',
    () => {
      expect(() => loadFor(foreign)).toThrow(
        expect.objectContaining({
          code: 'NATIVE_NOT_LOADED',
          cause: expect.objectContaining({ code: 'ERR_DLOPEN_FAILED' }),
        }),
      );
    },
  );

  it.runIf(process.platform === 'linux')('is loaded once', () => {
    expect(loadFor(`linux-${process.arch}`)).toBe(loadFor(`linux-${process.arch}`));
  });
});

describe.runIf(process.platform === 'linux')('an error of a system call', () => {
  it.each([
    [-11, 'EAGAIN'],
    [-111, 'ECONNREFUSED'],
    [-110, 'ETIMEDOUT'],
    [-19, 'ENODEV'],
    [-61, 'ENODATA'],
    [-71, 'EPROTO'],
  ])('has the name of %s', (errno, name) => {
    expect(errnoName(errno)).toBe(name);
  });

  it('has the shape of Node’s own', () => {
    expect(systemError('open', -2, '/dev/nsm')).toMatchObject({
      message: 'open ENOENT /dev/nsm',
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/dev/nsm',
    });
    expect(systemError('bind', -98)).not.toHaveProperty('path');
  });

  it('is what a refused call throws', () => {
    expect(() => openSocket(-1)).toThrow(expect.objectContaining({ code: 'EAFNOSUPPORT', errno: -97 }));
  });
});
