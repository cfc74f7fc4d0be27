import { randomUUID } from 'node:crypto';
import { encodeAnswer } from './answer.ts';
import type { KmsPlace } from './arn.ts';
import type { AuditedRequest } from './audit.ts';
import { auditLine } from './audit.ts';
import { authenticate } from './authenticate.ts';
import { KmsCall } from './call.ts';
import type { Caller, CredentialBook } from './caller.ts';
import type { AnswerFault } from './faulty-answer.ts';
import { distort } from './faulty-answer.ts';
import type { KeyRing } from './key-ring.ts';
import { OPERATIONS } from './operations/index.ts';
import type { Answer, Operation } from './operations/operation.ts';
import type { ContextEntries } from './policy/request-context.ts';
import { circumstanceEntries } from './policy/request-context.ts';
import type { RecipientGate } from './recipient/document.ts';
import type { EnvelopeForm } from './recipient/envelope.ts';
import { KmsServiceError } from './service-error.ts';
import type { WireRequest } from './sigv4.ts';

/** What a KMS is made of. */
export interface ServiceParts {
  readonly place: KmsPlace;
  readonly keys: KeyRing;
  readonly credentials: CredentialBook;
  readonly gate: RecipientGate;
  /** In ms since the epoch. */
  readonly clock: () => number;
  readonly envelope: EnvelopeForm;
  readonly unsignedDocuments: boolean;
  /** Told of each request; without it no record is made. */
  readonly audit: ((line: string) => void) | undefined;
  /** Told of what a developer should know of a request, such as that its grant tokens are ignored. */
  readonly warn: (warning: string) => void;
}

/** A request and where it came from. */
export interface ReceivedRequest extends WireRequest {
  readonly sourceIp: string;
}

/** An answer ready for the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly requestId: string;
  readonly body: string;
}

const TARGET_PREFIX = 'TrentService.';

function headerOf({ headers }: WireRequest, name: string): string | undefined {
  return headers.find(([own]) => own === name)?.[1];
}

/** Name of the operation that a request asks for; empty when it names none of KMS. */
export function operationNameOf(request: WireRequest): string {
  const target = headerOf(request, 'x-amz-target') ?? '';
  return target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : '';
}

function expectOperation(request: WireRequest): Operation {
  const operation = request.method === 'POST' ? OPERATIONS.get(operationNameOf(request)) : undefined;
  if (operation === undefined) throw new KmsServiceError('UnknownOperationException');
  const type = headerOf(request, 'content-type') ?? '';
  if (/^application\/x-amz-json-1\.1(?:;|$)/.test(type.trim())) return operation;
  throw new KmsServiceError('UnknownOperationException');
}

/** AWS writes `Message` where its front refuses access, and `message` where KMS itself fails. */
function encodeError({ type, message }: KmsServiceError): string {
  if (message === '') return JSON.stringify({ __type: type });
  return JSON.stringify({ __type: type, [type === 'AccessDeniedException' ? 'Message' : 'message']: message });
}

/** A fault of this program must not look like a decision of KMS. */
function asServiceError(error: unknown): KmsServiceError {
  if (error instanceof KmsServiceError) return error;
  return new KmsServiceError(
    'KMSInternalException',
    `The emulator failed: ${error instanceof Error ? error.message : String(error)}`,
  );
}

type AuditDraft = { -readonly [Name in keyof AuditedRequest]: AuditedRequest[Name] };

/** KMS without its wire: takes a request, authenticates, authorizes, works, records and answers. */
export class KmsService {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  /** Answers a request. Never throws: whatever fails becomes the answer. */
  async handle(request: ReceivedRequest, faults: readonly AnswerFault[] = []): Promise<WireAnswer> {
    const draft = this.#draft(request);
    try {
      const answer = await this.#answer(request, { draft, faults });
      return { status: 200, requestId: draft.requestId, body: encodeAnswer(answer, this.#parts.envelope) };
    } catch (error) {
      draft.error = asServiceError(error);
      return { status: draft.error.status, requestId: draft.requestId, body: encodeError(draft.error) };
    } finally {
      this.#record(draft);
    }
  }

  async #answer(
    request: ReceivedRequest,
    { draft, faults }: { draft: AuditDraft; faults: readonly AnswerFault[] },
  ): Promise<Answer> {
    const { place, keys, gate } = this.#parts;
    const refusal = faults.find(({ kind }) => kind === 'refuse');
    draft.caller = authenticate(request, { book: this.#parts.credentials, region: place.region, now: draft.now });
    if (refusal?.kind === 'refuse') throw refusal.error;
    const operation = expectOperation(request);
    draft.isReadOnly = operation.isReadOnly;
    const { parameters, run } = operation.prepare(request.body);
    draft.parameters = parameters;
    const entries = this.#entriesOf(draft.caller, draft);
    const call = new KmsCall({ keys, gate, caller: draft.caller, now: draft.now, entries });
    draft.trace = call.trace;
    return distort(await run(call), { faults, place });
  }

  #entriesOf({ principal, credentials }: Caller, { now, sourceIp, userAgent }: AuditDraft): ContextEntries {
    const circumstances = {
      principal,
      region: this.#parts.place.region,
      now,
      sourceIp,
      userAgent,
      principalTags: credentials.tags,
      isTemporary: credentials.sessionToken !== undefined,
      viaService: credentials.viaService,
    };
    return { ...circumstanceEntries(circumstances), ...credentials.context };
  }

  #draft(request: ReceivedRequest): AuditDraft {
    return {
      place: this.#parts.place,
      now: this.#parts.clock(),
      requestId: randomUUID(),
      operation: operationNameOf(request).slice(0, 64),
      isReadOnly: true,
      sourceIp: request.sourceIp,
      userAgent: headerOf(request, 'user-agent') ?? '',
      caller: null,
      parameters: null,
      trace: null,
      error: null,
      unsignedDocuments: this.#parts.unsignedDocuments,
    };
  }

  #record(draft: AuditDraft): void {
    for (const warning of draft.trace?.warnings ?? []) this.#parts.warn(warning);
    this.#parts.audit?.(auditLine(draft));
  }
}
