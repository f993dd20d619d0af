import { createHash } from 'node:crypto'
import { VmmError } from '../errors.ts'
import type { MachineArch } from '../plan/machine-plan.ts'
import { GUEST_DESCRIPTION, type GuestDescription, type GuestPackage } from './description.ts'
import { guestInitrd } from './initrd.ts'
import { extractKernel } from './kernel-image.ts'
import { builtInModules, GUEST_MODULES, moduleDependencies } from './modules.ts'
import type { GuestBuildPowers } from './powers.ts'

/** What {@link buildGuest} makes. */
export interface GuestBuildInit {
  readonly arch: MachineArch
  /** The folder to make: `kernel`, `initrd` and `guest.json`. */
  readonly output: string
}

/** How Debian calls the processors, the package that always names its newest cloud kernel, and a compiler for each. */
const DEBIAN: Readonly<Record<MachineArch, { arch: string; kernel: string; compiler: string }>> = {
  x86_64: { arch: 'amd64', kernel: 'linux-image-cloud-amd64', compiler: 'musl-gcc' },
  aarch64: { arch: 'arm64', kernel: 'linux-image-cloud-arm64', compiler: 'aarch64-linux-gnu-gcc' }
}
const COMPILER_FLAGS = [
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-Os',
  '-static',
  '-s',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wl,--build-id=none'
]

/**
 * Builds a guest from Debian's kernel and our first process. The package is downloaded by apt-get, which verifies it, and only
 * unpacked: nothing of it is installed or run.
 *
 * @throws VmmError `ERR_VM_GUEST_BUILD` where a program, the package or something in it is missing; the detail is what was said
 */
export async function buildGuest(powers: GuestBuildPowers, init: GuestBuildInit): Promise<GuestPackage> {
  // Before a download that would be in vain.
  await powers.checkFolder(init.output)
  await using folder = await powers.makeTemporaryFolder()
  const here = { powers, folder: folder.path }
  const debian = DEBIAN[init.arch]
  const archive = await downloadKernel(powers, debian, folder.path)
  const [name = '', version = ''] = (
    await output(here, 'dpkg-deb', ['--show', '--showformat', '${Package}\n${Version}', archive])
  ).split('\n')
  await output(here, 'dpkg-deb', ['--extract', archive, 'kernel'])
  const { image, modules, builtIn } = await readKernel(powers, `${folder.path}/kernel`)
  const compiled = await compileInit(powers, debian.compiler, folder.path)
  // On arm64 the image is what a monitor takes.
  const kernel = init.arch === 'x86_64' ? extractKernel(image) : image
  const initrd = guestInitrd({ init: compiled.program, modules, builtIn })
  const description: GuestDescription = {
    version: 1,
    arch: init.arch,
    package: { name, version, sha256: sha256(await powers.readFile(`${folder.path}/${archive}`)) },
    init: { sourcesSha256: compiled.sourcesSha256, compiler: compiled.compiler },
    kernelSha256: sha256(kernel),
    initrdSha256: sha256(initrd)
  }
  const text = `${JSON.stringify(description, undefined, 2)}\n`
  const files = new Map<string, Uint8Array>([
    ['kernel', kernel],
    ['initrd', initrd],
    [GUEST_DESCRIPTION, Buffer.from(text)]
  ])
  await powers.writeFolder(init.output, files)
  return { description, files }
}

/** Downloads the newest kernel of Debian's release and returns the file's name. */
async function downloadKernel(
  powers: GuestBuildPowers,
  { arch, kernel }: { arch: string; kernel: string },
  folder: string
): Promise<string> {
  const shown = await output({ powers, folder }, 'apt-cache', [
    'show',
    '--no-all-versions',
    `${kernel}:${arch}`
  ])
  const name = /^Depends:.*?\b(linux-image-[\w.+-]+)/m.exec(shown)?.[1]
  if (name === undefined) throw refusal(`expected ${kernel} to name a kernel`, shown)
  await output({ powers, folder }, 'apt-get', ['--quiet', 'download', `${name}:${arch}`])
  const archive = (await powers.listFiles(folder)).find((path) => path.endsWith('.deb'))
  if (archive === undefined) throw refusal(`expected apt-get to download ${name}`)
  return archive
}

async function readKernel(
  powers: GuestBuildPowers,
  folder: string
): Promise<{ image: Uint8Array; modules: Map<string, Uint8Array>; builtIn: string }> {
  const paths = await powers.listFiles(folder)
  const read = async (wanted: RegExp): Promise<Uint8Array> => {
    const path = paths.find((one) => wanted.test(one))
    if (path === undefined) throw refusal(`expected in the kernel's package a file like ${wanted.source}`)
    return powers.readFile(`${folder}/${path}`)
  }
  const image = await read(/^boot\/vmlinuz-/)
  const builtIn = Buffer.from(await read(/\/modules\.builtin$/)).toString('utf8')
  const byName = new Map(paths.filter((path) => path.endsWith('.ko')).map((path) => [moduleName(path), path]))
  const modules = new Map<string, Uint8Array>()
  // What they depend on lies in the same few folders; all of a kernel's modules are ten times as many.
  const open: string[] = Object.values(GUEST_MODULES).flat()
  const known = builtInModules(builtIn)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const path = byName.get(name)
    if (modules.has(name) || known.has(name) || path === undefined) continue
    const file = await powers.readFile(`${folder}/${path}`)
    modules.set(name, file)
    open.push(...moduleDependencies(file))
  }
  return { image, modules, builtIn }
}

async function compileInit(
  powers: GuestBuildPowers,
  compiler: string,
  folder: string
): Promise<{ program: Uint8Array; sourcesSha256: string; compiler: string }> {
  const files = (await powers.listFiles(powers.initSources)).toSorted()
  const hash = createHash('sha256')
  for (const file of files)
    hash.update(`${file}\0`).update(await powers.readFile(`${powers.initSources}/${file}`))
  const sources = files.filter((file) => file.endsWith('.c'))
  // By their bare names: a path would end up in the program.
  const there = { powers, folder: powers.initSources }
  await output(there, compiler, [...COMPILER_FLAGS, '-o', `${folder}/init`, ...sources])
  const [version = ''] = (await output(there, compiler, ['--version'])).split('\n')
  return {
    program: await powers.readFile(`${folder}/init`),
    sourcesSha256: hash.digest('hex'),
    compiler: version
  }
}

async function output(
  { powers, folder }: { powers: GuestBuildPowers; folder: string },
  command: string,
  args: readonly string[]
): Promise<string> {
  const { code, stdout, stderr } = await powers.run(command, args, folder)
  if (code === 0) return stdout
  throw refusal(`expected ${command} to end well, got ${code}`, stderr)
}

function moduleName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.ko'.length).replaceAll('-', '_')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const DETAIL_LINES_MAX = 20

function refusal(expected: string, said = ''): VmmError {
  const lines = said.split('\n').map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trim())
  return new VmmError('ERR_VM_GUEST_BUILD', expected, {
    detail: lines.filter((line) => line !== '').slice(-DETAIL_LINES_MAX)
  })
}
