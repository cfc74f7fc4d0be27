/** The eight groups of an IPv6 address, without its zone; `::` and a dotted end are written out. */
export function ipv6Groups(address: string): number[] {
  const [plain = ''] = address.split('%');
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
  const [, start, a = 0, b = 0, c = 0, d = 0] = dotted ?? [];
  const whole = dotted === null ? plain : `${start}${hex(Number(a), Number(b))}:${hex(Number(c), Number(d))}`;
  const [head = '', tail] = whole.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [parse(head), tail === undefined ? [] : parse(tail)];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}
