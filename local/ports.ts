import { randomInt } from 'node:crypto'
import { createServer, connect as openSocket, type Socket } from 'node:net'

/**
 * From below the range that Linux (32768–60999) and macOS (49152–65535) take outgoing connections' ports from: a
 * service that is started again must find its port free, and not held by some connection that got it meanwhile.
 */
const lowestPort = 20_000
const highestPort = 31_999

const handedOut = new Set<number>()

/**
 * A port that is free on 127.0.0.1 now and that was not handed out before: by this process, and on Linux by no other one that
 * lives. It is free only until somebody listens on it, and a server takes its time to start.
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
 * Whether no other process has claimed the port. The claim is a name in Linux's abstract socket namespace: it belongs to the
 * network namespace, as ports do, and is gone with the process, however that ends.
 */
async function claim(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(`\0clicktally-port-${port}`, () => resolve(true)).unref()
  })
}

/** Why the port on 127.0.0.1 can't be listened on (`EADDRINUSE`, `EACCES`), or undefined when it can. */
export async function portProblem(port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/**
 * Connects to the port on 127.0.0.1, sends the opening and returns the first bytes of the answer; undefined when there
 * is no connection or no answer in time.
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
