// A registry for npm that has this tree's packages, packed as publishing would pack them, and nothing else.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { packAll } from '../../tools/workspace.mjs';

interface Packed {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
  readonly manifest: Readonly<Record<string, unknown>> & { readonly version: string };
}

function read({ name, tarball }: { name: string; tarball: string }): Packed {
  const { stdout } = spawnSync('tar', ['-xOf', tarball, 'package/package.json'], { encoding: 'utf8' });
  return { name, file: basename(tarball), bytes: readFileSync(tarball), manifest: JSON.parse(stdout) };
}

/** The registry, on this machine's loopback address. */
export class PackedRegistry implements AsyncDisposable {
  readonly #server: Server;
  readonly #packages: readonly Packed[];

  private constructor(packages: readonly Packed[]) {
    this.#packages = packages;
    this.#server = createServer(({ url = '' }, response) => {
      const path = decodeURIComponent(url).slice(1);
      const tarball = packages.find(({ file }) => file === path);
      const described = packages.find(({ name }) => name === path);
      if (tarball !== undefined) response.end(tarball.bytes);
      else if (described !== undefined)
        response.setHeader('content-type', 'application/json').end(this.#describe(described));
      else response.writeHead(404).end();
    });
  }

  /** Packs into `folder` and serves. */
  static async start(folder: string): Promise<PackedRegistry> {
    const registry = new PackedRegistry((await packAll(folder)).map(read));
    await once(registry.#server.listen(0, '127.0.0.1'), 'listening');
    return registry;
  }

  get #url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The line of an npmrc file by which npm finds it; other packages come from where they come from otherwise. */
  get configuration(): string {
    return `@nitro-enclaves:registry=${this.#url}/\n`;
  }

  /** Names of the packages. */
  get names(): string[] {
    return this.#packages.map(({ name }) => name);
  }

  #describe({ name, file, bytes, manifest }: Packed): string {
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const { version } = manifest;
    const versions = { [version]: { ...manifest, dist: { tarball: `${this.#url}/${file}`, integrity } } };
    return JSON.stringify({ name, 'dist-tags': { latest: version }, versions });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
