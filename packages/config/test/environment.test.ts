import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ConfigurationError, Environment } from '../environment.ts'

/** The problems that check() reports; empty if there are none. */
function problemsOf(env: Environment): readonly string[] {
  try {
    env.check()
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as ConfigurationError).problems
  }
}

function secretFile(content: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'clicktally-config-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'secret')
  writeFileSync(path, content)
  return path
}

const amqp = ['amqp:', 'amqps:']
const fallbackUrl = 'amqp://ingest@127.0.0.1:5672'

describe('an invalid configuration', () => {
  test('names every invalid variable in one message', () => {
    const env = new Environment({ PORT: 'http', LOG_LEVEL: 'loud', BROKER_URL: 'http://broker', SMALL: '0' })
    env.text('NAME')
    env.integer('PORT', 3000, 0, 65_535)
    env.choice('LOG_LEVEL', 'info', ['info', 'warn'])
    env.serverUrl('BROKER_URL', fallbackUrl, amqp, 'BROKER_PASSWORD')
    env.requiredSecret('API_PASSWORD')
    env.integer('SMALL', 5, 1, 10)
    expect(problemsOf(env)).toEqual([
      'NAME is not set',
      'PORT is "http" but must be a whole number from 0 to 65535',
      'LOG_LEVEL is "loud" but must be one of info, warn',
      `BROKER_URL must be a URL like ${fallbackUrl}`,
      'API_PASSWORD (or API_PASSWORD_FILE) is not set',
      'SMALL is "0" but must be a whole number from 1 to 10',
    ])
    expect(() => env.check()).toThrow(/NAME.*PORT.*LOG_LEVEL.*BROKER_URL.*API_PASSWORD.*SMALL/s)
  })

  test('never quotes a secret, or a URL, which may contain one', () => {
    const secret = 'hunter2'
    const file = secretFile(secret)
    const env = new Environment({
      BROKER_URL: `http://user:${secret}@broker`,
      DATABASE_URL: `postgres//user:${secret}@database`,
      BROKER_PASSWORD: secret,
      BROKER_PASSWORD_FILE: file,
      DATABASE_PASSWORD: secret,
      DATABASE_PASSWORD_FILE: file,
      API_PASSWORD: secret,
      API_PASSWORD_FILE: file,
    })
    env.serverUrl('BROKER_URL', fallbackUrl, amqp, 'BROKER_PASSWORD')
    env.serverUrl('DATABASE_URL', 'postgres://127.0.0.1', ['postgres:'], 'DATABASE_PASSWORD')
    env.requiredSecret('API_PASSWORD')
    expect(problemsOf(env)).toHaveLength(5)
    expect(problemsOf(env).join('\n')).not.toContain(secret)
  })
})

describe('a whole number', () => {
  const read = (value: string | undefined) => {
    const env = new Environment({ N: value })
    return { value: env.integer('N', 7, 1, 100), wrong: problemsOf(env).length > 0 }
  }
  test.each([
    ['1', 1],
    ['100', 100],
    ['007', 7],
    [undefined, 7],
    ['', 7],
  ])('is read from %j', (text, value) => {
    expect(read(text)).toEqual({ value, wrong: false })
  })
  test.each(['0', '101', '-1', '1.5', '1e1', '0x10', ' 5', '5s', 'Infinity', 'NaN', '9'.repeat(20)])(
    'is not %j',
    (text) => {
      expect(read(text).wrong).toBe(true)
    },
  )
})

describe('a secret', () => {
  test('is the variable itself', () => {
    const env = new Environment({ PASSWORD: ' pass word ' })
    expect(env.secret('PASSWORD')).toBe(' pass word ')
    expect(problemsOf(env)).toEqual([])
  })

  test.each([
    ['pass\n', 'pass'],
    ['pass\r\n', 'pass'],
    ['pass', 'pass'],
    [' pass \n\n', ' pass \n'],
  ])('is what is in the file, less one line break at its end: %j', (content, secret) => {
    const env = new Environment({ PASSWORD_FILE: secretFile(content) })
    expect(env.requiredSecret('PASSWORD')).toBe(secret)
    expect(problemsOf(env)).toEqual([])
  })

  test('is undefined if neither is set', () => {
    const env = new Environment({ PASSWORD: '', PASSWORD_FILE: '' })
    expect(env.secret('PASSWORD')).toBeUndefined()
    expect(problemsOf(env)).toEqual([])
  })

  test('that is set twice is an error, as one of the two is stale', () => {
    const env = new Environment({ PASSWORD: 'a', PASSWORD_FILE: secretFile('b') })
    env.secret('PASSWORD')
    expect(problemsOf(env)).toEqual(['PASSWORD and PASSWORD_FILE are both set: keep one'])
  })

  test('in a missing file is an error that names the path', () => {
    const env = new Environment({ PASSWORD_FILE: '/does/not/exist' })
    env.requiredSecret('PASSWORD')
    expect(problemsOf(env)).toEqual([expect.stringMatching(/^PASSWORD_FILE names \/does\/not\/exist, .*ENOENT/)])
  })

  test('may not be an empty file', () => {
    const env = new Environment({ PASSWORD_FILE: secretFile('\n') })
    expect(env.requiredSecret('PASSWORD')).toBe('')
    expect(problemsOf(env)).toEqual([expect.stringMatching(/^PASSWORD_FILE names .*, which is empty$/)])
  })
})

