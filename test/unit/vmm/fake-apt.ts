import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemDebianPowers, type DebianPowers } from '#vmm'

/** A package of {@link createFakeApt}; a package file of it is this in JSON. */
export interface FakePackage {
  readonly name: string
  readonly version?: string
  readonly depends?: readonly string[]
  /** How large its list says that it is; as large as it is when absent. */
  readonly bytes?: number
  /** How large it is unpacked; as its files are when absent. */
  readonly unpackedBytes?: number
  readonly files: Readonly<Record<string, string>>
}

/** An apt without programs: packages in memory, files on the disk. */
export interface FakeApt {
  readonly powers: DebianPowers
  packages: readonly FakePackage[]
  /** How often something was downloaded. */
  readonly downloads: () => number
}

interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const said = (stdout: string): Answer => ({ code: 0, stdout, stderr: '' })
const failed = (stderr: string): Answer => ({ code: 100, stdout: '', stderr })

/** Makes an apt that knows `packages`, and a user whose cache is a folder. */
export function createFakeApt(packages: readonly FakePackage[], cacheFolder: string): FakeApt {
  let downloads = 0
  const aptGet = async (args: readonly string[], folder: string): Promise<Answer> => {
    const [verb = '', ...names] = args.slice(args.findIndex((one) => one === 'install' || one === 'download'))
    if (verb === 'install') {
      const found = closure(apt.packages, names)
      return found === undefined ? failed('E: Unable to locate package') : said(found.map(uriLine).join('\n'))
    }
    if (verb !== 'download') return said('apt 2.6')
    downloads += 1
    for (const wanted of names) {
      const one = apt.packages.find(({ name, version = '1.0' }) => `${name}=${version}` === wanted)
      if (one === undefined) return failed(`E: Version '${wanted}' was not found`)
      await writeFile(join(folder, fileName(one)), JSON.stringify(one))
    }
    return said('')
  }
  const apt = {
    packages,
    downloads: () => downloads,
    powers: {
      ...systemDebianPowers,
      cacheFolder,
      measureOutput: async (_: string, args: readonly string[]): Promise<number> => {
        const one = JSON.parse(await readFile(args[1] ?? '', 'utf8')) as FakePackage
        return one.unpackedBytes ?? Object.values(one.files).join('').length
      },
      run: async (
        command: string,
        args: readonly string[],
        { folder }: { folder: string }
      ): Promise<Answer> => {
        if (command === 'dpkg') return said('amd64\n')
        if (command === 'apt-get') return await aptGet(args, folder)
        const [verb, ...rest] = args
        const at = verb === '--show' ? 1 : 0
        const one = JSON.parse(await readFile(rest[at] ?? '', 'utf8')) as FakePackage
        if (verb === '--show') return said(`${one.name}\n${one.version ?? '1.0'}\nall`)
        for (const [path, text] of Object.entries(one.files)) {
          await mkdir(dirname(join(rest[1] ?? '', path)), { recursive: true })
          await writeFile(join(rest[1] ?? '', path), text)
        }
        return said('')
      }
    }
  }
  return apt
}

function closure(packages: readonly FakePackage[], names: readonly string[]): FakePackage[] | undefined {
  const open = [...names]
  const found = new Map<string, FakePackage>()
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const one = packages.find((other) => other.name === name)
    if (one === undefined) return undefined
    if (!found.has(name)) open.push(...(one.depends ?? []))
    found.set(name, one)
  }
  return [...found.values()]
}

function uriLine(one: FakePackage): string {
  const bytes = one.bytes ?? JSON.stringify(one).length
  return `'http://debian.example/pool/${one.name}.deb' ${fileName(one)} ${bytes} SHA256:00`
}

function fileName({ name, version = '1.0' }: FakePackage): string {
  return `${name}_${version.replaceAll(':', '%3a')}_all.deb`
}
