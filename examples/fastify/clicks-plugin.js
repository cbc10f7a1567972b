import { ClickSender } from '@clicktally/client'
import plugin from 'fastify-plugin'

/** Makes `app.clicks`, which is closed with the app: it sends what is queued. */
export default plugin(async (app, { url, key }) => {
  const clicks = new ClickSender({
    url,
    key,
    onDrop: ({ target }, drop) => app.log.warn({ target, ...drop }, 'a click was dropped'),
  })
  app.decorate('clicks', clicks)
  app.addHook('onClose', () => clicks.close())
})
