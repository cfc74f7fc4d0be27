/** The names of KMS's failures, and of those that AWS's front gives for every service. */
export type KmsErrorName =
  | 'AccessDeniedException'
  | 'AlreadyExistsException'
  | 'DependencyTimeoutException'
  | 'DisabledException'
  | 'DryRunOperationException'
  | 'ExpiredTokenException'
  | 'IncompleteSignatureException'
  | 'IncorrectKeyException'
  | 'InvalidAliasNameException'
  | 'InvalidCiphertextException'
  | 'InvalidKeyUsageException'
  | 'InvalidMarkerException'
  | 'InvalidSignatureException'
  | 'KMSInternalException'
  | 'KMSInvalidSignatureException'
  | 'KMSInvalidStateException'
  | 'MalformedPolicyDocumentException'
  | 'MissingAuthenticationTokenException'
  | 'NotAuthorizedException'
  | 'NotFoundException'
  | 'SerializationException'
  | 'ServiceUnavailableException'
  | 'TagException'
  | 'ThrottlingException'
  | 'UnknownOperationException'
  | 'UnrecognizedClientException'
  | 'UnsupportedOperationException'
  | 'ValidationException';

/** HTTP status of the failures that are not the caller's, or not 400 for another reason (KMS API model, 2014-11-01). */
const STATUS: Partial<Record<KmsErrorName, number>> = {
  DependencyTimeoutException: 503,
  DryRunOperationException: 412,
  KMSInternalException: 500,
  ServiceUnavailableException: 503,
};

/** Ends an operation with an answer of KMS that is an error. Never leaves the server as an exception. */
export class KmsServiceError extends Error {
  /** `__type` of the answer. */
  readonly type: KmsErrorName;
  /** HTTP status of the answer. */
  readonly status: number;

  /** KMS gives some errors no message, such as `InvalidCiphertextException`: then `message` is empty. */
  constructor(type: KmsErrorName, message = '', status: number = STATUS[type] ?? 400) {
    super(message);
    this.name = 'KmsServiceError';
    this.type = type;
    this.status = status;
  }
}

/** The error of a request that has the wrong form. */
export function validationError(message: string): KmsServiceError {
  return new KmsServiceError('ValidationException', message);
}
