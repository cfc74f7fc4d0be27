import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { DueFault, FaultSchedule, KmsFault } from '../faults.ts';
import type { AnswerFault } from './faulty-answer.ts';
import type { KmsService, ReceivedRequest, WireAnswer } from './service.ts';
import { operationNameOf } from './service.ts';
import { KmsServiceError } from './service-error.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** Twice the largest request: a document of 256 KiB and a policy of 128 KiB, in base64 and JSON. */
const MAX_BODY_BYTES = 1024 * 1024;

/** What is done to the answer on its way out. */
interface WireFaults {
  readonly timeout: boolean;
  readonly drop: boolean;
  readonly stall: boolean;
  readonly dateOffsetMs: number;
}

/** The whole body; `null` where it is too large. By events: an iterator over a request costs as much as its signature. */
function readBody(request: IncomingMessage): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= MAX_BODY_BYTES) return;
      request.pause();
      resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
  });
}

function headersOf({ rawHeaders }: IncomingMessage): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers.push([(rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '']);
  return headers;
}

/** An IPv4 peer of a socket for both families is one of IPv4. */
function sourceIpOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

const SERVER_ERRORS = {
  500: [
    'KMSInternalException',
    'The request was rejected because an internal exception occurred. The request can be retried.',
  ],
  502: ['ServiceUnavailableException', 'The service is unavailable. Please retry.'],
  503: [
    'DependencyTimeoutException',
    'The system timed out while trying to fulfill the request. The request can be retried.',
  ],
  504: [
    'DependencyTimeoutException',
    'The system timed out while trying to fulfill the request. The request can be retried.',
  ],
} as const;

function refusalOf(fault: KmsFault): KmsServiceError | null {
  switch (fault.kind) {
    case 'throttle':
      return new KmsServiceError('ThrottlingException', 'Rate exceeded');
    case 'expired-credentials':
      return new KmsServiceError('ExpiredTokenException', 'The security token included in the request is expired');
    case 'server-error': {
      const [type, message] = SERVER_ERRORS[fault.status];
      return new KmsServiceError(type, message, fault.status);
    }
    default:
      return null;
  }
}

function answerFaultOf({ fault, seed }: DueFault<KmsFault>): AnswerFault[] {
  const error = refusalOf(fault);
  if (error !== null) return [{ kind: 'refuse', error }];
  if (fault.kind === 'no-ciphertext-for-recipient') return [{ kind: fault.kind }];
  return fault.kind === 'forged-ciphertext-for-recipient' || fault.kind === 'other-key'
    ? [{ kind: fault.kind, seed }]
    : [];
}

function wireFaultsOf(due: readonly DueFault<KmsFault>[]): WireFaults {
  const dates = due.map(({ fault }) => (fault.kind === 'wrong-date' ? fault.offsetMs : 0));
  return {
    timeout: due.some(({ fault }) => fault.kind === 'timeout'),
    drop: due.some(({ fault }) => fault.kind === 'drop'),
    stall: due.some(({ fault }) => fault.kind === 'stall'),
    dateOffsetMs: dates.reduce((sum, offset) => sum + offset, 0),
  };
}

function halfOf(body: string): string {
  return body.slice(0, Math.floor(body.length / 2));
}

/** What the HTTPS front needs. */
export interface FrontParts {
  readonly service: KmsService;
  readonly faults: FaultSchedule<KmsFault>;
  readonly tls: TlsIdentity;
  /** Told of what a developer should know. */
  readonly warn: (warning: string) => void;
  /** In ms since the epoch. */
  readonly clock: () => number;
}

function send(
  response: ServerResponse,
  { status, requestId, body }: WireAnswer,
  { now, faults }: { now: number; faults: WireFaults },
): void {
  response.writeHead(status, {
    'Content-Type': 'application/x-amz-json-1.1',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-cache, no-store, must-revalidate, private',
    Date: new Date(now + faults.dateOffsetMs).toUTCString(),
    'x-amzn-RequestId': requestId,
  });
  if (faults.drop) response.write(halfOf(body), () => response.destroy());
  else if (faults.stall) response.write(halfOf(body));
  else response.end(body);
}

function isAbout(fault: KmsFault, operation: string): boolean {
  return fault.operations === undefined || fault.operations.includes(operation);
}

async function serve(
  { service, faults, clock }: FrontParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  if (body === null) {
    response.writeHead(413, { Connection: 'close' }).end();
    return;
  }
  const received: ReceivedRequest = {
    method: request.method ?? '',
    target: request.url ?? '/',
    headers: headersOf(request),
    body,
    sourceIp: sourceIpOf(request),
  };
  const operation = operationNameOf(received);
  const due = faults.due((fault) => isAbout(fault, operation));
  const wireFaults = wireFaultsOf(due);
  if (wireFaults.timeout) return;
  send(response, await service.handle(received, due.flatMap(answerFaultOf)), { now: clock(), faults: wireFaults });
}

/** The HTTPS server of a KMS: not listening yet. */
export function createFront(parts: FrontParts): Server {
  const { key, certificate } = parts.tls;
  const server = createServer({ key, cert: certificate, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] });
  server.on('request', (request, response) => {
    serve(parts, request, response).catch((error: unknown) => {
      response.destroy();
      // A client that went away in the middle of its request is no news; anything else is a fault here, or in `audit`.
      if (request.complete)
        parts.warn(`The emulated KMS failed: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
  return server;
}
