import { computed } from '@preact/signals'
import { readsClicks } from '../filters/filters.ts'
import { now } from './now.ts'
import { params } from './place.ts'
import { type Range, rangeAt, todayAt } from './range.ts'

export const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** To the minute, so that the addresses of requests change once a minute. */
const minute = computed(() => Math.floor(now.value.getTime() / 60_000))
export const range = computed<Range>(() => rangeAt(new Date(minute.value * 60_000)))
export const today = computed<Range>(() => todayAt(new Date(minute.value * 60_000)))

/** Between two requests for counts. Filters make them dearer. */
export const livePauseMs = computed(() => (readsClicks.value ? 10_000 : 2_000))

/** The filters of the address, as parameters of the API. */
const filters = computed(() => {
  const kept = new URLSearchParams()
  for (const name of ['project', 'target']) {
    const value = params.value.get(name)
    if (value) kept.set(name, value)
  }
  for (const condition of params.value.getAll('filter')) kept.append('filter', condition)
  return kept
})

/**
 * The URL of a query for a range of time, with the filters of the address.
 *
 * @param path below /v1/counts, such as `/series`
 */
export function countsUrl(
  path: string,
  { from, to }: { readonly from: Date; readonly to: Date | undefined },
  more: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams(filters.value)
  query.set('from', from.toISOString())
  if (to !== undefined) query.set('to', to.toISOString())
  for (const [name, value] of Object.entries(more)) query.set(name, value)
  return `/v1/counts${path}?${query}`
}

/**
 * What queries for a range of time are about: the filters of the address and the range. It stays the same as time passes, which
 * moves ranges that end now.
 */
export function countsScope({ name, from, to }: Range): string {
  const fixed = to === undefined ? [] : [from.toISOString(), to.toISOString()]
  return [filters.value, name, ...fixed].join(' ')
}

/** The URL of the values of a dimension in the range, with the project of the address and without its filters. */
export function valuesUrl(dimension: string, limit: number): string {
  const query = projectQuery()
  query.set('from', range.value.from.toISOString())
  query.set('limit', String(limit))
  return `/v1/counts/by/${encodeURIComponent(dimension)}?${query}`
}

/** The URL of the names of the project's dimensions. */
export function dimensionsUrl(): string {
  return `/v1/counts/by?${projectQuery()}`
}

function projectQuery(): URLSearchParams {
  const project = params.value.get('project')
  return new URLSearchParams(project === null ? {} : { project })
}

/** The URL of the clicks as they are counted. They can be filtered by target only. */
export function liveUrl(): string {
  const query = projectQuery()
  const target = params.value.get('target')
  if (target) query.set('target', target)
  return `/v1/live?${query}`
}
