import { afterEach, expect, test, vi } from 'vitest'
import type { Click } from '../click.ts'
import { optionalTexts } from '../event-fields.ts'
import { createTextCopy } from '../text-copy.ts'

afterEach(() => vi.unstubAllGlobals())

const names = optionalTexts().map(({ name }) => name)
const event = { target: 't', referrer: '', url: 'https://example.com/' }
const stamped: Click = { id: 'id', projectId: 1, target: 't', occurredAtMs: 0, receivedAtMs: 0, requestId: 'r' }

test.each(['generated code', 'a loop, where generated code is forbidden'])(
  'the optional texts that an event has are copied in the order of the table, with %s',
  (way) => {
    const generate = vi.fn(() => {
      throw new EvalError('forbidden by a content security policy')
    })
    const isForbidden = way !== 'generated code'
    if (isForbidden) vi.stubGlobal('Function', generate)
    const copyTexts = createTextCopy(names)
    expect(generate).toHaveBeenCalledTimes(isForbidden ? 1 : 0)

    const click = { ...stamped }
    copyTexts(event, click, 'visitor', 'DE', undefined)
    expect(JSON.stringify(click)).toBe(
      JSON.stringify({ ...stamped, visitorId: 'visitor', url: 'https://example.com/', referrer: '', country: 'DE' }),
    )
    const without = { ...stamped }
    copyTexts({ target: 't' }, without, undefined, undefined, undefined)
    expect(Object.keys(without)).toEqual(Object.keys(stamped))
  },
)
