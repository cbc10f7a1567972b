import { clickLimits } from '@clicktally/event/click-event.ts'
import { cellNamePattern, homeCell } from '@clicktally/system/cells.ts'
import Type, { type Static } from 'typebox'
import { conflict, missing, refusals } from './responses.ts'
import { closed, ProjectName, params, Time } from './values.ts'

const exampleProject = {
  name: 'shop',
  derivesVisitors: true,
  dimensions: ['plan'],
  keepRawDays: null,
  cell: homeCell,
  moving: null,
  createdAt: '2026-11-28T10:00:00.000Z',
}

/** Most props that a project may declare as dimensions. */
const maxDimensions = 20

const Dimensions = Type.Array(
  // nginx passes on paths in the form in which it has checked them: a slash would be another part of the path, encoded or not.
  Type.String({ minLength: 1, maxLength: clickLimits.propKeyChars, pattern: '^[^\\u0000-\\u001f/?]*$' }),
  {
    description: `Names of props by which clicks can be broken down, as \`props.<name>\`, without \`/\` and \`?\`; at most ${maxDimensions}. Their values should be few, such as the names of plans.`,
    maxItems: maxDimensions,
    uniqueItems: true,
  },
)

const KeepRawDays = Type.Union([Type.Integer({ minimum: 8, maximum: 36_500 }), Type.Null()], {
  description:
    'For how many days raw clicks are kept; then they are archived and removed, and older clicks are refused. Counts stay. `null`: for ever.',
})

const Cell = Type.String({
  description: `Where the clicks are counted. \`${homeCell}\`, unless the installation has several cells.`,
  pattern: cellNamePattern,
})

export const Project = Type.Object(
  {
    name: ProjectName,
    derivesVisitors: Type.Boolean({
      description:
        'Whether the visitor of a browser’s click without `visitorId` is derived from address and user agent, with a salt that is deleted after 48 hours.',
    }),
    dimensions: Dimensions,
    keepRawDays: KeepRawDays,
    cell: Cell,
    moving: Type.Union([Type.Object({ from: Cell, since: Time }), Type.Null()], {
      description:
        'While it moves to another cell: the one that is read, and the time after which that may lack clicks.',
    }),
    createdAt: Time,
  },
  { title: 'Project', examples: [exampleProject] },
)
export type Project = Static<typeof Project>

const ProjectList = Type.Object(
  { projects: Type.Array(Project) },
  { title: 'ProjectList', examples: [{ projects: [exampleProject] }] },
)

/** Operations on projects. */
export const projectOperations = {
  listProjects: {
    method: 'GET',
    url: '/v1/projects',
    schema: {
      operationId: 'listProjects',
      summary: 'List projects',
      tags: ['Projects'],
      response: { 200: ProjectList, ...refusals },
    },
  },
  createProject: {
    method: 'POST',
    url: '/v1/projects',
    schema: {
      operationId: 'createProject',
      summary: 'Create a project',
      tags: ['Projects'],
      body: Type.Object(
        {
          name: ProjectName,
          derivesVisitors: Type.Optional(Type.Boolean({ default: true })),
          dimensions: Type.Optional(Dimensions),
          keepRawDays: Type.Optional(KeepRawDays),
          cell: Type.Optional(Cell),
        },
        { ...closed, examples: [{ name: 'shop' }] },
      ),
      response: { 201: Project, ...refusals, ...conflict },
    },
  },
  changeProject: {
    method: 'PATCH',
    url: '/v1/projects/:name',
    schema: {
      operationId: 'changeProject',
      summary:
        'Rename a project, or change whether it derives visitors, which props are dimensions, and how long raw clicks are kept',
      tags: ['Projects'],
      params: params({ name: ProjectName }),
      body: Type.Object(
        {
          name: Type.Optional(ProjectName),
          derivesVisitors: Type.Optional(Type.Boolean()),
          dimensions: Type.Optional(Dimensions),
          keepRawDays: Type.Optional(KeepRawDays),
        },
        { ...closed, examples: [{ derivesVisitors: false }] },
      ),
      response: { 200: Project, ...refusals, ...missing, ...conflict },
    },
  },
  moveProject: {
    method: 'PUT',
    url: '/v1/projects/:name/cell',
    schema: {
      operationId: 'moveProject',
      summary: 'A step of moving a project to another cell',
      description:
        'For `clicktally projects move`, which copies its clicks in between. `announced`: answers say that they may lack clicks from now on. `moving`: new clicks go to `cell`, the old one is still read; refused until 60 s after the announcement, so that every api knows of it. `settled`: `cell` is read.',
      tags: ['Projects'],
      params: params({ name: ProjectName }),
      body: Type.Object(
        { cell: Cell, state: Type.Enum(['announced', 'moving', 'settled']) },
        { ...closed, examples: [{ cell: homeCell, state: 'announced' }] },
      ),
      response: { 200: Project, ...refusals, ...missing, ...conflict },
    },
  },
} as const
