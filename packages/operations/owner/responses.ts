import Type from 'typebox'
import { Problem } from '../problem.ts'

export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
})

/** Responses to requests that are refused, by status. */
export const refusals = {
  401: problem('There is no key or session, or it is not valid.'),
  403: problem('The role lacks the right, or the request comes from another site.'),
  422: problem('A field is invalid. `field` names it.'),
  503: problem('The database is unavailable. Retry later.'),
}
export const missing = { 404: problem('There is no such project, key or user.') }
export const conflict = { 409: problem('The change conflicts with what exists. `code` says why.') }
export const noContent = { 204: Type.Null({ description: 'Done.' }) }
