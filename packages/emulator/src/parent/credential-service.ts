import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Transport, VsockServer } from '@nitro-enclaves/vsock';
import type { FaultController } from '../faults.ts';
import type { SessionCredentials, SessionIssuer } from './session-credentials.ts';

/** Where the credential server of the package `parent` listens by default. */
export const CREDENTIALS_PORT = 8001;

/** What the credential service is made of. */
export interface CredentialServiceOptions {
  readonly transport: Transport;
  readonly issuer: SessionIssuer;
  readonly faults: FaultController;
  readonly clock: () => number;
  readonly port?: number;
}

/** The parent's credentials on a port of the parent. */
export interface CredentialService {
  close(): Promise<void>;
}

function writeJson(response: ServerResponse, status: number, body: object, date: Date): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', date: date.toUTCString() })
    .end(JSON.stringify(body));
}

/** The container-credentials form (AWS SDKs and Tools Reference Guide, "Container credential provider"). */
function describe(
  { accessKeyId, secretAccessKey, sessionToken, expiration }: SessionCredentials,
  offsetMs: number,
): object {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    Expiration: new Date(expiration.getTime() + offsetMs).toISOString(),
  };
}

/** Serves the credentials of the parent's role to its enclaves. A parent that lies about the time lies in dates and ends. */
export async function startCredentialService({
  transport,
  issuer,
  faults,
  clock,
  port = CREDENTIALS_PORT,
}: CredentialServiceOptions): Promise<CredentialService> {
  const http: Server = createServer((_, response) => {
    const kinds = new Set(faults.parent.due().map(({ fault }) => fault.kind));
    const offsetMs = faults.parentClockOffsetMs;
    const date = new Date(clock() + offsetMs);
    if (kinds.has('no-credentials')) return writeJson(response, 503, { code: '503', message: 'no credentials' }, date);
    const credentials = kinds.has('expired-credentials') ? issuer.expired() : issuer.current();
    return writeJson(response, 200, describe(credentials, offsetMs), date);
  });
  const server: VsockServer = transport.createServer({ allowHalfOpen: true }, (socket) =>
    http.emit('connection', socket),
  );
  // A connection that could not be taken is its own client's trouble; without a listener it would end this process.
  server.on('error', () => undefined);
  await server.listen({ port });
  return {
    close: async () => {
      http.closeAllConnections();
      await server.drain({ timeout: 0 });
    },
  };
}
