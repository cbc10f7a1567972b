import { fastify } from 'fastify'
import clicksPlugin from './clicks-plugin.js'

const app = fastify()
await app.register(clicksPlugin, { url: process.env.CLICKTALLY_URL, key: process.env.CLICKTALLY_KEY })

app.post('/cart/:product', async (request, reply) => {
  app.clicks.click('add-to-cart', {
    props: { product: request.params.product },
    referrer: request.headers.referer,
    userAgent: request.headers['user-agent'],
  })
  return reply.code(204).send()
})

await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`listening on port ${app.server.address().port}`)
process.once('SIGTERM', () => app.close())
