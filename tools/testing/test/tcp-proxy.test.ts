import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { patience } from '../patience.ts'
import { TcpProxy } from '../tcp-proxy.ts'

interface End {
  readonly socket: Socket
  /** The received text. */
  text: string
  ended: boolean
  closed: boolean
  error: string | undefined
}

function endOf(socket: Socket): End {
  const end: End = { socket, text: '', ended: false, closed: false, error: undefined }
  socket.setNoDelay(true)
  socket.on('data', (chunk) => {
    end.text += chunk
  })
  socket.on('end', () => {
    end.ended = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end.error = error.code
  })
  socket.on('close', () => {
    end.closed = true
  })
  onTestFinished(() => {
    socket.destroy()
  })
  return end
}

async function openServer() {
  const accepted: End[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(endOf(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    if (!server.listening) return
    server.close()
    for (const { socket } of accepted) socket.destroy()
    await once(server, 'close')
  }
  onTestFinished(close)
  return { port: (server.address() as AddressInfo).port, accepted, close }
}

async function openProxy() {
  const server = await openServer()
  const proxy = await TcpProxy.open({ host: '127.0.0.1', port: server.port })
  onTestFinished(() => proxy.close())
  const dial = () => endOf(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }))
  /** Opens a connection, and waits until both sides are connected. */
  const link = async (): Promise<{ client: End; server: End }> => {
    const known = server.accepted.length
    const client = dial()
    await vi.waitFor(() => expect(server.accepted.length).toBe(known + 1), patience)
    return { client, server: server.accepted[known] as End }
  }
  return { proxy, server, dial, link }
}

test('bytes arrive on both sides', async () => {
  const { link, proxy } = await openProxy()
  const { client, server } = await link()
  client.socket.write('question')
  await vi.waitFor(() => expect(server.text).toBe('question'), patience)
  server.socket.write('answer')
  await vi.waitFor(() => expect(client.text).toBe('answer'), patience)
  expect(proxy.connections).toBe(1)
})

test('a side that has ended still gets the answer, and then the connection is closed', async () => {
  const { link, proxy } = await openProxy()
  const { client, server } = await link()
  client.socket.end('all of it')
  await vi.waitFor(() => expect([server.text, server.ended]).toEqual(['all of it', true]), patience)
  expect(client.ended).toBe(false)
  server.socket.end('answer')
  await vi.waitFor(() => expect([client.text, client.closed, server.closed]).toEqual(['answer', true, true]), patience)
  expect([client.error, server.error]).toEqual([undefined, undefined])
  await vi.waitFor(() => expect(proxy.connections).toBe(0), patience)
})

test.each([
  ['client', 'server'],
  ['server', 'client'],
] as const)('a reset by the %s reaches the %s', async (from, to) => {
  const { link } = await openProxy()
  const ends = await link()
  ends[from].socket.resetAndDestroy()
  await vi.waitFor(() => expect([ends[to].closed, ends[to].error]).toEqual([true, 'ECONNRESET']), patience)
})

test('a client is reset when nothing listens behind the proxy', async () => {
  const { server, dial } = await openProxy()
  await server.close()
  const client = dial()
  await vi.waitFor(() => expect([client.closed, client.error]).toEqual([true, 'ECONNRESET']), patience)
})

test('a silent proxy closes nothing, and everything arrives when it resumes', async () => {
  const { proxy, link } = await openProxy()
  const { client, server } = await link()
  proxy.silence()
  client.socket.end('held')
  server.socket.write('back')
  await sleep(200)
  expect([client.text, server.text, client.closed, server.ended]).toEqual(['', '', false, false])
  proxy.resume()
  await vi.waitFor(() => expect([client.text, server.text, server.ended]).toEqual(['back', 'held', true]), patience)
})

test('with one direction silent the other one goes on', async () => {
  const { proxy, link } = await openProxy()
  const { client, server } = await link()
  proxy.silence('toClient')
  client.socket.write('there')
  server.socket.write('back')
  await vi.waitFor(() => expect(server.text).toBe('there'), patience)
  expect(client.text).toBe('')
  proxy.resume()
  await vi.waitFor(() => expect(client.text).toBe('back'), patience)
})

test('a connection that is opened while the proxy is silent reaches the server when it resumes', async () => {
  const { proxy, server, dial } = await openProxy()
  proxy.silence('toServer')
  const client = dial()
  client.socket.write('late')
  await vi.waitFor(() => expect(proxy.connections).toBe(1), patience)
  await sleep(100)
  expect(server.accepted).toEqual([])
  proxy.resume()
  await vi.waitFor(() => expect(server.accepted[0]?.text).toBe('late'), patience)
})

