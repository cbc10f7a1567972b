import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import { onTestFinished } from 'vitest'
import type { ArchiveStore } from '../archive-store.ts'
import { FolderStore } from '../folder-store.ts'
import { S3Store } from '../s3-store.ts'

export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clicktally-archive-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An S3 server with a bucket, until the test ends. */
export async function createS3Store(storageClass?: string): Promise<ArchiveStore> {
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: await scratchFolder(),
    configureBuckets: [{ name: 'archives', configs: [] }],
  })
  const { port } = (await server.run()) as AddressInfo
  const store = new S3Store('archives', 'clicktally/', {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    storageClass,
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
  })
  onTestFinished(async () => {
    store.close()
    await server.close()
  })
  return store
}

/** Each kind of place, for tests that all have to pass. */
export const kindsOfStores: [string, () => Promise<ArchiveStore>][] = [
  ['a folder', async () => new FolderStore(await scratchFolder())],
  ['S3', () => createS3Store()],
]
