import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elf, Workplace } from './build/workplace.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place.remove());

function build(options: Parameters<Workplace['build']>[0]): Promise<unknown> {
  return place.build({ rootfs: place.path('root'), preserveAttributes: true, ...options });
}

describe('the entry point', () => {
  it('is found by its path, and through links that stay inside of the image', async () => {
    place.file('root/opt/app-1.0/bin/app', elf(), 0o755);
    place.link('root/opt/app', 'app-1.0');
    place.link('root/start', '/opt/app/bin/app');
    place.link('root/out', '../../../../../opt/app/bin/app');
    for (const entry of ['/opt/app-1.0/bin/app', '/opt/app/bin/app', '/start', '/out', '/opt/app/../app/bin/./app']) {
      await build({ entrypoint: [entry] });
    }
  });

  it("is found by its name in the image's own PATH, the first that may be executed", async () => {
    place.file('root/first/app', elf(), 0o644);
    place.file('root/second/app', elf(), 0o755);
    await build({ entrypoint: ['app'], env: ['PATH=/missing:/first:/second'] });
    await expect(build({ entrypoint: ['app'], env: ['PATH=/first'] })).rejects.toMatchObject({
      code: 'BUILD_ENTRYPOINT_NOT_EXECUTABLE',
      path: '/first/app',
    });
    await expect(build({ entrypoint: ['app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_MISSING' });
  });

  it('is found from the working directory', async () => {
    place.file('root/srv/app', elf(), 0o755);
    await build({ entrypoint: ['./app'], workingDirectory: '/srv' });
    await build({ entrypoint: ['app'], workingDirectory: '/srv', env: ['PATH=:/bin'] });
    await expect(build({ entrypoint: ['./app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_MISSING' });
  });

  it('is missing where a link leads nowhere, in a circle, or through a file', async () => {
    place.file('root/file', elf(), 0o755);
    place.link('root/dangling', '/nowhere');
    place.link('root/one', 'two');
    place.link('root/two', 'one');
    for (const entry of ['/dangling', '/one', '/file/app', '/file/', '/missing/..']) {
      await expect(build({ entrypoint: [entry] }), entry).rejects.toMatchObject({
        code: expect.stringMatching(/^BUILD_ENTRYPOINT_(MISSING|NOT_EXECUTABLE)$/),
      });
    }
  });

  it('is refused when it is a folder, or nobody may execute it', async () => {
    place.file('root/bin/app', elf(), 0o644);
    for (const entry of ['/bin', '/bin/app']) {
      await expect(build({ entrypoint: [entry] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_NOT_EXECUTABLE' });
    }
  });

  it('is refused when the user may not execute it, or not reach it', async () => {
    place.file('root/bin/app', elf(), 0o744);
    await build({ entrypoint: ['/bin/app'] });
    const asOther = { entrypoint: ['/bin/app'], user: '54321:54321' };
    await expect(build(asOther)).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_NOT_EXECUTABLE' });
    place.file('root/bin/app', elf(), 0o755);
    await build(asOther);
    place.file('root/private/app', elf(), 0o755);
    const { chmodSync } = await import('node:fs');
    chmodSync(place.path('root/private'), 0o700);
    await expect(build({ ...asOther, entrypoint: ['/private/app'] })).rejects.toMatchObject({
      code: 'BUILD_ENTRYPOINT_NOT_EXECUTABLE',
    });
  });

  it('is refused when it is for another CPU', async () => {
    place.file('root/app', elf('aarch64'), 0o755);
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_ARCHITECTURE' });
    const other = elf();
    other.writeUInt16LE(3, 18);
    place.file('root/app', other, 0o755);
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_ARCHITECTURE' });
    other[4] = 1;
    place.file('root/app', other, 0o755);
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_ARCHITECTURE' });
  });

  it('is refused when it is no program', async () => {
    for (const content of ['', 'echo hello', '#!', '#!  \n', '\u0000\u0001']) {
      place.file('root/app', content, 0o755);
      await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_FORMAT' });
    }
  });

  it('needs the interpreter that its ELF header names', async () => {
    place.file('root/app', elf('x86_64', '/lib64/ld-linux-x86-64.so.2'), 0o755);
    const missing = { code: 'BUILD_INTERPRETER_MISSING', path: '/lib64/ld-linux-x86-64.so.2' };
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject(missing);
    place.file('root/lib/ld-2.36.so', elf(), 0o644);
    place.link('root/lib64/ld-linux-x86-64.so.2', '/lib/ld-2.36.so');
    const refused = { code: 'BUILD_INTERPRETER_NOT_EXECUTABLE' };
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject(refused);
    place.file('root/lib/ld-2.36.so', elf(), 0o755);
    await build({ entrypoint: ['/app'] });
  });

  it('needs the interpreter of its script, and that of the interpreter', async () => {
    place.file('root/app', '#! /bin/sh -e\necho\n', 0o755);
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_INTERPRETER_MISSING' });
    place.file('root/bin/sh', elf('x86_64', '/lib/ld.so'), 0o755);
    await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ path: '/lib/ld.so' });
    place.file('root/lib/ld.so', elf(), 0o755);
    await build({ entrypoint: ['/app'] });
  });

  it('is refused when interpreters go in a circle', async () => {
    place.file('root/a', '#!/b\n', 0o755);
    place.file('root/b', '#!/a\n', 0o755);
    await expect(build({ entrypoint: ['/a'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_FORMAT' });
  });

  it('is refused when program headers lie', async () => {
    const wrongSize = elf('x86_64', '/ld');
    wrongSize.writeUInt16LE(32, 54);
    const beyond = elf('x86_64', '/ld');
    beyond.writeBigUInt64LE(1n << 40n, 64 + 8);
    const huge = elf('x86_64', '/ld');
    huge.writeBigUInt64LE(1n << 40n, 64 + 32);
    for (const program of [wrongSize, beyond, huge]) {
      place.file('root/app', program, 0o755);
      await expect(build({ entrypoint: ['/app'] })).rejects.toMatchObject({ code: 'BUILD_ENTRYPOINT_FORMAT' });
    }
  });

  it('is refused where the enclave mounts over it', async () => {
    for (const folder of ['dev', 'proc', 'sys']) {
      place.file(`root/${folder}/app`, elf(), 0o755);
      await expect(build({ entrypoint: [`/${folder}/app`] })).rejects.toMatchObject({
        code: 'BUILD_ENTRYPOINT_HIDDEN',
      });
    }
    place.file('root/tmp/app', elf(), 0o755);
    await build({ entrypoint: ['/tmp/app'] });
  });
});
