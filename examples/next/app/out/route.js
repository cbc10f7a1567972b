import { clicks } from '../../clicks.js'

const partners = { github: 'https://github.com/', shop: 'https://shop.example/' }

/** A route handler that counts and redirects: `/out?to=github`. Only to addresses of the list, so that nobody else can use it. */
export async function GET(request) {
  const to = new URL(request.url).searchParams.get('to')
  if (to === null || !Object.hasOwn(partners, to)) return new Response('Unknown link', { status: 404 })
  clicks.click(`out: ${to}`, {
    referrer: request.headers.get('referer') ?? undefined,
    userAgent: request.headers.get('user-agent') ?? undefined,
  })
  await clicks.flush()
  return new Response(null, { status: 302, headers: { location: partners[to] } })
}