test('a server that dies behind a silent proxy is noticed only when it resumes', async () => {
  const { proxy, link } = await openProxy()
  const { client, server } = await link()
  proxy.silence()
  client.socket.resetAndDestroy()
  await sleep(200)
  expect(server.closed).toBe(false)
  proxy.resume()
  await vi.waitFor(() => expect(server.closed).toBe(true), patience)
})

test('a slow proxy delays each way and keeps the order', async () => {
  const { proxy, link } = await openProxy()
  const { client, server } = await link()
  const latencyMs = 100
  proxy.delay(latencyMs)
  const startedAtMs = performance.now()
  const numbers = Array.from({ length: 50 }, (_, index) => index)
  for (const number of numbers) {
    client.socket.write(`${number} `)
    if (number === 25) proxy.delay(latencyMs / 2)
    if (number % 10 === 0) await sleep(5)
  }
  server.socket.once('data', () => server.socket.write('seen'))
  await vi.waitFor(() => expect(client.text).toBe('seen'), patience)
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(latencyMs * 1.5)
  await vi.waitFor(() => expect(server.text).toBe(numbers.map((number) => `${number} `).join('')), patience)
})

test('a reader that does not read blocks the writer and loses nothing', async () => {
  const { link } = await openProxy()
  const { client, server } = await link()
  server.socket.pause()
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  const chunks = 64
  for (let count = 0; count < chunks; count += 1) client.socket.write(chunk)
  await sleep(500)
  // The kernel's buffers on four sockets and the proxy's own hold far less than everything.
  expect(client.socket.writableLength).toBeGreaterThan(chunk.length * 32)
  server.socket.resume()
  await vi.waitFor(() => expect(server.text.length).toBe(chunk.length * chunks), patience)
})

test('a cut resets both sides of every connection, and new ones come through', async () => {
  const { proxy, link } = await openProxy()
  const links = [await link(), await link()]
  expect(proxy.cut()).toBe(2)
  for (const { client, server } of links) {
    await vi.waitFor(() => expect([client.error, server.error]).toEqual(['ECONNRESET', 'ECONNRESET']), patience)
  }
  const { client, server } = await link()
  client.socket.write('again')
  await vi.waitFor(() => expect(server.text).toBe('again'), patience)
})

test('a cut at a chosen chunk does not forward that chunk', async () => {
  const { proxy, link } = await openProxy()
  const cutting = proxy.cutWhen('toClient', (chunk) => chunk.includes('done'), 1)
  const [one, other] = [await link(), await link()]
  one.server.socket.write('begun ')
  await vi.waitFor(() => expect(one.client.text).toBe('begun '), patience)
  one.server.socket.write('done')
  await vi.waitFor(() => expect([one.client.closed, one.server.closed]).toEqual([true, true]), patience)
  expect([one.client.text, one.client.error, cutting.cuts]).toEqual(['begun ', 'ECONNRESET', 1])
  other.server.socket.write('done')
  await vi.waitFor(() => expect(other.client.text).toBe('done'), patience)
  expect(cutting.cuts).toBe(1)
})

test('a cut in the middle of a chunk lets its first bytes through', async () => {
  const { proxy, link } = await openProxy()
  const { client, server } = await link()
  const connections = new Set()
  const cutting = proxy.cutWhen('toServer', (chunk, connection) => {
    connections.add(connection)
    return chunk.includes('commit') && 3
  })
  client.socket.write('commit')
  await vi.waitFor(() => expect([server.text, server.closed]).toEqual(['com', true]), patience)
  expect([cutting.cuts, connections.size]).toEqual([1, 1])
  cutting.stop()
  const next = await link()
  next.client.socket.write('commit')
  await vi.waitFor(() => expect(next.server.text).toBe('commit'), patience)
})

test('bytes that the proxy sends itself reach every client', async () => {
  const { proxy, link } = await openProxy()
  const links = [await link(), await link()]
  proxy.sendToClients(Buffer.from('blocked'))
  for (const { client, server } of links) {
    await vi.waitFor(() => expect(client.text).toBe('blocked'), patience)
    expect(server.text).toBe('')
  }
})

test('a closed proxy has cut its connections and accepts no more', async () => {
  const { proxy, link } = await openProxy()
  const { client } = await link()
  const { port } = proxy
  await proxy.close()
  await vi.waitFor(() => expect(client.closed).toBe(true), patience)
  const late = endOf(connect({ port, host: '127.0.0.1' }))
  await vi.waitFor(() => expect(late.error).toBe('ECONNREFUSED'), patience)
})
