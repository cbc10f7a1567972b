import { randomBytes } from 'node:crypto'
import { MadeClicks } from '@clicktally/made-clicks/made-clicks.ts'

/** What the load generator is to send. */
export type LoadContent =
  | { readonly kind: 'clicks'; readonly clicksPerRequest: number; readonly seed: number }
  | { readonly kind: 'get'; readonly path: string }

export interface LoadTimes {
  readonly connections: number
  /** Milliseconds of sending that are not measured, and of those that are. */
  readonly warmUpMs: number
  readonly measuredMs: number
}

/** Bodies that are prepared beforehand, each about other clicks; only their ids are put in while the load runs. */
const preparedClicks = 20_000
const mostPrepared = 2_000
/** Stands where an id is to be put in; as long as an id. */
const placeholder = '00000000-0000-0000-0000-000000000000'

/**
 * The Lua script for wrk. It sends POSTs, each click with an id of its own, until its time is over. Then it gives each
 * connection that asks for one more request the beginning of one, which no server answers: thus every request that was sent
 * in time is answered before the end, and nothing is sent in the meantime.
 *
 * It says on stderr when it begins, and {@link endMark} when every connection has got such a beginning; and it prints one line of JSON behind {@link reportMark} in the end.
 */
export function loadScript(content: LoadContent, times: LoadTimes): string {
  return `${head(times)}\n${content.kind === 'get' ? getRequests(content.path) : clickRequests(content)}\n${rest}`
}

export const reportMark = 'LOAD '
export const endMark = 'all is answered'

/** As wrk's done() prints it. */
export interface LoadReport {
  /** Requests that were sent, and those of them that were sent after the warm-up. */
  readonly sent: number
  readonly sentMeasured: number
  /** Answers that were read to their end; those of them with a status above 399. */
  readonly answered: number
  readonly failed: number
  /** Connections that could not be made, or broke while reading or writing. */
  readonly broken: number
  /** Of wrk itself. */
  readonly cpuSeconds: number
}

function head({ connections, warmUpMs, measuredMs }: LoadTimes): string {
  return `local ffi = require("ffi")
ffi.cdef[[
typedef struct { long seconds; long microseconds; } bench_time;
int gettimeofday(bench_time *time, void *zone);
]]
local time = ffi.new("bench_time")
local function now()
  ffi.C.gettimeofday(time, nil)
  return tonumber(time.seconds) * 1000 + tonumber(time.microseconds) / 1000
end
local warmUpMs, measuredMs = ${warmUpMs}, ${measuredMs}
local measuredFrom, endsAt
local waiting = ${connections}
sent, sentMeasured = 0, 0`
}

function getRequests(path: string): string {
  return `local request_text = "GET ${path} HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"
local function next_request() return request_text end`
}

function clickRequests({ clicksPerRequest, seed }: Extract<LoadContent, { kind: 'clicks' }>): string {
  const requests = Math.max(1, Math.min(mostPrepared, Math.floor(preparedClicks / clicksPerRequest)))
  const nowMs = Date.now()
  const made = new MadeClicks(seed)
  const pieces = Array.from({ length: requests }, () => {
    const clicks = Array.from({ length: clicksPerRequest }, () => ({ ...made.next(nowMs), id: placeholder }))
    const single = clicksPerRequest === 1
    const body = JSON.stringify(single ? clicks[0] : { events: clicks })
    const path = single ? '/v1/events' : '/v1/events/batch'
    const text =
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    return text.split(placeholder).map((piece) => JSON.stringify(piece))
  })
  // An id: now, a random part of this script's own, and a running number, so that no two are the same.
  const time = Math.trunc(nowMs).toString(16).padStart(12, '0')
  const random = randomBytes(5).toString('hex')
  const prefix = `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6)}`
  return `local prepared = {
${pieces.map((each) => `{${each.join(',')}}`).join(',\n')}
}
local hex = {}
for number = 0, 65535 do hex[number] = string.format("%04x", number) end
local low, high = 0, 0
local function next_id()
  low = low + 1
  if low == 65536 then low = 0; high = high + 1 end
  return "${prefix}" .. hex[high] .. hex[low]
end
local place = 0
local function next_request()
  place = place % #prepared + 1
  local pieces = prepared[place]
  ${
    clicksPerRequest === 1
      ? 'return pieces[1] .. next_id() .. pieces[2]'
      : `local parts = {pieces[1]}
  for piece = 2, #pieces do
    parts[#parts + 1] = next_id()
    parts[#parts + 1] = pieces[piece]
  end
  return table.concat(parts)`
  }
end`
}

const rest = `local unanswerable = "GET /livez HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n"
local asked = false
function request()
  -- The first one wrk only looks at.
  if not asked then asked = true; return next_request() end
  local at = now()
  if endsAt == nil then
    measuredFrom = at + warmUpMs
    endsAt = measuredFrom + measuredMs
    io.stderr:write("begun\\n")
  end
  if at >= endsAt then
    waiting = waiting - 1
    if waiting == 0 then io.stderr:write("${endMark}\\n") end
    return unanswerable
  end
  sent = sent + 1
  if at >= measuredFrom then sentMeasured = sentMeasured + 1 end
  return next_request()
end
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function done(summary)
  local all, measured = 0, 0
  for _, thread in ipairs(threads) do
    all = all + thread:get("sent")
    measured = measured + thread:get("sentMeasured")
  end
  local errors = summary.errors
  io.write(string.format(
    '${reportMark}{"sent":%d,"sentMeasured":%d,"answered":%d,"failed":%d,"broken":%d,"cpuSeconds":%.3f}\\n',
    all, measured, summary.requests, errors.status, errors.connect + errors.read + errors.write, os.clock()))
end
`
