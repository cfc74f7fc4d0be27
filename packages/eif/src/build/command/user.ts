import { failBuild } from '../error.ts';
import { readContent } from '../tree/content.ts';
import { lookUp } from '../tree/lookup.ts';
import type { FolderNode } from '../tree/node.ts';

/** Who the program runs as. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** Home folder, one character a byte. */
  readonly home: string;
}

/** As many as the init takes. */
export const MAX_SUPPLEMENTARY_GROUPS = 64;

const MAX_ID = 0xffff_fffe;
const MAX_DATABASE_BYTES = 1 << 20;
const NUMBER = /^\d{1,10}$/;

/** The fields of each line of /etc/passwd or /etc/group. */
function database(root: FolderNode, path: string): string[][] {
  const found = lookUp(root, path);
  if (found?.node.kind !== 'file' || found.node.size > MAX_DATABASE_BYTES) return [];
  const text = Buffer.from(readContent(found.node.content, found.node.size)).toString('latin1');
  return text.split('\n').map((line) => line.split(':'));
}

function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !NUMBER.test(text) || Number(text) > MAX_ID) return undefined;
  return Number(text);
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

function passwdEntry(root: FolderNode, nameOrUid: string): PasswdEntry | undefined {
  const lines = database(root, '/etc/passwd');
  const fields = lines.find(([name]) => name === nameOrUid) ?? lines.find(([, , uid]) => uid === nameOrUid);
  const [name, , uidText, gidText, , home] = fields ?? [];
  const uid = idOf(uidText);
  const gid = idOf(gidText);
  if (name === undefined || uid === undefined || gid === undefined) return undefined;
  return { name, uid, gid, home: home || '/' };
}

function groupId(root: FolderNode, nameOrGid: string): number {
  const fields = database(root, '/etc/group').find(([name]) => name === nameOrGid);
  const gid = idOf(fields?.[2]) ?? idOf(nameOrGid);
  return (
    gid ?? failBuild('BUILD_USER', `expected group "${nameOrGid}" in the image's /etc/group`, { path: '/etc/group' })
  );
}

/** Groups that name this user as a member, as initgroups(3) finds them. */
function membershipsOf(root: FolderNode, user: string): number[] {
  const memberships = database(root, '/etc/group').filter((fields) => fields[3]?.split(',').includes(user));
  const groups = memberships.map((fields) => idOf(fields[2])).filter((gid) => gid !== undefined);
  return [...new Set(groups)].sort((left, right) => left - right);
}

/**
 * Looks a USER up in the image's own /etc/passwd and /etc/group, now, so that the enclave need not.
 * @throws {EifBuildError} `BUILD_USER` for names that are not there.
 */
export function resolveUser(root: FolderNode, user: string): UserIds {
  const [name = '', group] = user.split(':');
  const entry = passwdEntry(root, name);
  const uid = entry?.uid ?? idOf(name);
  if (uid === undefined) {
    return failBuild('BUILD_USER', `expected user "${name}" in the image's /etc/passwd`, { path: '/etc/passwd' });
  }
  const home = entry?.home ?? '/';
  if (group !== undefined && group !== '') return { uid, gid: groupId(root, group), groups: [], home };
  const groups = entry === undefined ? [] : membershipsOf(root, entry.name);
  if (groups.length > MAX_SUPPLEMENTARY_GROUPS) {
    failBuild('BUILD_USER', `expected at most ${MAX_SUPPLEMENTARY_GROUPS} groups of "${name}", found ${groups.length}`);
  }
  return { uid, gid: entry?.gid ?? 0, groups, home };
}
