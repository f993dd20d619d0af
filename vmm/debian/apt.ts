import { VM_DEBIAN_UNPACKED_BYTES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import { checkBounds, type LockedPackage } from './package-list.ts'
import type { DebianPowers } from './powers.ts'

/** One use of apt: nothing of what it is told of this machine's packages comes from this machine. */
export interface Apt {
  /** The processors of this machine as Debian calls them. */
  readonly arch: string
  /** Names of the package files that `names` and all they depend on are in, as `NAME=VERSION`. */
  find(names: readonly string[]): Promise<string[]>
  /** Downloads packages, each `NAME=VERSION`, into the folder that is returned. */
  download(wanted: readonly string[]): Promise<string>
  /** What is said in a package file itself. */
  describe(file: string): Promise<Omit<LockedPackage, 'bytes' | 'sha256'>>
  /** Unpacks the files of a package, of at most `bytesMax`, and runs nothing of it. Returns how many bytes they are, in an archive. */
  extract(file: string, folder: string, bytesMax: number): Promise<number>
}

/**
 * apt as this machine has it set up: its sources, keys and proxies, read only. It verifies what it downloads against the lists of
 * its sources, and those against the signatures of the keys it has. A source without a signature is refused, but for one that whoever
 * set this machine up marked as trusted (`[trusted=yes]`, sources.list(5)): that mark counts for all that apt does. Nothing is installed.
 *
 * @param folder - an empty one, for what apt writes
 * @throws VmmError `ERR_VM_APT_MISSING`
 */
export async function openApt(
  powers: DebianPowers,
  { folder, signal }: { folder: string; signal: AbortSignal }
): Promise<Apt> {
  const options = await aptOptions(powers, folder)
  const run = async (command: string, args: readonly string[], at = folder): Promise<string> => {
    signal.throwIfAborted()
    const { code, stdout, stderr } = await powers.run(command, args, { folder: at, signal })
    signal.throwIfAborted()
    if (code === 0) return stdout
    throw refusal(command, args, stderr)
  }
  const { code, stdout } = await powers.run('dpkg', ['--print-architecture'], { folder, signal })
  const hasApt = (await powers.run('apt-get', ['--version'], { folder, signal })).code === 0
  if (code !== 0 || !hasApt) throw noApt()
  return {
    arch: stdout.trim(),
    find: async (names) => {
      const how = ['--quiet=2', '--yes', '--no-install-recommends', '--print-uris', ...options]
      return readUris(await run('apt-get', [...how, 'install', ...names]))
    },
    download: async (wanted) => {
      const target = `${folder}/downloaded`
      await powers.makeFolder(target)
      await run('apt-get', ['--quiet=2', ...options, 'download', ...wanted], target)
      return target
    },
    describe: async (file) => {
      const format = '${Package}\n${Version}\n${Architecture}'
      const shown = await run('dpkg-deb', ['--show', `--showformat=${format}`, file])
      const [name = '', version = '', arch = ''] = shown.split('\n')
      return { name, version, arch }
    },
    extract: async (file, to, bytesMax) => {
      // Before anything is written: a small package may unpack to what no disk holds.
      const archive = ['--fsys-tarfile', file]
      const bytes = await powers.measureOutput('dpkg-deb', archive, { folder, signal, bytesMax })
      signal.throwIfAborted()
      if (bytes === undefined) throw refusal('dpkg-deb', archive, '')
      if (bytes > bytesMax) throw tooMuch()
      await run('dpkg-deb', ['--extract', file, to])
      return bytes
    }
  }
}

/** As if nothing was installed, so that everything a package depends on is found; whatever apt keeps, it keeps in `folder`. */
async function aptOptions(powers: DebianPowers, folder: string): Promise<string[]> {
  await powers.writeFile(`${folder}/status`, '')
  await powers.makeFolder(`${folder}/cache/archives/partial`)
  const settings = [
    `Dir::State::status=${folder}/status`,
    `Dir::State::extended_states=${folder}/extended_states`,
    `Dir::Cache=${folder}/cache`,
    'APT::Get::AllowUnauthenticated=false',
    'Acquire::AllowInsecureRepositories=false'
  ]
  return settings.flatMap((setting) => ['-o', setting])
}

const URI_LINE = /^'[^']*' (?<name>[^_\s]+)_(?<version>[^_\s]+)_[^_\s]+\.deb (?<bytes>\d+)(?: |$)/

/** Reads what `apt-get --print-uris` prints: a line for each package that it would download. */
export function readUris(printed: string): string[] {
  const found = printed.split('\n').flatMap((line) => {
    const groups = URI_LINE.exec(line)?.groups
    if (groups === undefined) return []
    const { name = '', version = '', bytes } = groups
    // A colon, of an epoch, is none in a file's name.
    return [{ wanted: `${name}=${version.replaceAll(/%3a/gi, ':')}`, bytes: Number(bytes) }]
  })
  checkBounds(found)
  return found.map(({ wanted }) => wanted).toSorted()
}

const DETAIL_LINES_MAX = 20

function refusal(command: string, args: readonly string[], said: string): VmmError {
  const lines = said.split('\n').map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trim())
  const detail = lines.filter((line) => line !== '').slice(-DETAIL_LINES_MAX)
  const hint = 'lists that are old or not there yet: sudo apt-get update'
  return new VmmError('ERR_VM_PACKAGES', `expected ${command} to find and verify the packages, it did not`, {
    detail: command === 'apt-get' && !args.includes('--version') ? [...detail, hint] : detail
  })
}

function tooMuch(): VmmError {
  return new VmmError(
    'ERR_VM_PACKAGES',
    `expected packages that unpack to at most ${VM_DEBIAN_UNPACKED_BYTES_MAX} bytes in all, got more`
  )
}

function noApt(): VmmError {
  return new VmmError('ERR_VM_APT_MISSING', 'expected apt-get and dpkg-deb on this machine, found none', {
    detail: [
      'packages of Debian are had on Debian, Ubuntu and what is made of them',
      "elsewhere: remove debian.json and put a static program into the folder that the manifest's image names"
    ]
  })
}
