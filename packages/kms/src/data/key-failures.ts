import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataKeyOptions } from './data-key-options.ts';

type DataKeyClient = DataKeyOptions['client'];

/** Errors of KMS that are about the message: its data key is damaged, or under another key or context. */
const ABOUT_THE_MESSAGE: ReadonlySet<string> = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);

/** Carries KMS's own error, its `cause`, out of the Encryption SDK. */
export class DataKeyUnavailable extends Error {}

/**
 * Keeps what KMS said when it opened no data key of a message: the Encryption SDK makes one text of all errors, in which a
 * throttled call and a damaged message look alike.
 */
export class KeyFailures {
  readonly #met = new AsyncLocalStorage<unknown[]>();

  /** The same client, whose failed Decrypts are remembered for the message they were for. */
  watch(client: DataKeyClient): DataKeyClient {
    return {
      config: client.config,
      generateDataKey: client.generateDataKey.bind(client),
      encrypt: client.encrypt.bind(client),
      decrypt: ((input: Parameters<DataKeyClient['decrypt']>[0]) =>
        client.decrypt(input).catch((error: unknown) => {
          this.#met.getStore()?.push(error);
          throw error;
        })) as DataKeyClient['decrypt'],
    };
  }

  /**
   * Opens the data key of one message.
   * @throws {DataKeyUnavailable} when KMS failed for a reason that is not the message's.
   */
  async during<Result>(open: () => Promise<Result>): Promise<Result> {
    const met: unknown[] = [];
    try {
      return await this.#met.run(met, open);
    } catch (error) {
      const cause = met.find((reason) => !(reason instanceof Error && ABOUT_THE_MESSAGE.has(reason.name)));
      throw cause === undefined ? error : new DataKeyUnavailable('no data key', { cause });
    }
  }
}
