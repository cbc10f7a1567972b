import { randomBytes } from 'node:crypto'
import { SyntheticClicks } from '@clicktally/synthetic-clicks/synthetic-clicks.ts'

/** The requests to send. */
export type LoadContent =
  | { readonly kind: 'clicks'; readonly clicksPerRequest: number; readonly seed: number }
  /** One path after the other, again and again. */
  | { readonly kind: 'get'; readonly paths: readonly string[] }

export interface LoadTimes {
  readonly connections: number
  readonly warmUpMs: number
  readonly measuredMs: number
}

/** Bodies are prepared in advance; only the ids are inserted while the load runs. */
const preparedClicks = 20_000
const maxPreparedRequests = 2_000
/** As long as an id. */
const placeholder = '00000000-0000-0000-0000-000000000000'

/**
 * Returns the Lua script for wrk. When its time is over, it sends an incomplete request on each connection, to which no server
 * responds: so every earlier request is answered before the end, and nothing else is sent meanwhile.
 *
 * The script writes a line to stderr when it starts, {@link doneMark} when all requests are answered, and a line of JSON after
 * {@link reportMark} at the end.
 */
export function loadScript(content: LoadContent, times: LoadTimes, key?: string): string {
  const authorization = key === undefined ? '' : `Authorization: Bearer ${key}\r\n`
  const requests =
    content.kind === 'get' ? getRequests(content.paths, authorization) : clickRequests(content, authorization)
  return `${head(times)}\n${requests}\n${rest}`
}

export const reportMark = 'LOAD '
export const doneMark = 'all answered'

export interface LoadReport {
  readonly sent: number
  readonly sentMeasured: number
  /** Complete responses. */
  readonly answered: number
  /** Responses with a status above 399. */
  readonly failed: number
  /** Connections that could not be opened or that broke. */
  readonly broken: number
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

function getRequests(paths: readonly string[], headers: string): string {
  const texts = paths.map((path) => JSON.stringify(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`))
  return `local prepared = {
${texts.join(',\n')}
}
local place = 0
local function next_request()
  place = place % #prepared + 1
  return prepared[place]
end`
}

function clickRequests({ clicksPerRequest, seed }: Extract<LoadContent, { kind: 'clicks' }>, headers: string): string {
  const requests = Math.max(1, Math.min(maxPreparedRequests, Math.floor(preparedClicks / clicksPerRequest)))
  const nowMs = Date.now()
  const made = new SyntheticClicks(seed)
  const pieces = Array.from({ length: requests }, () => {
    const clicks = Array.from({ length: clicksPerRequest }, () => ({ ...made.next(nowMs), id: placeholder }))
    const single = clicksPerRequest === 1
    const body = JSON.stringify(single ? clicks[0] : { events: clicks })
    const path = single ? '/v1/events' : '/v1/events/batch'
    const text =
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${headers}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    return text.split(placeholder).map((piece) => JSON.stringify(piece))
  })
  // An id consists of the current time, a random part for this script, and a counter.
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

const rest = `local incomplete = "GET /livez HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n"
local asked = false
function request()
  -- wrk does not send the first one.
  if not asked then asked = true; return next_request() end
  local at = now()
  if endsAt == nil then
    measuredFrom = at + warmUpMs
    endsAt = measuredFrom + measuredMs
    io.stderr:write("started\\n")
  end
  if at >= endsAt then
    waiting = waiting - 1
    if waiting == 0 then io.stderr:write("${doneMark}\\n") end
    return incomplete
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
