import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Challenge } from './attestation-service.ts';
import { NONCE_BYTES } from './nonce.ts';

/** What a page server serves, and whom it asks. */
export interface PageServerOptions {
  /** The page, as `buildPage` made it. */
  readonly page: string;
  /** Gets a document with the visitor's challenge from the enclave. */
  readonly ask: (challenge: Challenge) => Promise<Uint8Array>;
}

const ANSWER_TIMEOUT_MS = 10_000;
const NONCE_HEX = new RegExp(`^[0-9a-f]{${NONCE_BYTES * 2}}$`);

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

async function sendDocument(url: URL, response: ServerResponse, ask: PageServerOptions['ask']): Promise<void> {
  // Documents are for everybody, so a copy of the page that stands elsewhere may ask too.
  response.setHeader('access-control-allow-origin', '*');
  const nonce = url.searchParams.get('nonce') ?? '';
  if (!NONCE_HEX.test(nonce)) {
    send(response, 400, 'text/plain', `expected a nonce of ${NONCE_BYTES} bytes in hexadecimal\n`);
    return;
  }
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    send(response, 200, 'application/octet-stream', await ask({ nonce: Buffer.from(nonce, 'hex'), signal }));
  } catch (error) {
    console.error(`no document: ${error instanceof Error ? error.message : String(error)}`);
    send(response, 502, 'text/plain', 'the enclave gave no document\n');
  }
}

/**
 * The parent's HTTP server: `GET /` is the page, `GET /attestation?nonce=…` a document of the enclave. It only carries
 * bytes: nothing that it does or says is believed by the page.
 */
export function createPageServer({ page, ask }: PageServerOptions): Server {
  return createServer((request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://parent');
    if (request.method !== 'GET') send(response, 405, 'text/plain', 'expected GET\n');
    else if (url.pathname === '/') {
      response.setHeader('content-security-policy', "frame-ancestors 'none'");
      send(response, 200, 'text/html; charset=utf-8', page);
    } else if (url.pathname === '/attestation') void sendDocument(url, response, ask);
    else send(response, 404, 'text/plain', 'there is no such page\n');
  });
}
