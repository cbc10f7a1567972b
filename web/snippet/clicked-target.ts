/** Counts a click on `target`. */
export type Tally = (
  target: string,
  props?: Readonly<Record<string, string | number | boolean | null>> | undefined,
) => void

/** Which links count without an attribute of their own. */
export interface LinkOptions {
  /** Links to other hosts, as `outbound: <host and path>`. */
  readonly outbound?: boolean | 'on'
  /** Links to files, as `download: <path>`. */
  readonly downloads?: boolean | 'on'
}

const files = /\.(pdf|zip|gz|dmg|exe|csv|xlsx|docx|mp[34])$/i
const prefix = 'data-clicktally-'

/** Counts a click on the innermost element with `data-clicktally`, in shadow roots too, or else on the link. */
export function countClick(event: MouseEvent, { outbound, downloads }: LinkOptions, tally: Tally): void {
  const path = event.composedPath() as HTMLElement[]
  const link = (path as HTMLAnchorElement[]).find(({ pathname }) => pathname)
  // A middle click opens links, and does nothing elsewhere. A right click opens a menu.
  if (event.button > 1 || (event.button && !link)) return
  for (const element of path) {
    // The path ends with the document and the window, which have no attributes.
    const name = element.dataset?.clicktally
    if (name === 'off') return
    if (name != null) {
      const target = name || element.id || element.ariaLabel || element.textContent.trim().replace(/\s+/g, ' ')
      if (target) tally(target, propsOf(element))
      return
    }
  }
  if (!link) return
  const { host, pathname } = link
  if (downloads && (link.hasAttribute('download') || files.test(pathname))) tally(`download: ${pathname}`)
  // Links such as mailto: have no host.
  else if (outbound && host && host !== location.host) tally(`outbound: ${host}${pathname}`)
}

/** The attributes `data-clicktally-<name>`. */
function propsOf({ attributes }: Element): Record<string, string> | undefined {
  let props: Record<string, string> | undefined
  for (const { name, value } of attributes) {
    if (name.startsWith(prefix)) props = { ...props, [name.slice(prefix.length)]: value }
  }
  return props
}
