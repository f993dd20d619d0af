import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { systemDebianPowers, type DebianPowers } from '#vmm'

const run = promisify(execFile)

/** A package of {@link createDebianRepository}. */
export interface TestPackage {
  readonly name: string
  readonly version?: string
  readonly depends?: string
  /** Contents by path; one that begins with `-> ` is a link. */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  /** Scripts that dpkg would run at an installation. */
  readonly scripts?: Readonly<Record<string, string>>
}

/** A repository in a folder, and an apt that knows it alone: no network, nothing of this machine's apt is read or changed. */
export interface DebianRepository {
  /** What `APT_CONFIG` has to be. */
  readonly configuration: string
  /** The operating system's powers, with that apt. */
  readonly powers: DebianPowers
  /** Replaces what is in the repository. */
  publish(packages: readonly TestPackage[], options?: { isVerified?: boolean }): Promise<void>
  /** Changes the bytes of a package without telling its list. */
  damage(name: string): Promise<void>
}

/** Makes a repository below `folder`, which is for it alone. */
export async function createDebianRepository(folder: string): Promise<DebianRepository> {
  const configuration = join(folder, 'apt.conf')
  for (const name of ['lists/partial', 'cache/archives/partial', 'state', 'pool']) {
    await mkdir(join(folder, name), { recursive: true })
  }
  await writeFile(join(folder, 'status'), '')
  await writeFile(
    configuration,
    [
      `Dir::Etc::sourcelist "${folder}/sources.list";`,
      'Dir::Etc::sourceparts "-";',
      `Dir::State "${folder}/state";`,
      `Dir::State::lists "${folder}/lists";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      'APT::Sandbox::User "root";'
    ].join('\n')
  )
  const apt = async (...args: string[]): Promise<void> => {
    await run('apt-get', ['--quiet', ...args], { env: { ...process.env, APT_CONFIG: configuration } })
  }
  return {
    configuration,
    powers: {
      ...systemDebianPowers,
      cacheFolder: join(folder, 'packages'),
      run: (command, args, options) =>
        systemDebianPowers.run('env', [`APT_CONFIG=${configuration}`, command, ...args], options)
    },
    publish: async (packages, { isVerified = true } = {}) => {
      await rm(join(folder, 'pool'), { recursive: true })
      await mkdir(join(folder, 'pool'))
      const entries: string[] = []
      for (const one of packages) entries.push(await buildPackage(folder, one))
      await writeFile(join(folder, 'pool', 'Packages'), entries.join('\n'))
      const trust = isVerified ? 'trusted=yes' : 'allow-insecure=yes'
      await writeFile(join(folder, 'sources.list'), `deb [${trust}] file:${folder}/pool ./\n`)
      await apt('update')
    },
    damage: async (name) => {
      const path = join(folder, 'pool', `${name}.deb`)
      const bytes = await readFile(path)
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      await writeFile(path, bytes)
    }
  }
}

/** Builds a package and returns its entry in the repository's list. */
async function buildPackage(folder: string, one: TestPackage): Promise<string> {
  const { name, version = '1.0', depends, files, scripts = {} } = one
  const tree = join(folder, 'tree')
  const control = [
    ...[`Package: ${name}`, `Version: ${version}`, 'Architecture: all', 'Maintainer: A <a@example.org>'],
    ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    'Description: of a test'
  ].join('\n')
  await mkdir(join(tree, 'DEBIAN'), { recursive: true, mode: 0o755 })
  await writeFile(join(tree, 'DEBIAN', 'control'), `${control}\n`)
  for (const [script, text] of Object.entries(scripts)) {
    await writeFile(join(tree, 'DEBIAN', script), text, { mode: 0o755 })
  }
  for (const [path, content] of Object.entries(files)) {
    const target = join(tree, path)
    await mkdir(dirname(target), { recursive: true })
    if (typeof content === 'string' && content.startsWith('-> ')) await symlink(content.slice(3), target)
    else await writeFile(target, content, { mode: 0o755 })
  }
  await chmod(tree, 0o755)
  const deb = join(folder, 'pool', `${name}.deb`)
  await run('dpkg-deb', ['--root-owner-group', '--build', tree, deb])
  await rm(tree, { recursive: true })
  const bytes = await readFile(deb)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return `${control}\nFilename: ./${name}.deb\nSize: ${bytes.byteLength}\nSHA256: ${sha256}\n`
}
