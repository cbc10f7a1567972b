import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ServiceException,
  type StorageClass,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { ArchiveMissing, type ArchiveStore } from './archive-store.ts'

export interface S3Settings {
  /** Of a server other than Amazon's. */
  readonly endpoint: string | undefined
  readonly region: string
  /** Such as STANDARD_IA or GLACIER_IR. Archives are read back, so not one whose objects must be restored first. */
  readonly storageClass: string | undefined
  /** Undefined: where Amazon's SDK finds it, such as the role of the machine. */
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
}

/** Of a part of an upload; two are in memory. S3 has at most 10,000 parts, so an archive has at most 80 GB. */
const partBytes = 8 * 1024 * 1024

/** Archives in a bucket of Amazon S3 or of a server that speaks its protocol. */
export class S3Store implements ArchiveStore {
  readonly description: string
  readonly #client: S3Client
  readonly #bucket: string
  /** Empty, or ends with a slash. */
  readonly #prefix: string
  readonly #storageClass: StorageClass | undefined

  constructor(bucket: string, prefix: string, settings: S3Settings) {
    const { endpoint, region, accessKeyId, secretAccessKey } = settings
    this.#bucket = bucket
    this.#prefix = prefix
    this.#storageClass = settings.storageClass as StorageClass | undefined
    this.description = `s3://${bucket}/${prefix}`
    this.#client = new S3Client({
      region,
      // Other servers have no host name for each bucket, and know no checksums that Amazon does not require.
      ...(endpoint !== undefined && {
        endpoint,
        forcePathStyle: true,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      }),
      ...(accessKeyId !== undefined &&
        secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
      maxAttempts: 5,
    })
  }

  async write(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    let failure: Error | undefined
    const upload = new Upload({
      client: this.#client,
      params: {
        Bucket: this.#bucket,
        Key: this.#prefix + name,
        Body: Readable.from(watched(), { objectMode: false }),
        ...(this.#storageClass !== undefined && { StorageClass: this.#storageClass }),
      },
      partSize: partBytes,
      queueSize: 2,
    })
    try {
      await upload.done()
    } catch (error) {
      // Not a later one, of removing the parts that were sent.
      throw failure ?? error
    }

    async function* watched(): AsyncGenerator<Uint8Array> {
      try {
        yield* content
      } catch (error) {
        failure = error as Error
        throw error
      }
    }
  }

  async read(name: string): Promise<Readable> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name }))
      return Body as Readable
    } catch (error) {
      if ((error as S3ServiceException).name !== 'NoSuchKey') throw error
      throw new ArchiveMissing(name, this.description, { cause: error })
    }
  }

  async list(prefix: string): Promise<string[]> {
    const names: string[] = []
    for (let token: string | undefined; ; ) {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix + prefix, ContinuationToken: token }),
      )
      for (const { Key = '' } of page.Contents ?? []) names.push(Key.slice(this.#prefix.length))
      token = page.NextContinuationToken
      if (token === undefined) return names.sort()
    }
  }

  async remove(name: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name }))
  }

  close(): void {
    this.#client.destroy()
  }
}
