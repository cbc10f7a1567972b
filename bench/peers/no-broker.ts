import { servePeer } from './peer-service.ts'

// The limit for accepting: clicks are read, checked and answered, and then nobody keeps them.
const kept = Promise.resolve()
await servePeer('no-broker', async () => ({ keep: () => kept, close: async () => {} }))
