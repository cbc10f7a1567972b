import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultDoorSettings } from '../door-settings.ts'
import { cloneDir } from '../local-folder.ts'
import { renderTemplate, templateValues } from '../nginx.ts'

test('placeholders are replaced, and what is nginx’s own stays', () => {
  const template = `listen \${NGINX_LISTEN};\nproxy_set_header Host $host;\nreturn 302 \${NGINX_LISTEN}$uri;`
  expect(renderTemplate(template, { NGINX_LISTEN: '127.0.0.1:8080' })).toBe(
    'listen 127.0.0.1:8080;\nproxy_set_header Host $host;\nreturn 302 127.0.0.1:8080$uri;',
  )
})

test('a value may hold what String.replace takes for a pattern', () => {
  expect(renderTemplate(`\${NGINX_RUN_DIR}/x`, { NGINX_RUN_DIR: '/tmp/$&/$1' })).toBe('/tmp/$&/$1/x')
})

test('a placeholder without a value is an error that names it', () => {
  expect(() => renderTemplate(`\${NGINX_NEW}`, {})).toThrow(/NGINX_NEW/)
})

test('the template has no placeholder that the local run does not know', () => {
  const template = readFileSync(join(cloneDir, 'infra/nginx/nginx.conf.template'), 'utf8')
  const values = templateValues({ port: 1, ingestPorts: [2], apiPorts: [3], door: defaultDoorSettings })
  expect(renderTemplate(template, values)).not.toContain('${')
})
