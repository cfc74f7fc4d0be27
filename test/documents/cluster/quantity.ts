const FACTORS: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** The number that a quantity such as `250m` or `1Gi` stands for. */
export function amountOf(quantity: string | number): number {
  const [, digits = '', suffix = ''] = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(String(quantity)) ?? [];
  const factor = FACTORS[suffix];
  if (digits === '' || factor === undefined) throw new RangeError(`expected a quantity, found ${quantity}`);
  return Number(digits) * factor;
}

/** MiB as the kubelet writes them: in the largest unit that divides them. */
export const mebibytes = (mib: number): string => (mib > 0 && mib % 1024 === 0 ? `${mib / 1024}Gi` : `${mib}Mi`);
