import type { Answer, Output, OutputValue, Secret } from './operations/operation.ts';
import type { EnvelopeForm } from './recipient/envelope.ts';
import { sealEnvelope } from './recipient/envelope.ts';

/** Bytes become base64, the JSON form of a blob in AWS's JSON 1.1 protocol. */
function toJson(value: OutputValue | undefined): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toJson(one)]));
}

/** A secret goes in the clear only where no recipient was named; with one it goes to that recipient alone. */
export function deliver({ member, content, recipient }: Secret, form: EnvelopeForm): Output {
  if (recipient === null) return { [member]: content };
  return { CiphertextForRecipient: sealEnvelope(recipient, content, form) };
}

/** The body of an answer. Its secret is zeroed. */
export function encodeAnswer({ output, secret }: Answer, form: EnvelopeForm): string {
  const delivered = secret === undefined ? {} : deliver(secret, form);
  const body = JSON.stringify(toJson({ ...output, ...delivered }));
  secret?.content.fill(0);
  return body;
}
