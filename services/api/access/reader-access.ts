import { createHash } from 'node:crypto'
import { accessProblem } from '@clicktally/access/access-problems.ts'
import { credentialOf, credentialRequired, invalidKey, requireRight } from '@clicktally/access/credential.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { allowsOrigin } from '@clicktally/keys/key-ring.ts'
import { parseKey } from '@clicktally/keys/key-text.ts'
import { type KeyRole, type Right, reachesEveryProject } from '@clicktally/keys/roles.ts'
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import type { Kysely } from 'kysely'
import type { Cell } from '../cells/cell.ts'
import type { Cells } from '../cells/cells.ts'
import { KeyCache } from './key-cache.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The project that requires() lets the request read; undefined in routes that need no key. */
    projectId?: number
    /** Where that project is read. */
    reading?: Reading
    /** Who sends the request; undefined in routes that need no key. */
    reader?: Reader
  }
}

interface Reader {
  readonly role: KeyRole
  readonly projectId: number
  /** `key:<id>`, `user:<id>`, or `anyone` in open mode. */
  readonly name: string
  /** The text of the key, or the token of the session. Undefined in open mode. */
  readonly credential: string | undefined
  /** The origins from which browsers may use the key. */
  readonly origins: readonly string[]
}

/** Where a project is read. */
export interface Reading {
  readonly cell: Cell
  /** The time after which the cell may lack clicks, in milliseconds since 1970: the project moves to another one. */
  readonly completeUntilMs: number | undefined
}

const firstProjectId = 1

/** Authorizes requests to read, and determines the project that they read. */
export class ReaderAccess {
  readonly #db: Kysely<Tables>
  readonly #isOpen: boolean
  readonly #keys: KeyCache
  readonly #cells: Cells

  /**
   * @param db of the home cell, which has the keys
   * @param isOpen whether requests without a key may read the first project and the balance
   */
  constructor(db: Kysely<Tables>, isOpen: boolean, cells: Cells) {
    this.#db = db
    this.#cells = cells
    this.#isOpen = isOpen
    this.#keys = new KeyCache(db)
  }

  /** A hook for routes that need this right. Sets what cellOf(), projectOf() and readerOf() return, and the headers for CORS and caches. */
  requires(right: Right): onRequestAsyncHookHandler {
    return async (request, reply) => {
      // nginx caches a response per credential, so it is never served to another key or session.
      reply.header('vary', 'Authorization, Cookie, Origin')
      const { origin } = request.headers
      if (origin !== undefined) await this.#allowOrigin(origin, reply)
      request.projectId = await this.readableProject(request, right)
      request.reading = await this.readingOf(request.projectId)
    }
  }

  /**
   * Where a project is read: in the cell that counts its clicks or, while it moves, in the one before.
   *
   * @throws {ServiceProblem} cell_unknown
   */
  async readingOf(projectId: number): Promise<Reading> {
    const project = await this.#keys.find((keys) => keys.project(projectId))
    return {
      cell: this.#cells.named(project?.moving?.from ?? project?.cell),
      completeUntilMs: project?.moving?.sinceMs,
    }
  }

  /**
   * The project that the request may read now, if its sender has this right.
   *
   * @throws {ServiceProblem} 401, 403, or 404 project_unknown
   */
  async readableProject(request: FastifyRequest, right: Right): Promise<number> {
    const { origin } = request.headers
    const reader = await this.#readerOf(request)
    requireRight(reader.role, right)
    if (origin !== undefined && reader.origins.length > 0 && !allowsOrigin(reader, origin)) {
      throw accessProblem('origin_not_allowed', 'The key does not list this origin.')
    }
    request.reader = reader
    return await this.#projectOf(request, reader)
  }

  /** Answers a preflight: whether any key may be used from the page's origin. */
  readonly preflight = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { origin } = request.headers
    reply.header('vary', 'Origin')
    if (origin !== undefined && (await this.#allowOrigin(origin, reply))) {
      reply
        .header('access-control-allow-methods', 'GET')
        .header('access-control-allow-headers', 'authorization, last-event-id')
        .header('access-control-max-age', '7200')
    }
    return reply.code(204).send()
  }

  async #readerOf({ headers }: FastifyRequest): Promise<Reader> {
    const credential = credentialOf(headers)
    if (credential === undefined) {
      if (this.#isOpen)
        return { role: 'auditor', projectId: firstProjectId, name: 'anyone', credential: undefined, origins: [] }
      throw credentialRequired()
    }
    if (credential.kind === 'session') return await this.#readerBySession(credential.token)
    const isKey = parseKey(credential.text) !== undefined
    const key = isKey && (await this.#keys.find((keys) => keys.find(credential.text, Date.now())))
    if (!key) throw invalidKey(credential.text)
    return { ...key, name: `key:${key.id}`, credential: credential.text }
  }

  async #readerBySession(token: string): Promise<Reader> {
    const user = await this.#db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select(['users.id', 'users.role'])
      .where('sessions.hash', '=', createHash('sha256').update(token).digest())
      .where('sessions.expires_at', '>', new Date())
      .where('users.disabled_at', 'is', null)
      .executeTakeFirst()
    if (user === undefined) throw accessProblem('session_expired', 'Sign in again.')
    return { role: user.role, projectId: firstProjectId, name: `user:${user.id}`, credential: token, origins: [] }
  }

  /** The project that the request names, or by default the key's project. */
  async #projectOf(request: FastifyRequest, reader: Reader): Promise<number> {
    const { project: name } = request.query as { project?: unknown }
    if (typeof name !== 'string') return reader.projectId
    const project = await this.#keys.find((keys) => keys.projectNamed(name))
    // Do not reveal whether a project exists to a sender who may not read it.
    if (project?.id !== reader.projectId && !reachesEveryProject(reader.role)) {
      throw accessProblem('project_not_allowed', 'This key reads another project. Omit "project", or use its key.')
    }
    if (project === undefined) throw accessProblem('project_unknown', `There is no project "${name.slice(0, 64)}".`)
    return project.id
  }

  async #allowOrigin(origin: string, reply: FastifyReply): Promise<boolean> {
    if (!this.#isOpen && !(await this.#keys.find((keys) => keys.knowsOrigin(origin) || undefined))) return false
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', 'clicktally-as-of, etag, retry-after, x-request-id')
    return true
  }
}

/** The sender of a request in a route that has the hook of requires(). */
export function readerOf({ reader }: FastifyRequest): Reader {
  if (reader === undefined) throw new Error('the route does not authorize its requests')
  return reader
}

/**
 * The credential with which the database shows personal data.
 *
 * @throws {ServiceProblem} right_missing; key_missing in open mode, where everyone on this machine may read
 */
export function personalCredential(request: FastifyRequest): string {
  const { role, credential } = readerOf(request)
  requireRight(role, 'audit')
  if (credential === undefined) throw credentialRequired()
  return credential
}

/** The cell of a request in a route that has the hook of requires(). */
export function cellOf({ reading }: FastifyRequest): Cell {
  if (reading === undefined) throw new Error('the route does not authorize its requests')
  return reading.cell
}

/** The project of a request in a route that has the hook of requires(). */
export function projectOf({ projectId }: FastifyRequest): number {
  if (projectId === undefined) throw new Error('the route does not authorize its requests')
  return projectId
}
