import { fail } from './error.ts';

/**
 * Where an image comes from. Bytes, `Blob`s and `File`s can be read again and again; an async iterable (a `ReadableStream`
 * in Node, a response's body) only once.
 */
export type EifSource = Uint8Array | ArrayBuffer | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** An opened source. A piece holds until the next one is asked for: copy what has to stay. */
export interface OpenSource {
  /** Length in bytes where it is known beforehand. */
  readonly byteLength?: number;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Longest piece that is handed on at once, in bytes. */
export const PIECE_BYTES: number = 2 * 1024 * 1024;

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function* blobPieces(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    yield new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer());
  }
}

/** Safari's streams cannot be iterated. */
async function* streamPieces(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel();
  }
}

async function* checkedPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    if (!(piece instanceof Uint8Array)) fail('EIF_SOURCE', `expected pieces of bytes, found ${typeof piece}`);
    for (let at = 0; at < piece.length; at += PIECE_BYTES) yield piece.subarray(at, at + PIECE_BYTES);
  }
}

/**
 * Opens whatever an image can come from in any JavaScript runtime.
 * @throws {EifError} `EIF_SOURCE` for anything else.
 */
export function openSource(source: EifSource): OpenSource {
  if (source instanceof Uint8Array) return { byteLength: source.length, pieces: slices(source) };
  if (source instanceof ArrayBuffer) return openSource(new Uint8Array(source));
  if (source instanceof Blob) return { byteLength: source.size, pieces: blobPieces(source) };
  if (source !== null && typeof source === 'object') {
    if (Symbol.asyncIterator in source) return { pieces: checkedPieces(source) };
    if ('getReader' in source) return { pieces: checkedPieces(streamPieces(source)) };
  }
  return fail('EIF_SOURCE', `expected bytes, a Blob or an async iterable of bytes, found ${typeof source}`);
}
