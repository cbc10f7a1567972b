import { servePeer } from './peer-service.ts'

// The limit for accepting: clicks are parsed, checked and answered, but not kept.
const kept = Promise.resolve()
await servePeer('no-broker', async () => ({ keep: () => kept, close: async () => {} }))
