/** The whole country, where a region is asked for (GB/T 2260 has no code for it). */
export const COUNTRY = '000000';

/** A region, then the city and the province that it lies in: 350102, 350100, 350000. */
export function withinRegions(region: string): string[] {
  return [...new Set([region, `${region.slice(0, 4)}00`, `${region.slice(0, 2)}0000`])];
}

/** The more, the smaller: a county is 3, a city 2, a province 1, the country 0. */
export function regionLevel(region: string | undefined): number {
  if (region === undefined || region === COUNTRY) return 0;
  if (region.endsWith('0000')) return 1;
  return region.endsWith('00') ? 2 : 3;
}
