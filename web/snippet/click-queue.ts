import { uuidV7 } from './uuid-v7.ts'

/** The greatest number of clicks that wait. When one more comes, the oldest is dropped. */
const maxClicks = 200
/** The greatest number of clicks in a request. */
const batchClicks = 50
/** For how long only the page that sends a click may send it, in milliseconds. */
const claimMs = 10_000
/** The wait before a retry doubles with each failure, this many times, from 1 to 2 s up to 4 to 9 minutes. */
const maxDoublings = 8
/** Smaller differences between the clocks of browser and server do not matter, in milliseconds. */
const clockToleranceMs = 60_000
/**
 * The greatest length of a body, unless it is one click. A character has up to three bytes: browsers refuse more than 64 KiB with
 * `keepalive`, in all requests of a page, and the server more than 128 KiB.
 */
const batchChars = 20_000
/** The length of a time: milliseconds since 1970. */
const timeChars = 13
/** Between the time and the JSON of a click that has never been sent, and whose id has the browser's time. */
const newMark = ' '
/** The length of the time, the mark and `{"id":"<UUID>",`, with which the JSON of each click begins. */
const charsBeforeFields = 59

/** The fields of a click without its id. */
export interface Click {
  readonly target: string
  readonly url: string
  readonly referrer: string
  readonly props?: object | undefined
}

/**
 * Sends clicks, and keeps each until the server has answered. A click has an id, which stays the same when it is sent again: it counts
 * once, whatever happens to requests and responses.
 *
 * Clicks wait in localStorage, where they outlive the page and where every tab of the site sees them: an item for each, whose value is
 * the time from which any tab may send it (that of the click, before it is sent for the first time), and the click as JSON. Where
 * localStorage is blocked they wait in memory.
 *
 * @param prefix of the items' keys, which end with the id
 * @returns adds a click
 */
export function createQueue(url: string, prefix: string): (click: Click) => void {
  /** The items of localStorage are its properties. */
  let items: Record<string, string> = {}
  /** The server's clock minus this one's, in milliseconds; 0 if they are about the same. */
  let offsetMs = 0
  let failures = 0
  let pausedUntilMs = 0
  try {
    items = (localStorage ?? items) as Record<string, string>
  } catch {
    // Blocked.
  }

  /** The keys of all clicks that wait, oldest first. */
  const waiting = () =>
    Object.keys(items)
      .filter((key) => key.startsWith(prefix))
      .sort()
  const jsonOf = (key: string) => items[key]?.slice(timeChars).trim()
  const bodyOf = (keys: readonly string[]) => `{"events":[${keys.map(jsonOf)}]}`
  const put = (key: string, value: string) => {
    try {
      items[key] = value
    } catch {
      // The storage is full. What it holds is left to the next page.
      items = { [key]: value }
    }
  }
  /** Also removes the mark. */
  const postpone = (keys: readonly string[], waitMs: number) => {
    for (const key of keys) if (items[key]) put(key, `${Date.now() + waitMs}${jsonOf(key)}`)
  }
  /** @param fields JSON without the opening brace and the id */
  const create = (timeMs: number, fields: string) => {
    const id = uuidV7(timeMs + offsetMs)
    put(prefix + id, `${timeMs}${offsetMs ? '' : newMark}{"id":"${id}",${fields}`)
  }

  /** @returns whether the server answered, so that more can be sent */
  const send = async (keys: string[]) => {
    while (keys[1] && bodyOf(keys).length > batchChars) keys.pop()
    const body = bodyOf(keys)
    const values = keys.map((key) => items[key])
    postpone(keys, claimMs)
    let retryMs = ((1 + Math.random()) * 1_000) << Math.min(failures++, maxDoublings)
    try {
      const response = await fetch(url, {
        ...{ method: 'POST', body },
        // The request goes on when the page is left.
        keepalive: body.length <= batchChars,
      })
      if (/^(202|4(?!08|29))/.test(response.status as unknown as string)) {
        failures = pausedUntilMs = 0
        // A batch that was refused as a whole has no results. Sending it again would not help.
        const { results } = await response.json().catch(String)
        keys.forEach((key, index) => {
          const serverOffsetMs = Date.parse(results?.[index]?.serverTime) - Date.now()
          const value = items[key] && values[index]
          delete items[key]
          // The click was refused for its time. If the clock is wrong, it gets an id with the right time. If not, it is too old. If it
          // was sent before, it may have been accepted then, and would count twice with another id.
          if (value?.[timeChars] === newMark && Math.abs(serverOffsetMs) > clockToleranceMs) {
            offsetMs = serverOffsetMs
            create(+value.slice(0, timeChars), value.slice(charsBeforeFields))
          }
        })
        return true
      }
      retryMs = (response.headers.get('retry-after') as unknown as number) * 1_000 || retryMs
      pausedUntilMs = Date.now() + retryMs
    } catch {
      // Offline, blocked, or the connection was lost.
    }
    // Offline, the event `online` sends them.
    if (navigator.onLine) setTimeout(sendInTurn, retryMs + 99)
    else retryMs = 0
    postpone(keys, retryMs)
    return false
  }
  /** Sends what no other page has claimed. */
  const sendWaiting = async (): Promise<void> => {
    const keys = waiting().filter((key) => (items[key] as string) < `${Date.now()}~`)
    if (keys[0] && Date.now() > pausedUntilMs && (await send(keys.slice(0, batchClicks)))) await sendWaiting()
  }
  /** The same in one tab at a time, where the browser has locks: on HTTPS and localhost. */
  const sendInTurn = () => navigator.locks?.request(prefix, sendWaiting).catch(sendWaiting) ?? sendWaiting()

  addEventListener('online', sendInTurn)
  addEventListener('pagehide', () => {
    const keys = waiting()
    // Clicks in memory are tried once more. The others are left to the next page, unless the browser ends requests with the page.
    if (!keys[0]) return
    if ('keepalive' in Request.prototype) items.getItem || send(keys)
    // To other hosts, ad blockers block beacons.
    else if (url.startsWith(location.origin) && navigator.sendBeacon(url, bodyOf(keys))) postpone(keys, claimMs)
  })
  // Clicks of earlier pages. Those that were just being sent are claimed.
  sendInTurn()
  setTimeout(sendInTurn, claimMs)

  return (click) => {
    // The oldest, if there are so many.
    delete items[waiting().at(-maxClicks) as string]
    create(Date.now(), JSON.stringify(click).slice(1))
    // Before the browser follows a link, and together with other clicks of this task.
    queueMicrotask(sendWaiting)
  }
}
