import { describe, expect, test } from 'vitest'
import { parseAptSettings, parseInstalled, parseSimulation } from '../installation/debian-packages.ts'

describe('what apt-get would install', () => {
  test('is read from its simulation, with epochs and with packages that are upgraded', () => {
    const output = [
      'NOTE: This is only a simulation!',
      'Reading package lists...',
      'Remv esl-erlang [1:27.0]',
      'Inst libssl3 [3.0.15-1] (3.0.22-1~deb12u2 Debian-Security:12/oldstable-security [amd64])',
      'Inst erlang-base (1:25.2.3+dfsg-1+deb12u4 Debian:12.15/oldstable [amd64]) []',
      'Conf erlang-base (1:25.2.3+dfsg-1+deb12u4 Debian:12.15/oldstable [amd64])',
      'Inst rabbitmq-server (3.12.1-1ubuntu1.2 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [all])',
    ]
    expect(parseSimulation(output.join('\n'))).toEqual([
      { name: 'libssl3', version: '3.0.22-1~deb12u2' },
      { name: 'erlang-base', version: '1:25.2.3+dfsg-1+deb12u4' },
      { name: 'rabbitmq-server', version: '3.12.1-1ubuntu1.2' },
    ])
  })

  test('is nothing when apt prints nothing', () => {
    expect(parseSimulation('')).toEqual([])
  })
})

test('removed packages whose settings remain do not count as installed', () => {
  expect(parseInstalled('libc6 installed\nnginx config-files\nsocat installed\n')).toEqual(new Set(['libc6', 'socat']))
})

test('only the apt settings that tell where packages come from are kept', () => {
  const kept = [
    'APT::Architecture "amd64";',
    'APT::Architectures:: "amd64";',
    'Dir "/";',
    'Dir::State::lists "lists/";',
    'Dir::Etc::sourcelist "sources.list";',
    'Acquire::http::Proxy "http://127.0.0.1:3128";',
  ]
  const left = [
    'APT::Update::Post-Invoke-Success:: "appstreamcli refresh";',
    'AptCli::Hooks::Upgrade:: "[ ! -f /usr/lib/x ] || /usr/lib/x";',
    'DPkg::Post-Invoke:: "rm -f x";',
    'Acquire::IndexTargets::deb::DEP-11::MetaKey "x";',
    'Acquire::http::Proxy-Auto-Detect "/usr/bin/x "quoted"";',
    'Dir::Cache::pkgcache "";',
    '',
  ]
  expect(parseAptSettings([...left, ...kept].join('\n'))).toEqual(kept)
})
