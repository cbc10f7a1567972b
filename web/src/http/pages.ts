import { useSignal } from '@preact/signals'
import { type Polled, usePolled } from './polling.ts'
import { type RequestOptions, request } from './request.ts'

interface Listed<Item> {
  /** The newest first. */
  readonly items: readonly Item[]
  readonly hasOlder: boolean
}

/** A list that is shown from the newest item on, as far back as somebody asked for. */
export interface Pages<Item> extends Polled<Listed<Item>> {
  /** Reads a page more. */
  showOlder(): void
}

const pageSize = 50

/**
 * Requests the newest page of a list again and again, and with it all older ones that are shown: items move from page to page as
 * others come, change and expire.
 *
 * @param path of a list that takes the parameters `limit` and `before`
 * @param name of the list in the answer
 */
export function usePages<Item extends { readonly id: number }>(
  path: string,
  query: Readonly<Record<string, string>>,
  name: string,
  pauseMs: number,
): Pages<Item> {
  const pages = useSignal(1)
  const url = `${path}?${new URLSearchParams({ ...query, limit: String(pageSize) })}`
  const polled = usePolled<Listed<Item>>(`${url}#${pages.value}`, pauseMs, '', (_, options) =>
    readPages(url, name, pages.value, options),
  )
  return { ...polled, showOlder: () => pages.value++ }
}

/** @throws {RequestProblem} or the signal's reason */
async function readPages<Item extends { readonly id: number }>(
  url: string,
  name: string,
  pages: number,
  options: RequestOptions,
): Promise<Listed<Item>> {
  const items: Item[] = []
  for (let page = 1; ; page++) {
    const last = items.at(-1)
    const answer = await request<Record<string, Item[]>>(last === undefined ? url : `${url}&before=${last.id}`, options)
    const found = answer[name] ?? []
    items.push(...found)
    const hasOlder = found.length === pageSize
    if (!hasOlder || page === pages) return { items, hasOlder }
  }
}
