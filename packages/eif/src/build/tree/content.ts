import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { failBuild } from '../error.ts';

/** Where the bytes of a regular file are. */
export type FileContent =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A file on disk, by the bytes of its path. */
  | { readonly kind: 'file'; readonly path: Buffer }
  /** A part of an open file: a layer's archive. */
  | { readonly kind: 'span'; readonly fd: number; readonly offset: number };

/** A content opened for reading from its start to its end. */
export interface ContentReader {
  /** Fills `target` as far as the content goes, and returns how many bytes that were: 0 at the end. */
  read(target: Uint8Array): number;
  close(): void;
}

function readFully(fd: number, target: Uint8Array, position: number | null): number {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(fd, target, filled, target.length - filled, position === null ? null : position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

function openFile(path: Buffer, size: number): ContentReader {
  // A name that has become a link since it was listed must not lead elsewhere.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const found = fstatSync(fd);
    if (!found.isFile() || found.size !== size) {
      failBuild('BUILD_SOURCE_CHANGED', `expected a file of ${size} bytes, as listed, found ${found.size}`, {
        path: path.toString(),
      });
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { read: (target) => readFully(fd, target, null), close: () => closeSync(fd) };
}

function openSpan(fd: number, start: number, size: number): ContentReader {
  let at = 0;
  return {
    read: (target) => {
      const count = readFully(fd, target.subarray(0, size - at), start + at);
      at += count;
      return count;
    },
    close: () => {},
  };
}

function openBytes(bytes: Uint8Array): ContentReader {
  let at = 0;
  return {
    read: (target) => {
      const piece = bytes.subarray(at, at + target.length);
      target.set(piece);
      at += piece.length;
      return piece.length;
    },
    close: () => {},
  };
}

/**
 * Opens a content of `size` bytes.
 * @throws {EifBuildError} `BUILD_SOURCE_CHANGED` when a file on disk has another length by now.
 */
export function openContent(content: FileContent, size: number): ContentReader {
  switch (content.kind) {
    case 'bytes':
      return openBytes(content.bytes);
    case 'file':
      return openFile(content.path, size);
    case 'span':
      return openSpan(content.fd, content.offset, size);
  }
}

/** The first `length` bytes of a content of `size` bytes, or all of it. */
export function readContent(content: FileContent, size: number, length: number = size): Uint8Array {
  const target = new Uint8Array(Math.min(size, length));
  const reader = openContent(content, size);
  try {
    return target.subarray(0, reader.read(target));
  } finally {
    reader.close();
  }
}
