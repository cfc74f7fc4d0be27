import type { KMS } from '@aws-sdk/client-kms';

/** How long and how far one data key may serve (AWS Encryption SDK Developer Guide, "Data key caching"). */
export interface DataKeyCacheOptions {
  /** Longest that a data key is used, in ms: at least 1. */
  readonly maxAge: number;
  /** Most messages under one data key. Default 1000. */
  readonly maxMessages?: number;
  /** Most plaintext under one data key, in bytes. Default 1 073 741 824 (1 GiB). */
  readonly maxBytes?: number;
  /** Most data keys kept at once, for encrypting and for decrypting. Default 100. */
  readonly capacity?: number;
}

/** Which KMS keys protect the data keys, and through which client. */
export interface DataKeyOptions {
  /** The SDK's aggregated client, `new KMS({ … })`, with the plugin `recipient()` in its middleware stack. */
  readonly client: Pick<KMS, 'generateDataKey' | 'encrypt' | 'decrypt' | 'config'>;
  /** ARN of the KMS key that makes the data keys. */
  readonly keyArn: string;
  /** ARNs of further KMS keys, each of which can open the messages too. */
  readonly additionalKeyArns?: readonly string[];
  /** Default: no caching, a data key for each message. */
  readonly cache?: DataKeyCacheOptions;
}
