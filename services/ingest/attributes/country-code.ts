/** Codes in the form of a country that are none: unknown, and the Tor network at Cloudflare. */
const noCountries = new Set(['XX', 'ZZ', 'T1'])

/** A country as two capital letters. Undefined if the text is not a country. */
export function countryCode(text: unknown): string | undefined {
  if (typeof text !== 'string' || !/^[A-Za-z]{2}$/.test(text)) return undefined
  const code = text.toUpperCase()
  return noCountries.has(code) ? undefined : code
}
