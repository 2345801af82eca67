// How much of the org's daily API allowance is used, from `Sforce-Limit-Info`. The vendor's client takes the first
// `api-usage=` it sees, also the one inside `per-app-api-usage`; this reading does not.

export interface ApiUsage {
  readonly used: number;
  readonly limit: number;
}

/** Undefined when the header is absent or says nothing about the org's own usage. */
export function parseLimitInfo(header: string | null | undefined): ApiUsage | undefined {
  const match = /(?<![-\w])api-usage=(\d{1,12})\/(\d{1,12})/.exec(header ?? "");
  return match ? { used: Number(match[1]), limit: Number(match[2]) } : undefined;
}

export function isExhausted(usage: ApiUsage | undefined): boolean {
  return usage !== undefined && usage.used >= usage.limit;
}
