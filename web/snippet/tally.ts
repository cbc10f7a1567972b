import { createQueue } from './click-queue.ts'
import { countClick, type LinkOptions, type Tally } from './clicked-target.ts'

/** How clicks are counted. A script tag has these as attributes: `data-key`, `data-to` and so on. */
export interface TallyOptions extends LinkOptions {
  /** A key of the role `write` that lists the origin of the page. */
  readonly key: string
  /** Where Clicktally is reached: `https://counts.example`, or a path of the page's own host. */
  readonly to: string
  /** `off` counts visitors who ask by Do Not Track or Global Privacy Control not to be tracked. By default they are not counted. */
  readonly respect?: 'off'
}

/**
 * Counts clicks on elements with `data-clicktally` from now on, without delaying navigation.
 *
 * @returns counts other clicks
 */
export function start({ key, to, respect, ...links }: TallyOptions): Tally {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean }
  if (respect !== 'off' && (globalPrivacyControl || doNotTrack === '1')) return () => {}
  const add = createQueue(`${to}/v1/c?key=${key}`, key)
  const tally: Tally = (target, props) =>
    add({
      // Halves of surrogate pairs would be refused.
      target: target.slice(0, 256).replace(/\p{Cs}/gu, ''),
      url: location.href.slice(0, 2048),
      referrer: document.referrer.slice(0, 2048),
      props,
    })
  const count = (event: MouseEvent) => countClick(event, links, tally)
  // In the capture phase: a handler of the page cannot stop it, unless it was added to the window before. Elements that are added later
  // need nothing.
  addEventListener('click', count, true)
  addEventListener('auxclick', count, true)
  return tally
}