describe('the URL of a server', () => {
  const read = (source: Record<string, string>) => {
    const env = new Environment(source)
    const url = env.serverUrl('URL', fallbackUrl, amqp, 'PASSWORD')
    expect(problemsOf(env)).toEqual([])
    return new URL(url)
  }

  test('takes its password from the variable or the file', () => {
    expect(read({ PASSWORD: 'secret' })).toMatchObject({ username: 'ingest', password: 'secret' })
    expect(read({ PASSWORD_FILE: secretFile('secret\n') }).password).toBe('secret')
  })

  test('preserves any password', () => {
    for (const password of ['a/b?c#d@e:f', '100%', '%41', 'ä 😀', "a+b&c='d'"]) {
      expect(decodeURIComponent(read({ PASSWORD: password }).password)).toBe(password)
    }
  })

  test('keeps the password that it has', () => {
    expect(read({ URL: 'amqp://u:own@broker', PASSWORD: 'other' }).password).toBe('own')
  })

  test('keeps its path and parameters', () => {
    expect(read({ URL: 'amqps://u@broker:5671/vhost?heartbeat=5' }).href).toBe(
      'amqps://u@broker:5671/vhost?heartbeat=5',
    )
  })

  test.each(['http://broker', 'broker:5672', 'amqp://', '//broker', 'nonsense'])('is not %j', (url) => {
    const env = new Environment({ URL: url })
    env.serverUrl('URL', fallbackUrl, amqp, 'PASSWORD')
    expect(problemsOf(env)).toHaveLength(1)
  })
})

describe('the URL of a cluster', () => {
  const read = (source: Record<string, string>) => {
    const env = new Environment(source)
    const url = env.clusterUrl('URL', fallbackUrl, amqp, 'PASSWORD')
    expect(problemsOf(env)).toEqual([])
    return url
  }

  test.each([
    ['amqp://u@a:1,b:2/v?x=y', 'amqp://u:p%40%3A%2F%2C@a:1,b:2/v?x=y'],
    ['amqp://u:@a,b', 'amqp://u:p%40%3A%2F%2C@a,b'],
    ['amqp://a,b', 'amqp://:p%40%3A%2F%2C@a,b'],
    ['amqp://u:own@a,b', 'amqp://u:own@a,b'],
    ['amqps://u@a:1', 'amqps://u:p%40%3A%2F%2C@a:1'],
  ])('takes its password from a variable: %s', (url, expected) => {
    expect(read({ URL: url, PASSWORD: 'p@:/,' })).toBe(expected)
  })

  test('is returned unchanged without a password', () => {
    expect(read({ URL: 'amqp://u@a:1,b:2/v' })).toBe('amqp://u@a:1,b:2/v')
    expect(read({})).toBe(fallbackUrl)
  })

  test.each(['http://a,b', 'amqp://a,', 'amqp://a,b:x', 'amqp://a,a', 'a,b'])('is not %j', (url) => {
    const env = new Environment({ URL: url })
    env.clusterUrl('URL', fallbackUrl, amqp, 'PASSWORD')
    expect(problemsOf(env)).toEqual([
      `URL must be a URL like ${fallbackUrl}, with one host or several separated by commas`,
    ])
  })
})

describe('the URLs of cells', () => {
  const databases = {
    example: 'eu=postgres://postgres-eu:5432/clicktally',
    ...{ protocols: ['postgres:'], user: 'clicktally_api', passwordName: 'DATABASE_PASSWORD' },
  }

  test('get the user and the password of the program, unless they have their own', () => {
    const env = new Environment({
      CELLS: ' eu=postgres://a:1,b:2/clicktally\n us=postgres://other:own@c/clicktally ',
      DATABASE_PASSWORD: 'p=w',
    })
    expect([...env.cellUrls('CELLS', databases)]).toEqual([
      ['eu', 'postgres://clicktally_api:p%3Dw@a:1,b:2/clicktally'],
      ['us', 'postgres://other:own@c/clicktally'],
    ])
    expect(problemsOf(env)).toEqual([])
    expect(new Environment({}).cellUrls('CELLS', databases).size).toBe(0)
  })

  test.for([
    'postgres://a/clicktally',
    'eu=amqp://a',
    'eu=postgres://',
    'home=postgres://a/clicktally',
    'EU=postgres://a/clicktally',
    'eu=postgres://a/x eu=postgres://b/x',
  ])('are refused, and never quoted: %s', (text) => {
    const env = new Environment({ CELLS: text })
    env.cellUrls('CELLS', databases)
    const [problem, ...more] = problemsOf(env)
    expect(problem).toContain('must be like eu=postgres://postgres-eu:5432/clicktally')
    expect(problem).not.toContain('//a')
    expect(more).toEqual([])
  })
})
