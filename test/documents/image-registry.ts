// A registry of images under the name that the documents have for it: Debian's docker-registry with TLS, on loopback. Buildah
// finds it as a client behind a proxy finds a host of the world: it asks for CONNECT, and only this name leads anywhere.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream';
import { outputOf } from './output-of.ts';

const PROGRAM = '/usr/bin/docker-registry';
const HOST = '111122223333.dkr.ecr.eu-west-1.amazonaws.com';
const MANIFESTS = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';

/** Why no registry can be started on this machine; `undefined` when one can. */
export const whyNoImageRegistry = (): string | undefined => (existsSync(PROGRAM) ? undefined : `needs ${PROGRAM}`);

/** The port in what the program says of itself; throws when it ends without. */
async function portOf(program: ChildProcess): Promise<number> {
  if (program.stderr === null) throw new Error('expected a stream of messages');
  let said = '';
  for await (const line of createInterface(program.stderr)) {
    const [, port] = /listening on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
    if (port !== undefined) return Number(port);
    said = line;
  }
  throw new Error(`${PROGRAM}: expected the port it listens on, found ${said}`);
}

/** A proxy on loopback that joins whoever asks for {@link HOST} with a port of this machine. */
async function startProxy(port: number): Promise<Server> {
  const proxy = createServer((_request, response) => response.writeHead(405).end());
  proxy.on('connect', ({ url }, client, head) => {
    if (url !== `${HOST}:443`) {
      client.end('HTTP/1.1 502 No such host\r\n\r\n');
      return;
    }
    const registry = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n');
      registry.write(head);
    });
    pipeline(client, registry, () => {});
    pipeline(registry, client, () => {});
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return proxy;
}

/** The registry, with nothing in it. */
export class ImageRegistry implements AsyncDisposable {
  readonly #program: ChildProcess;
  readonly #port: number;
  readonly #proxy: Server;
  readonly #certificates: string;

  private constructor(program: ChildProcess, port: number, proxy: Server, certificates: string) {
    this.#program = program;
    this.#port = port;
    this.#proxy = proxy;
    this.#certificates = certificates;
  }

  /** Starts one that keeps its images and certificates below `folder`. */
  static async start(folder: string): Promise<ImageRegistry> {
    const certificates = join(folder, 'certificates');
    mkdirSync(certificates, { recursive: true });
    const [key, certificate] = [join(folder, 'key.pem'), join(certificates, 'ca.crt')];
    const subject = ['-subj', '/CN=registry', '-addext', `subjectAltName=DNS:${HOST}`];
    const files = ['-keyout', key, '-out', certificate];
    outputOf('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2', ...subject, ...files]);
    const configuration = join(folder, 'configuration.json');
    const content = {
      version: 0.1,
      log: { level: 'info' },
      storage: { filesystem: { rootdirectory: join(folder, 'images') } },
      http: { addr: '127.0.0.1:0', tls: { certificate, key } },
    };
    writeFileSync(configuration, JSON.stringify(content));
    const program = spawn(PROGRAM, ['serve', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await portOf(program);
    program.stderr?.resume();
    return new ImageRegistry(program, port, await startProxy(port), certificates);
  }

  /** Variables of the stand-in for docker. */
  get env(): Record<string, string> {
    const { port } = this.#proxy.address() as AddressInfo;
    return { IMAGES_PROXY: `http://127.0.0.1:${port}`, IMAGES_CERTIFICATES: this.#certificates };
  }

  /** The digest of what is there under the name of an image, in the document's form; `undefined` when nothing is. */
  async digestOf(image: string): Promise<string | undefined> {
    const [, host, repository, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(image) ?? [];
    if (host !== HOST) return undefined;
    const asked = request({
      host: '127.0.0.1',
      port: this.#port,
      servername: HOST,
      ca: readFileSync(join(this.#certificates, 'ca.crt')),
      agent: false,
      method: 'HEAD',
      path: `/v2/${repository}/manifests/${tag}`,
      headers: { host: HOST, accept: MANIFESTS },
    });
    const [response] = await once(asked.end(), 'response');
    response.resume();
    const { statusCode, headers } = response;
    return statusCode === 200 ? String(headers['docker-content-digest']) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#program, 'exit');
    this.#program.kill();
    await ended;
    this.#proxy.closeAllConnections();
    await new Promise((resolve) => this.#proxy.close(resolve));
  }
}
