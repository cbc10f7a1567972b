const names: Readonly<Record<string, string>> = {
  target: 'Target',
  channel: 'Channel',
  referrer: 'Referrer',
  path: 'Page',
  host: 'Host',
  country: 'Country',
  browser: 'Browser',
  os: 'System',
  device: 'Device',
  utm_source: 'UTM source',
  utm_medium: 'UTM medium',
  utm_campaign: 'UTM campaign',
  utm_term: 'UTM term',
  utm_content: 'UTM content',
}

/** What clicks without a value are called. */
const noValue: Readonly<Record<string, string>> = {
  referrer: '(direct or unknown)',
  ...Object.fromEntries(
    ['channel', 'path', 'host', 'country', 'browser', 'os', 'device'].map((each) => [each, '(unknown)']),
  ),
}

const countries = new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' })

/** A dimension as people read it: a prop by its own name. */
export function nameOf(dimension: string): string {
  return names[dimension] ?? dimension.replace(/^props\./, '')
}

/** A value of a dimension as people read it. */
export function labelOf(dimension: string, value: string): string {
  if (value === '') return noValue[dimension] ?? '(none)'
  if (dimension === 'country' && /^[A-Z]{2}$/.test(value)) return countries.of(value) ?? value
  return value
}
