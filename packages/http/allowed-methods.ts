import type { FastifyInstance } from 'fastify'

/**
 * Records the routes that are registered from now on.
 *
 * @returns the methods of all routes that match a path, in alphabetical order
 */
export function recordMethods(app: Pick<FastifyInstance, 'addHook'>): (path: string) => string[] {
  const routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: url.split('/'), methods: [method].flat() })
  })
  return (path) => {
    const parts = path.split('/')
    const matches = (segments: readonly string[]) =>
      segments.length === parts.length &&
      segments.every((segment, index) => (segment.startsWith(':') ? parts[index] !== '' : segment === parts[index]))
    const methods = routes.filter(({ segments }) => matches(segments)).flatMap((route) => route.methods)
    return [...new Set(methods)].sort()
  }
}
