import { computed, signal } from '@preact/signals'

/** The address of the page. It holds the whole state of a view, so that a link or a reload shows the same. */
const place = signal(new URL(location.href))
addEventListener('popstate', () => {
  place.value = new URL(location.href)
})

export const path = computed(() => place.value.pathname)
export const hash = computed(() => place.value.hash.slice(1))
export const params = computed(() => place.value.searchParams)

/** The new values of parameters: undefined removes one, and a list repeats it. */
export type Changes = Readonly<Record<string, string | readonly string[] | undefined>>

/** The address with some parameters changed. */
export function hrefWith(changes: Changes, pathname = path.value): string {
  const url = new URL(place.value)
  url.pathname = pathname
  for (const [name, value] of Object.entries(changes)) {
    url.searchParams.delete(name)
    for (const each of [value ?? []].flat()) url.searchParams.append(name, each)
  }
  return url.pathname + url.search + url.hash
}

/** Goes to another address of this site, without a reload. */
export function go(href: string): void {
  history.pushState(null, '', href)
  place.value = new URL(location.href)
}

/** For the click on a link to this site: goes there without a reload, unless the user wants a new tab or window. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return
  event.preventDefault()
  go(link.href)
}
