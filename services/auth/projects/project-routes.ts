import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { moveProject } from './project-moves.ts'
import { changeProject, createProject, listProjects } from './projects.ts'

export function projectRoutes(app: HttpApp, { db, cells, onKeysChanged }: AuthContext): void {
  const { listProjects: list, createProject: create, changeProject: change, moveProject: move } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { projects: await listProjects(db) }
    },
  })
  app.route({
    ...{ method: create.method, url: create.url, schema: { body: create.schema.body } },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      const project = await createProject(db, cells, actor, request.body)
      onKeysChanged()
      return reply.code(201).send(project)
    },
  })
  app.route({
    ...{ method: change.method, url: change.url },
    schema: { params: change.schema.params, body: change.schema.body },
    async handler(request) {
      const actor = await authenticate(db, request, 'manage')
      const project = await changeProject(db, actor, request.params.name, request.body)
      onKeysChanged()
      return project
    },
  })
  app.route({
    ...{ method: move.method, url: move.url },
    schema: { params: move.schema.params, body: move.schema.body },
    async handler(request) {
      const actor = await authenticate(db, request, 'manage')
      const project = await moveProject(db, cells, actor, request.params.name, request.body)
      onKeysChanged()
      return project
    },
  })
}
