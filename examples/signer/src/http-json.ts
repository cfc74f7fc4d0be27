import type { IncomingMessage, ServerResponse } from 'node:http';
import { NitroEnclavesError } from '@nitro-enclaves/core';
import { SignerError } from './error.ts';

const MAX_BODY_BYTES = 65_536;

/** The fields of a body in JSON, of at most 64 KiB. */
export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > MAX_BODY_BYTES)
      throw new SignerError('REQUEST_MALFORMED', `expected a body of at most ${MAX_BODY_BYTES} bytes`);
    pieces.push(piece);
  }
  return fieldsOf(Buffer.concat(pieces).toString('utf8'));
}

/** @throws {SignerError} `REQUEST_MALFORMED` unless the text is a JSON object. */
export function fieldsOf(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new SignerError('REQUEST_MALFORMED', 'expected a body in JSON', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new SignerError('REQUEST_MALFORMED', 'expected a JSON object');
}

/** Answers. */
export function writeJson(response: ServerResponse, status: number, body: object): void {
  const json = `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) })
    .end(json);
}

const STATUS: ReadonlyMap<string, number> = new Map([
  ['REQUEST_MALFORMED', 400],
  ['PURPOSE_REFUSED', 403],
  ['ROUTE_UNKNOWN', 404],
  ['KEY_NOT_OPEN', 409],
  ['TRAIL_MISSING', 409],
  ['TRAIL_SEAL', 409],
]);

/** Answers with our code, or KMS's name, and its sentence. */
export function writeRefusal(response: ServerResponse, error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const code = error instanceof NitroEnclavesError ? error.code : name;
  writeJson(response, STATUS.get(code) ?? 502, { error: { code, message } });
}
