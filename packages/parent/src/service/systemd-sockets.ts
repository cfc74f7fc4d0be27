/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST = 3;

/** Listening sockets that systemd passed to this process, by `FileDescriptorName=`; none when it passed none. */
export function systemdSockets(env: Readonly<Record<string, string | undefined>>, pid: number): Map<string, number> {
  const count = Number(env['LISTEN_FDS'] ?? 0);
  // The variables of a parent process that systemd activated are not for us.
  if (Number(env['LISTEN_PID']) !== pid || !Number.isInteger(count) || count < 1) return new Map();
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  return new Map(Array.from({ length: count }, (_, index) => [names[index] ?? `socket-${index}`, FIRST + index]));
}
