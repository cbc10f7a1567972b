import { ClickSender } from '@clicktally/client'
import express from 'express'

const clicks = new ClickSender({ url: process.env.CLICKTALLY_URL, key: process.env.CLICKTALLY_KEY })
const app = express()

// click() queues the click and returns at once. It leaves with others, within a second.
app.get('/download/:file', (request, response) => {
  clicks.click(`download: ${request.params.file}`, {
    url: request.originalUrl,
    referrer: request.get('referer'),
    userAgent: request.get('user-agent'),
  })
  response.send(`Here would be ${request.params.file}.`)
})

const server = app.listen(process.env.PORT ?? 3000, () => console.log(`listening on port ${server.address().port}`))

process.once('SIGTERM', () => {
  // Sends what is queued before the process ends.
  server.close(() => clicks.close())
})
