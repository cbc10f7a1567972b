import { randomInt } from 'node:crypto'
import { createServer, connect as openSocket, type Socket } from 'node:net'

/**
 * Below the range of ephemeral ports on Linux (32768–60999) and macOS (49152–65535): a restarted service must find its port free, and
 * not used by some outgoing connection.
 */
const lowestPort = 20_000
const highestPort = 31_999

const handedOut = new Set<number>()

/**
 * A port that is free on 127.0.0.1 and was not returned before, neither by this process nor, on Linux, by another one that is alive.
 * That matters because a server takes a while until it listens.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(lowestPort, highestPort + 1)
    if (handedOut.has(port) || !(await claim(port)) || (await portProblem(port)) !== undefined) continue
    handedOut.add(port)
    return port
  }
  throw new Error(`no free port found on 127.0.0.1 between ${lowestPort} and ${highestPort}`)
}

/**
 * Claims the port; false if another process has claimed it. The claim is a name in Linux's abstract socket namespace: it belongs to
 * the network namespace, as ports do, and ends with the process.
 */
async function claim(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(`\0clicktally-port-${port}`, () => resolve(true)).unref()
  })
}

/** Why the port cannot be listened on (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`); undefined if it can. */
export async function portProblem(port: number, host = '127.0.0.1'): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/**
 * Connects to the port on 127.0.0.1, sends `opening` and returns the first bytes of the answer; undefined if there is no connection or
 * no answer in time.
 */
export async function firstAnswer(port: number, opening: Buffer, withinMs: number): Promise<Buffer | undefined> {
  return await new Promise((resolve) => {
    const socket: Socket = openSocket({ port, host: '127.0.0.1' })
    const settle = (answer: Buffer | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(withinMs, () => settle(undefined))
    socket.once('error', () => settle(undefined))
    socket.once('close', () => settle(undefined))
    socket.once('connect', () => socket.write(opening))
    socket.once('data', settle)
  })
}
